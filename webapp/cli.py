"""`muster …`: what is done from the terminal, with the app. `flask --app wsgi muster …` does the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from flask import Flask
from flask.cli import AppGroup
from sqlalchemy.exc import OperationalError

from webapp import upgrade
from webapp.core.errors import ConflictError
from webapp.core.text.audit_problems import ADVICE, list_lines
from webapp.services.accounts import password_reset
from webapp.services.audit import chain
from webapp.services.links import account_links
from webapp.services.operations import backup as backups
from webapp.services.operations import database_copy, doctor, first_run
from webapp.services.settings import in_force
from webapp.settings.fields import ConfigError


class Command(click.Command):
    """A command whose expected errors are one line."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (ConfigError, ConflictError) as error:
            raise click.ClickException(str(error)) from error
        except OperationalError as error:
            raise click.ClickException(
                "The database cannot be read: “muster doctor” says why."
            ) from error


class Commands(AppGroup):
    """A group of such commands, each within an app context."""

    command_class = Command


muster = Commands("muster", help="Muster's own commands.")


def register(app: Flask) -> None:
    """Add `flask muster …` and `flask db …` to an app that is used from the terminal."""
    upgrade.register(app)
    app.cli.add_command(muster)


@muster.command("prepare")
@click.option(
    "--upgrade",
    "upgrades",
    is_flag=True,
    help="Upgrade the database first.",
)
def prepare(upgrades: bool) -> None:
    """Make what a start needs; prints the set-up link while there is no Owner."""
    if upgrades:
        upgrade.upgrade()
    click.echo("\n".join(first_run.prepare()))


@muster.command("owner-link")
@click.option(
    "--without-second-factor",
    is_flag=True,
    help="Using the link turns the Owner's two-step sign-in off, too.",
)
def owner_link(without_second_factor: bool) -> None:
    """Print a one-time link that signs the Owner in, who is locked out."""
    link = password_reset.make_owner_link(without_second_factor=without_second_factor)
    minutes = account_links.validity(link.purpose)
    click.echo(
        f"Signs in {link.user.email}, once, within {minutes}: {account_links.link_url(link)}"
    )


@muster.command("doctor")
@click.pass_context
def examine(context: click.Context) -> None:
    """Look at everything that Muster needs, and say what to do; exits with 1 where something is wrong."""
    is_wrong = False
    for about, level, words in doctor.examine():
        click.echo(f"{level:<8} {about:<12} {words}")
        is_wrong = is_wrong or level == doctor.WRONG
    if is_wrong:
        context.exit(1)


@muster.command("backup")
@click.argument("file", type=click.Path(dir_okay=False, resolve_path=True, path_type=Path))
@click.option(
    "--without-database",
    is_flag=True,
    help="Leave a PostgreSQL database out, which is backed up by other means.",
)
def backup(file: Path, without_database: bool) -> None:
    """Write everything that must be kept to one file, while Muster runs; on PostgreSQL by means of pg_dump."""
    lines = backups.make(file, with_database=not without_database)
    click.echo("\n".join(lines))


@muster.command("restore")
@click.argument(
    "file", type=click.Path(exists=True, dir_okay=False, resolve_path=True, path_type=Path)
)
def restore(file: Path) -> None:
    """Put a backup into an empty data folder, while Muster does not run."""
    click.echo("\n".join(backups.restore(file)))


@muster.command("copy-database")
@click.argument(
    "file", type=click.Path(exists=True, dir_okay=False, resolve_path=True, path_type=Path)
)
@click.pass_context
def copy_database(context: click.Context, file: Path) -> None:
    """Copy an SQLite database to PostgreSQL, while Muster does not run: into the empty database of MUSTER_DATABASE_URL."""
    lines = database_copy.copy_from(file)
    click.echo("\n".join(lines))
    context.invoke(verify)


@muster.group("audit", cls=Commands)
def audit() -> None:
    """The audit log."""


@audit.command("verify")
@click.pass_context
def verify(context: click.Context) -> None:
    """Check that nothing in the audit log was changed, deleted, inserted or reordered; exits with 1 where it was."""
    verdict, zone = chain.verify(), in_force.settings().time_zone
    click.echo("\n".join(list_lines(verdict, zone)))
    if verdict.problems:
        click.echo(ADVICE)
        context.exit(1)


@audit.command("begin-anew")
@click.confirmation_option(
    prompt="The whole log is accepted as it is now, and sealed again. Earlier changes can no longer be found. Continue?"
)
def begin_anew() -> None:
    """Start a new chain, if the old key is lost or a change is accepted. This is recorded in the log."""
    verdict = chain.start_over()
    click.echo("\n".join(list_lines(verdict, in_force.settings().time_zone)))
    click.echo("A new chain has started. The workers seal the log within a minute.")

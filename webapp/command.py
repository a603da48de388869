"""The command `muster`. What runs Muster is here, and loads no app: the supervisor stays small.

The other commands are in `webapp.cli`, which is loaded when one of them is asked for.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import click

from webapp.client import commands as client
from webapp.layout import TOP
from webapp.version import version

if TYPE_CHECKING:
    from flask.cli import ScriptInfo


class Commands(click.Group):
    """The commands here, and those of `webapp.cli`."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        from webapp import cli

        return sorted({*self.commands, *cli.muster.commands})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in self.commands:
            return self.commands[cmd_name]
        from webapp import cli

        ctx.obj = _find_app()
        return cli.muster.get_command(ctx, cmd_name)


def _find_app() -> ScriptInfo:
    """What Flask's commands get the app from, once one is run."""
    from flask.cli import ScriptInfo

    from webapp.app import create_app
    from webapp.run import program

    return ScriptInfo(create_app=lambda: create_app(program.begin("muster")))


@click.group(cls=Commands)
@click.version_option(version(), prog_name="Muster", message="%(prog)s %(version)s")
def muster() -> None:
    """Muster invites many people at once from a spreadsheet."""


@muster.command("run")
def run() -> None:
    """Start everything: queue server, database, web server, workers. Ctrl-C stops it."""
    from webapp import supervisor

    sys.exit(supervisor.main())


@muster.command("web")
def web() -> None:
    """Start one web server alone, for an installation on several machines."""
    from webapp import server

    sys.exit(server.main())


@muster.command("worker")
@click.argument("name", required=False)
def worker(name: str | None) -> None:
    """Start one worker alone. NAME: what it is called; by default as the machine."""
    arguments = [name] if name else []
    os.execv(sys.executable, [sys.executable, str(TOP / "worker.py"), *arguments])  # noqa: S606 -- our own program


for each in client.COMMANDS:
    muster.add_command(each)

"""The commands that call the API. Data go to stdout, words for people to stderr. docs/automation.md has the exit codes."""

from __future__ import annotations

import functools
import json
import sys
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from webapp.client import transport, words
from webapp.client.following import NotFinishedError, follow
from webapp.client.invite import Wanted, invite_file
from webapp.client.leavers import Ceiling, read_ceiling
from webapp.client.transport import Api, AwayError, RefusedError
from webapp.client.words import say

REFUSED, WRONG_USE, NOT_FINISHED, AWAY, INTERRUPTED = 1, 2, 6, 7, 130


def calls_api(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the API, by the options that all of them have, and end it with the exit code of what went wrong."""

    @click.option("--url", envvar="MUSTER_URL", help="Address of Muster.  [MUSTER_URL]")
    @click.option(
        "--token-file",
        envvar="MUSTER_TOKEN_FILE",
        type=click.Path(path_type=Path),
        help="File with an API token; else MUSTER_TOKEN holds it.  [MUSTER_TOKEN_FILE]",
    )
    @click.option(
        "--local", metavar="EMAIL", help="On Muster's own machine, as this user, without a token."
    )
    @functools.wraps(command)
    def run(url: str | None, token_file: Path | None, local: str | None, **options: Any) -> None:
        try:
            with _open(url, token_file, local) as api:
                code = command(api, **options)
        except RefusedError as error:
            say(str(error))
            code = REFUSED
        except AwayError as error:
            say(str(error))
            code = AWAY
        except NotFinishedError as error:
            say(str(error))
            code = NOT_FINISHED
        except (KeyboardInterrupt, click.Abort):
            say("Interrupted.")
            code = INTERRUPTED
        sys.exit(code)

    return run


@contextmanager
def _open(url: str | None, token_file: Path | None, local: str | None) -> Iterator[Api]:
    if local:
        with transport.in_process(local) as api:
            yield api
        return
    if not url:
        raise click.UsageError("Say where Muster is: MUSTER_URL, --url, or --local EMAIL.")
    try:
        yield transport.over_http(url, _read_token(token_file))
    except ValueError as error:
        raise click.UsageError(str(error)) from error


def _read_token(token_file: Path | None) -> str:
    """A token is never an argument: others see those in the list of processes."""
    import os

    token = os.environ.get("MUSTER_TOKEN", "")
    if token_file:
        try:
            token = token_file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise click.UsageError(f"{token_file} cannot be read ({error}).") from error
    token = token.strip()
    if not token or not token.isascii() or any(letter.isspace() for letter in token):
        raise click.UsageError("There is no API token: set MUSTER_TOKEN_FILE or MUSTER_TOKEN.")
    return token


@click.command("invite")
@click.argument("file", type=click.File("rb"))
@click.option("--dry-run", is_flag=True, help="Show what would happen; nothing is kept.")
@click.option(
    "--detailed-exitcode", is_flag=True, help="With --dry-run: 5 where something would change."
)
@click.option("--tidy", is_flag=True, help="Carry out what tidy up offers as safe.")
@click.option("--yes", is_flag=True, help="Do not ask before sending.")
@click.option("--skip-errors", is_flag=True, help="Leave out the rows that need attention.")
@click.option(
    "--mode",
    type=click.Choice(["replace", "add", "remove"]),
    help="What happens to groups people have.",
)
@click.option("--change-roles", is_flag=True, help="Also change roles of existing users.")
@click.option("--keep", is_flag=True, help="Leave a review that is not sent for the browser.")
@click.option(
    "--missing", type=click.Choice(["deactivate"]), help="End the access of who is not in the file."
)
@click.option(
    "--of",
    "scope",
    metavar="GROUP",
    help="With --missing: of whom. A group, role:NAME or “earlier”.",
)
@click.option(
    "--at-most",
    default="10%",
    show_default=True,
    help="With --missing: refuse beyond this share, or number.",
)
@click.option("--key", help="Idempotency-Key: the same key again makes no second batch.")
@click.option("--no-wait", is_flag=True, help="Do not wait until all is done.")
@click.option("--timeout", type=float, help="Seconds to wait at most.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@calls_api
def invite(
    api: Api,
    file: Any,
    missing: str | None,
    scope: str | None,
    at_most: str,
    yes: bool,
    dry_run: bool,
    key: str | None,
    **options: Any,
) -> int:
    """Invite and update the people of FILE, a spreadsheet; - reads it from standard input."""
    if bool(missing) != bool(scope):
        raise click.UsageError("--missing and --of GROUP go together.")
    is_asked = not yes and not dry_run
    if is_asked and (file.name == "<stdin>" or not sys.stdin.isatty()):
        raise click.UsageError("Nobody can be asked here: add --yes, or --dry-run.")
    try:
        ceiling: Ceiling | None = read_ceiling(scope, at_most) if scope else None
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    name = "stdin.csv" if file.name == "<stdin>" else Path(file.name).name
    wanted = Wanted(
        name=name,
        content=file.read(),
        key=key or uuid.uuid4().hex,
        is_asked=is_asked,
        dry_run=dry_run,
        ceiling=ceiling,
        **options,
    )
    return invite_file(api, wanted)


def _print(
    value: Any, as_json: bool, header: tuple[str, ...], cells: Callable[[Any], tuple[str, ...]]
) -> None:
    """A list on stdout: JSON lines, or a table."""
    if as_json:
        for each in value:
            click.echo(json.dumps(each, ensure_ascii=False))
    else:
        words.tell_table(header, map(cells, value))


def _json_option(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.option("--json", "as_json", is_flag=True, help="Print JSON, one object a line.")(
        command
    )


@click.command("batches")
@_json_option
@calls_api
def batches(api: Api, as_json: bool) -> int:
    """List the newest uploads, actions and reverts."""
    found = api.get("/batches").body["batches"]

    def cells(batch: Mapping[str, Any]) -> tuple[str, ...]:
        return str(batch["id"]), batch["kind"], batch["state"], str(batch["rows"]), batch["name"]

    _print(found, as_json, ("Id", "Kind", "State", "Rows", "Name"), cells)
    return 0


@click.command("batch")
@click.argument("batch_id", metavar="ID", type=int)
@click.option("--follow", "follows", is_flag=True, help="Wait until it is over.")
@click.option("--timeout", type=float, help="Seconds to wait at most.")
@calls_api
def batch(api: Api, batch_id: int, follows: bool, timeout: float | None) -> int:
    """Print a batch as JSON."""
    found = api.get(f"/batches/{batch_id}").body
    if follows:
        follow(api, found, timeout)
        found = api.get(f"/batches/{batch_id}").body
    click.echo(json.dumps(found, ensure_ascii=False))
    return 0


@click.command("report")
@click.argument("batch_id", metavar="ID", type=int)
@click.option("--csv", "as_csv", is_flag=True, help="Print each row with its outcome as CSV.")
@calls_api
def report(api: Api, batch_id: int, as_csv: bool) -> int:
    """Print how a batch went."""
    if not as_csv:
        click.echo(json.dumps(api.get(f"/batches/{batch_id}/report").body, ensure_ascii=False))
        return 0
    header = ("Row", "Email", "Name", "Role", "Groups", "Outcome", "Reason")
    rows = api.pages(f"/batches/{batch_id}/rows", "rows")
    words.tell_csv(header, map(_report_cells, rows))
    return 0


def _report_cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    groups = ", ".join(row["groups"])
    outcome = row["outcome"] or ""
    return str(row["line"]), row["email"], row["name"], row["role"], groups, outcome, row["reason"]


@click.command("people")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV, in the form of an upload.")
@_json_option
@calls_api
def people(api: Api, as_csv: bool, as_json: bool) -> int:
    """List the users."""
    found = api.pages("/users", "users")
    if as_csv:
        words.tell_csv(
            ("Email", "Name", "Role", "Groups"), (_person_cells(each)[:4] for each in found)
        )
    else:
        _print(found, as_json, ("Email", "Name", "Role", "Groups", "State"), _person_cells)
    return 0


def _person_cells(user: Mapping[str, Any]) -> tuple[str, ...]:
    return user["email"], user["name"], user["role"], ", ".join(user["groups"]), user["state"]


@click.command("groups")
@_json_option
@calls_api
def groups(api: Api, as_json: bool) -> int:
    """List the device groups."""
    found = api.get("/groups").body["groups"]
    _print(found, as_json, ("Id", "Name"), lambda group: (str(group["id"]), group["name"]))
    return 0


@click.command("tokens")
@_json_option
@calls_api
def list_tokens(api: Api, as_json: bool) -> int:
    """List the API tokens of whom this token acts for."""
    found = api.get("/tokens").body["tokens"]

    def cells(token: Mapping[str, Any]) -> tuple[str, ...]:
        return token["name"], token["expires_at"], token["seen_at"] or "never used"

    _print(found, as_json, ("Name", "Works until", "Last used"), cells)
    return 0


COMMANDS = (invite, batches, batch, report, people, groups, list_tokens)

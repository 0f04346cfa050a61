"""Verbs of the command line: ``user token`` and ``user tokens``, what programs show in the place of a sign-in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from core.cli import terminal
from core.cli.opening import open_installation
from core.people import Permission, tokens
from core.people.tokens import TokenEntry

_DAY = ["%Y-%m-%d", "%Y%m%d"]


def token(
    name: Annotated[str, typer.Argument(help="What the token is for, such as the archive's name.")],
    may: Annotated[
        list[Permission] | None,
        typer.Option(help="What it may do; repeat for more. Sending studies (add_study) if not given."),
    ] = None,
    days: Annotated[int | None, typer.Option(min=1, max=3660, help="How many days it is valid.")] = None,
    expires: Annotated[
        datetime | None, typer.Option(formats=_DAY, help="The first day on which it is not valid any more.")
    ] = None,
    revoke: Annotated[bool, typer.Option("--revoke", help="End the token of this name for good.")] = False,
    json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
) -> None:
    """Make a token for a program, or end one with --revoke.

    The token is printed once and is kept nowhere: hand it to the program, which sends it as "Authorization: Bearer …".
    Without --days and --expires it is valid until it is revoked.
    """
    if days is not None and expires is not None:
        terminal.wrong_use("Say --days or --expires, not both.")
    here = open_installation()
    try:
        if revoke:
            tokens.revoke_token(here, name)
            terminal.results.print(f"{name} opens nothing any more.", markup=False, highlight=False)
            return
        until = datetime.now(UTC) + timedelta(days=days) if days else None
        if expires is not None:
            until = expires.astimezone(UTC)
        made = tokens.make_token(here, name, may or [Permission.ADD_STUDY], expires_at=until)
    except ValueError as error:
        terminal.wrong_use(str(error))
    if json:
        terminal.print_json({"token": made.token, **_document(made.entry)})
        return
    terminal.log.print("Kept nowhere and shown this once:", highlight=False)
    terminal.results.print(made.token, markup=False, highlight=False)


def list_tokens(json: Annotated[bool, typer.Option("--json", help="For machines.")] = False) -> None:
    """List the tokens of programs, those that have ended too."""
    found = tokens.list_tokens(open_installation())
    if json:
        terminal.print_json([_document(entry) for entry in found])
        return
    if not found:
        terminal.results.print("No tokens yet. Make one: python -m core user token NAME")
        return
    table = Table("name", "may", "made", "valid until", "last used")
    for entry in found:
        until = "revoked" if entry.revoked_at else _day(entry.expires_at) or "it is revoked"
        table.add_row(
            escape(entry.name),
            " ".join(entry.permissions),
            _day(entry.created_at),
            until,
            _day(entry.last_used_at) or "never",
        )
    terminal.results.print(table)


def _day(moment: datetime | None) -> str:
    return f"{moment.astimezone():%Y-%m-%d %H:%M}" if moment else ""


def _document(entry: TokenEntry) -> dict[str, object]:
    def said(moment: datetime | None) -> str | None:
        return moment.isoformat() if moment else None

    return {
        "name": entry.name,
        "may": [permission.value for permission in entry.permissions],
        "valid": entry.is_valid(),
        "created_at": said(entry.created_at),
        "expires_at": said(entry.expires_at),
        "last_used_at": said(entry.last_used_at),
        "revoked_at": said(entry.revoked_at),
    }

"""Verbs of the command line: ``user token`` and ``user tokens``, what programs show in the place of a sign-in, their own or a person's."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from core.cli import terminal
from core.cli.opening import open_installation
from core.installation import Installation
from core.people import Permission, Scope, own_tokens, tokens
from core.people.own_tokens import OwnToken
from core.people.tokens import TokenEntry

_DAY = ["%Y-%m-%d", "%Y%m%d"]


def token(
    name: Annotated[
        str,
        typer.Argument(help="User name of whom it acts for; or, with --may, what program it is for."),
    ],
    scope: Annotated[
        list[Scope] | None,
        typer.Option(help="What of that person's rights it may use; repeat for more. read if not given."),
    ] = None,
    label: Annotated[str, typer.Option(help="What a person's token is for.")] = "",
    may: Annotated[
        list[Permission] | None,
        typer.Option(help="A program's own: what it may do; repeat for more. add_study if not given."),
    ] = None,
    days: Annotated[
        int | None,
        typer.Option(min=1, max=3660, help="How many days it is valid; a person's: 90, at most 366."),
    ] = None,
    expires: Annotated[
        datetime | None, typer.Option(formats=_DAY, help="The first day on which it is not valid any more.")
    ] = None,
    revoke: Annotated[
        bool, typer.Option("--revoke", help="End what is valid of this name for good.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
) -> None:
    """Make a token, or end those of a name with --revoke.

    Of an account's name: a token that acts for that person in the HTTP API (/api/v1), FHIR and DICOMweb, within its scopes
    and never beyond her role. Of any other name: a program's own, for sending studies.

    The token is printed once and is kept nowhere: hand it to the program, which sends it as "Authorization: Bearer …".
    A program's own is valid until it is revoked, without --days and --expires.
    """
    if days is not None and expires is not None:
        terminal.wrong_use("Say --days or --expires, not both.")
    if scope and may:
        terminal.wrong_use("Say --scope for a person's token or --may for a program's own, not both.")
    here = open_installation()
    until = datetime.now(UTC) + timedelta(days=days) if days else None
    if expires is not None:
        until = expires.astimezone(UTC)
    of_person = not may and (bool(scope or label) or own_tokens.has_account(here, name))
    try:
        if revoke:
            if of_person:
                own_tokens.end_own_tokens(here, name)
            else:
                tokens.revoke_token(here, name)
            terminal.results.print(f"{name} opens nothing any more.", markup=False, highlight=False)
            return
        if of_person:
            secret, document = _for_person(here, name, scope or [Scope.READ], label, until)
        else:
            made = tokens.make_token(here, name, may or [Permission.ADD_STUDY], expires_at=until)
            secret, document = made.token, _document(made.entry)
    except ValueError as error:
        terminal.wrong_use(str(error))
    if json:
        terminal.print_json({"token": secret, **document})
        return
    terminal.log.print("Kept nowhere and shown this once:", highlight=False)
    terminal.results.print(secret, markup=False, highlight=False)


def _for_person(
    here: Installation, name: str, scopes: list[Scope], label: str, until: datetime | None
) -> tuple[str, dict[str, object]]:
    lasts = timedelta(days=own_tokens.DEFAULT_DAYS) if until is None else until - datetime.now(UTC)
    made = own_tokens.make_own_token(here, name, scopes, label=label, lasts=lasts)
    return made.token, _own_document(made.entry)


def list_tokens(json: Annotated[bool, typer.Option("--json", help="For machines.")] = False) -> None:
    """List the tokens of programs and of people, those that have ended too."""
    here = open_installation()
    found, own = tokens.list_tokens(here), own_tokens.all_own_tokens(here)
    if json:
        terminal.print_json([*map(_document, found), *map(_own_document, own)])
        return
    if not found and not own:
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
    for one in own:
        table.add_row(
            escape(f"{one.username}: {one.label}"),
            " ".join(one.scopes),
            _day(one.created_at),
            "ended" if one.ended_at else _day(one.expires_at),
            _day(one.last_used_at) or "never",
        )
    terminal.results.print(table)


def _day(moment: datetime | None) -> str:
    return f"{moment.astimezone():%Y-%m-%d %H:%M}" if moment else ""


def _said(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def _own_document(entry: OwnToken) -> dict[str, object]:
    return {
        "name": entry.label,
        "person": entry.username,
        "scopes": [one.value for one in entry.scopes],
        "valid": entry.is_valid(),
        "created_at": _said(entry.created_at),
        "expires_at": _said(entry.expires_at),
        "last_used_at": _said(entry.last_used_at),
        "revoked_at": _said(entry.ended_at),
    }


def _document(entry: TokenEntry) -> dict[str, object]:
    return {
        "name": entry.name,
        "may": [permission.value for permission in entry.permissions],
        "valid": entry.is_valid(),
        "created_at": _said(entry.created_at),
        "expires_at": _said(entry.expires_at),
        "last_used_at": _said(entry.last_used_at),
        "revoked_at": _said(entry.revoked_at),
    }

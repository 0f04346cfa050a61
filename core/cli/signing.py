"""Verbs of the command line: ``user sign-out``, ``link`` and ``unlink`` (how people sign in, and that they do no more)."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from core.cli import terminal
from core.cli.opening import open_installation
from core.people import linking, open_sign_ins

__all__ = ["register"]

Username = Annotated[str, typer.Argument(help="User name, without spaces.")]


def register(user: typer.Typer) -> None:
    """Add these verbs to ``user``."""
    user.command(name="sign-out")(sign_out)
    user.command()(link)
    user.command()(unlink)


def sign_out(
    username: Username,
    keep_tokens: Annotated[bool, typer.Option("--keep-tokens", help="Let her programs go on.")] = False,
    json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
) -> None:
    """End all sign-ins of a person at once, and the tokens of her programs; she can sign in again."""
    try:
        ended, tokens = open_sign_ins.end_all_for(open_installation(), username, tokens=not keep_tokens)
    except ValueError as error:
        terminal.wrong_use(str(error))
    if json:
        terminal.print_json({"sign_ins_ended": ended, "tokens_ended": tokens})
        return
    terminal.tell(f"{username} is signed out: {ended} sign-in(s) and {tokens} token(s) are ended.")


def link(
    username: Username,
    subject: Annotated[
        str, typer.Argument(help="By which “sub” the hospital's own sign-in knows her; no e-mail address.")
    ],
) -> None:
    """Let the hospital's own sign-in answer for an account: its password here opens nothing any more."""
    try:
        linking.link(open_installation(), username, subject)
    except ValueError as error:
        terminal.wrong_use(str(error))
    terminal.tell(f"{username} signs in with the hospital's own sign-in from now on, and is signed out here.")


def unlink(
    username: Username,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from standard input.")
    ] = False,
) -> None:
    """Give an account a first password here again, in the place of the hospital's own sign-in."""
    if password_stdin:
        password = sys.stdin.readline().rstrip("\n")
    else:
        password = str(typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))
    try:
        linking.unlink(open_installation(), username, password)
    except ValueError as error:
        terminal.wrong_use(str(error))
    terminal.tell(f"{username} signs in with this password, and is asked for one of her own then.")

"""Verbs of the command line: ``user`` (accounts)."""

from __future__ import annotations

import sys
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from core.cli import signing, terminal
from core.cli.opening import open_installation
from core.cli.tokens import list_tokens, token
from core.people import (
    GRANT_WORDS,
    GRANTED_ONLY,
    Permission,
    accounts,
    demo_accounts,
    second_factor,
    set_grant,
)

user = typer.Typer(help="Accounts: who may sign in, and in which role.", no_args_is_help=True)

Username = Annotated[str, typer.Argument(help="User name, without spaces.")]
GRANTS = sorted(one.value for one in GRANTED_ONLY)
Granted = Annotated[str, typer.Argument(help=f"What is granted: {', '.join(GRANTS)}.")]
Keep = Annotated[
    bool,
    typer.Option(
        "--keep-password",
        help="The person chose this password herself: she is not asked for one of her own when she signs in first.",
    ),
]
FromStdin = Annotated[bool, typer.Option("--password-stdin", help="Read the password from standard input.")]


def register(app: typer.Typer) -> None:
    """Add this module's verbs."""
    user.command()(token)
    user.command(name="tokens")(list_tokens)
    signing.register(user)
    app.add_typer(user, name="user")


def _password(from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\n")
    return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))


@user.command()
def add(
    username: Username,
    role: Annotated[accounts.Role, typer.Option(help="What this person does here.")],
    name: Annotated[str | None, typer.Option(help="Name as the pages show it.")] = None,
    password_stdin: FromStdin = False,
    keep_password: Keep = False,
) -> None:
    """Make an account; at the first sign-in the person chooses a password that only she knows."""
    here = open_installation()
    try:
        person = accounts.create_user(
            here,
            username,
            _password(password_stdin),
            role,
            display_name=name,
            first_password=not keep_password,
        )
    except ValueError as error:
        terminal.wrong_use(str(error))
    first = "" if keep_password else " The first thing asked for then is a password of her own."
    terminal.tell(f"{person.username} can sign in as {person.role.value}.{first}")


@user.command(name="list")
def list_(json: Annotated[bool, typer.Option("--json", help="For machines.")] = False) -> None:
    """List the accounts."""
    found = accounts.list_accounts(open_installation())
    if json:
        terminal.print_json(
            [
                {
                    "username": account.username,
                    "name": account.display_name,
                    "role": account.role.value,
                    "active": account.active,
                    "second_factor": account.second_factor,
                    "outside": account.outside,
                    "wrong_passwords": account.guessed.failures if account.guessed else 0,
                    "locked_until": account.locked_until.isoformat() if account.locked_until else None,
                }
                for account in found
            ]
        )
        return
    if not found:
        terminal.results.print("No accounts yet. Make one: python -m core user add NAME --role admin")
        return
    table = Table("user name", "name", "role", "active", "second factor")
    for account in found:
        table.add_row(
            escape(account.username),
            escape(account.display_name),
            account.role.value,
            "yes" if account.active else "no",
            "elsewhere" if account.outside else "yes" if account.second_factor else "no",
        )
    terminal.results.print(table)


@user.command()
def password(username: Username, password_stdin: FromStdin = False, keep_password: Keep = False) -> None:
    """Set a new password; lifts a lock and ends that person's sign-ins. She chooses another when she signs in."""
    try:
        accounts.set_password(
            open_installation(), username, _password(password_stdin), first_password=not keep_password
        )
    except ValueError as error:
        terminal.wrong_use(str(error))
    terminal.tell(f"{username} has a new password and is signed out everywhere.")


@user.command(name="second-factor")
def second_factor_of(
    username: Username,
    reset: Annotated[
        bool,
        typer.Option("--reset", help="Take it away, as from a person who has lost phone and recovery codes."),
    ] = False,
) -> None:
    """Say whether a person signs in with a second factor, or take it away; what she can do about it herself is on her page."""
    here = open_installation()
    try:
        if reset:
            had = second_factor.reset(here, username)
            terminal.tell(
                f"{username} signs in without a second factor, and is signed out everywhere."
                if had
                else f"{username} has no second factor."
            )
            return
        account = next(
            (one for one in accounts.list_accounts(here) if one.username == accounts.plain_name(username)),
            None,
        )
        if account is None:
            raise ValueError(f"There is no account “{username}”.")
    except ValueError as error:
        terminal.wrong_use(str(error))
    terminal.tell(f"{username} {'signs in with a' if account.second_factor else 'has no'} second factor.")


@user.command()
def deactivate(username: Username) -> None:
    """Close an account and end its sign-ins; what the person did stays recorded."""
    _set_active(username, False)


@user.command()
def activate(username: Username) -> None:
    """Open a closed account again."""
    _set_active(username, True)


@user.command()
def grant(username: Username, permission: Granted = GRANTS[0]) -> None:
    """Let one person do what no role may: see single courses, and take away rows of single women."""
    _set_grant(username, permission, True)


@user.command(name="take-back")
def take_back(username: Username, permission: Granted = GRANTS[0]) -> None:
    """Take back what was granted to a person."""
    _set_grant(username, permission, False)


def _set_grant(username: str, permission: str, granted: bool) -> None:
    if permission not in GRANTS:
        terminal.wrong_use(
            f"“{permission}” is not granted to single people. Granted are: {', '.join(GRANTS)}."
        )
    try:
        set_grant(open_installation(), username, Permission(permission), granted=granted)
    except ValueError as error:
        terminal.wrong_use(str(error))
    terminal.tell(
        f"{username} {'may' if granted else 'may no longer'} {GRANT_WORDS[Permission(permission)]}."
    )


def _set_active(username: str, active: bool) -> None:
    try:
        accounts.set_active(open_installation(), username, active)
    except ValueError as error:
        terminal.wrong_use(str(error))
    terminal.tell(f"{username} {'can sign in again' if active else 'can no longer sign in'}.")


@user.command()
def demo(json: Annotated[bool, typer.Option("--json", help="For machines.")] = False) -> None:
    """Make one account a role for trying Longview out, and print how to sign in.

    The passwords are published ones. They open nothing from another machine, nor unless the dashboard was started by
    `python -m core up --demo`, as `make run` does. The first real patient closes these accounts for good.
    """
    made = demo_accounts.ensure_demo_accounts(open_installation())
    if not made:
        terminal.wrong_use(
            "There are no demo accounts here: they stand beside simulated patients only, and those that were closed stay "
            "so. Make an account of your own: python -m core user add NAME --role admin"
        )
    if json:
        terminal.print_json(
            [{"username": a.username, "role": a.role.value, "password": a.password} for a in made]
        )
        return
    table = Table("user name", "password", "role")
    for account in made:
        table.add_row(account.username, account.password or "(as you set it)", account.role.value)
    terminal.results.print(table)

"""Verbs of the command line: starting an installation."""

import threading
from typing import Annotated

import typer
from rich.markup import escape

from core.cli.terminal import log, results, wrong_use


def register(app: typer.Typer) -> None:
    """Add this module's verbs."""
    app.command()(up)


def up(
    demo: Annotated[
        bool,
        typer.Option(
            help="Load the simulated demo cohort, and let the demo accounts sign in on this machine."
        ),
    ] = False,
) -> None:
    """Migrate the database, start worker and dashboard, print the address; Ctrl-C stops all.

    With LONGVIEW_LISTEN_PORT set, studies are received from the DICOM network as well (see listen).
    """
    from core.care import launch
    from core.cli.opening import open_installation
    from core.cohorts import kept
    from core.people import ensure_demo_accounts, has_accounts
    from core.records import ready
    from core.settings import Settings

    settings = Settings(demo=demo)
    address, port = settings.address, settings.port
    try:
        launch.check_port(address, port)
    except launch.CannotListen as error:
        wrong_use(str(error))
    if settings.listen_port is not None:
        try:
            launch.check_port(settings.listen_address, settings.listen_port)
        except launch.CannotListen:
            wrong_use(
                f"The DICOM port {settings.listen_port} at {settings.listen_address} cannot be opened. Stop what runs there, "
                "or choose another in LONGVIEW_LISTEN_PORT and LONGVIEW_LISTEN_ADDRESS."
            )
    here = open_installation(settings)
    accounts = ensure_demo_accounts(here) if demo else []
    if demo and not accounts:
        log.print("The demo accounts are closed: sign in with an account of your own.", highlight=False)
    nobody = not has_accounts(here)
    # Here, not on the first page: after an update, or with other settings, it is every woman's rows.
    ready.bring_up_to_date(here)
    kept.bring_up_to_date(here)
    here.close()

    stopping = threading.Event()
    launch.stop_on_signals(stopping)

    def announce() -> None:
        scheme = launch.wait_for_page(address, port, seconds=120, until=stopping)
        if scheme is None:
            return
        url = escape(launch.page_url(address, port, scheme=scheme))
        results.print(f"\n[bold]Longview[/] is at [bold]{url}[/]  (Ctrl-C stops it)")
        for other in launch.addresses_for_others(address):
            results.print(
                f"  from other machines: {escape(launch.page_url(other, port, scheme=scheme))}",
                highlight=False,
            )
            if scheme == "http":
                results.print("    passwords travel readable: put a proxy with a certificate in front")
        for account in accounts:
            results.print(
                f"  sign in as {account.username} / {account.password or '(your own password)'}  ({account.role})",
                highlight=False,
            )
        if nobody:
            results.print("  first account: python -m core user add NAME --role admin", highlight=False)

    threading.Thread(target=announce, daemon=True).start()
    launch.keep_running(
        launch.parts(address, port, demo=demo, listen=settings.listen_port is not None, home=here.home),
        here.home,
        until=stopping,
        log=lambda line: log.print(line, highlight=False),
        demo=demo,
    )

"""Verbs of the command line: receiving from the DICOM network, and fetching priors from the PACS."""

from __future__ import annotations

import threading
from typing import Annotated

import typer

from core.cli.opening import open_installation
from core.cli.terminal import log, machine_failed, wrong_use


def register(app: typer.Typer) -> None:
    """Add this module's verbs."""
    app.command()(listen)


def listen(
    port: Annotated[
        int | None,
        typer.Option(
            min=1, max=65535, help="Port to listen at; LONGVIEW_LISTEN_PORT if not given, else 11112."
        ),
    ] = None,
    aet: Annotated[
        str | None, typer.Option(help="AE title of this installation; LONGVIEW_LISTEN_AET if not given.")
    ] = None,
    address: Annotated[
        str | None, typer.Option(help="Address to listen at; LONGVIEW_LISTEN_ADDRESS if not given.")
    ] = None,
) -> None:
    """Receive studies from the DICOM network: C-ECHO, C-STORE and storage commitment. Ctrl-C stops it.

    Who may send is set in LONGVIEW_LISTEN_CALLERS, such as MAMMO1@10.0.4.17:11112,*@10.0.5.0/24; without it only this
    machine. An object is answered with Success when it is durable, taken in or kept in quarantine with its reason.
    """
    from core.care import launch
    from core.network import Listener
    from core.people import own_admin_is_needed
    from core.settings import Settings

    settings = Settings()
    at = port or settings.listen_port or 11112
    here = open_installation(settings)
    stopping = threading.Event()
    try:
        listener = Listener(here, port=at, aet=aet, address=address)
        listener.start()
    except ValueError as error:
        wrong_use(str(error))
    except OSError as error:
        machine_failed(f"Port {at} cannot be opened ({error.strerror}). Choose another with --port.")
    launch.stop_on_signals(stopping)
    try:
        if own_admin_is_needed(here):
            log.print(
                "Only simulated patients can be received: beside the demo accounts the first real one needs an admin of "
                "your own. Make one: python -m core user add NAME --role admin",
                highlight=False,
            )
        log.print(f"{listener.aet} listens at port {at}  (Ctrl-C stops it)", highlight=False, markup=False)
        stopping.wait()
    finally:
        listener.stop()
        here.close()

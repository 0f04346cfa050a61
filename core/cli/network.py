"""Verbs of the command line: receiving from the DICOM network, and fetching priors from the PACS."""

from __future__ import annotations

import threading
from typing import Annotated

import typer

from core.cli.opening import open_installation
from core.cli.terminal import SOME_REFUSED, log, machine_failed, print_json, results, wrong_use


def register(app: typer.Typer) -> None:
    """Add this module's verbs."""
    app.command()(listen)
    app.command()(pull)


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


def pull(
    mrn: Annotated[str, typer.Option(help="MRN of the patient whose priors are fetched.")],
    json: Annotated[bool, typer.Option("--json", help="Write JSON to stdout.")] = False,
) -> None:
    """Fetch a patient's priors from the PACS: what it has under her MRN and is not here yet.

    The PACS is set in LONGVIEW_PACS_URL (DICOMweb), or in LONGVIEW_PACS_AET, LONGVIEW_PACS_HOST and LONGVIEW_PACS_PORT
    (C-FIND, then C-GET, or C-MOVE with LONGVIEW_PACS_RETRIEVE=move). Later studies of hers are scored anew by themselves.

    Exit code 0: all that there is is here; 1: some were not given, or are in quarantine; 2: wrong use; 3: the PACS or this
    machine failed.
    """
    from core.network import pull_priors
    from core.people import OwnAdminNeeded

    here = open_installation()
    try:
        pulled = pull_priors(here, mrn)
    except ValueError as error:
        wrong_use(str(error))
    except OwnAdminNeeded:
        wrong_use(
            "Beside the demo accounts the first real patient needs an admin of your own: "
            "python -m core user add NAME --role admin"
        )
    finally:
        here.close()
    if json:
        print_json(pulled.to_json())
    else:
        results.print(pulled.sentence, markup=False, highlight=False)
        for item in pulled.items:
            if item.text:
                results.print(f"{item.path}: {item.outcome}. {item.text}", markup=False, highlight=False)
    if pulled.cut_short is not None:
        machine_failed(pulled.cut_short)
    if pulled.failed or pulled.count("quarantined"):
        raise typer.Exit(SOME_REFUSED)

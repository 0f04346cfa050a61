"""Listening on the DICOM network: C-ECHO, C-STORE and storage commitment for those who may send.

An object is answered with Success when it is durable, accepted, there already or in quarantine alike: what a study is
wrong in is for people here to put right, and no reason for a modality to send it for ever. Only where the machine fails
the answer is "out of resources" (A700), and the sender keeps the object and sends it again.
"""

from __future__ import annotations

import logging
import threading
import time
from contextlib import suppress
from typing import Any

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID
from pynetdicom import AE, _config, evt
from pynetdicom.association import Association
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.dsutils import encode_file_meta
from pynetdicom.sop_class import StorageCommitmentPushModel, Verification  # type: ignore[attr-defined]

from core.images import lend_reader
from core.incoming import IncomingFile
from core.installation import Installation
from core.logs import log_of
from core.network.callers import callers, check_aet
from core.network.commitment import Commitment, Request
from core.network.delivery import Delivery
from core.network.peer import Limits, Peer, PeerServer
from core.network.tls import listening_context
from core.outages import MachineFailed, outage
from core.people import OwnAdminNeeded, audit
from core.people.needing import SYSTEM_ONLY, needs

__all__ = ["Listener", "file_of", "keep_quiet"]

log = log_of(__name__)

SUCCESS, OUT_OF_RESOURCES, CANNOT_UNDERSTAND, NOT_AUTHORISED = 0x0000, 0xA700, 0xC000, 0x0124
"""Statuses of C-STORE (PS3.4 table B.2-1, PS3.7 annex C)."""
MAXIMUM_PDU_BYTES = 131_072
"""What is announced as the largest PDU: more is sent by few, and brings little."""
_COMMAND_BYTES = 1_000_000
"""Room beside an object for its commands."""
_STOP_SECONDS = 8.0
_REJECTED_PERMANENT, _BY_USER, _CALLER_NOT_RECOGNISED = 0x01, 0x01, 0x03
_SAY_AGAIN_SECONDS = 600.0
_MOST_REMEMBERED = 1000
_IMPLEMENTATION = UID("2.25.148218653419274012731964186540921370514")
_VERSION = "LONGVIEW"


class Listener:
    """A DICOM port of one installation, open from `start` to `stop`.

    Raises `ValueError` for callers, an AE title or a certificate that are none, `OSError` where the port cannot be opened.

    >>> listener = Listener(here, port=11112, aet="LONGVIEW")
    >>> listener.start()
    """

    @needs(SYSTEM_ONLY)
    def __init__(
        self, here: Installation, *, port: int, aet: str | None = None, address: str | None = None
    ) -> None:
        settings = here.settings
        self._here = here
        self.aet = check_aet(aet or settings.listen_aet)
        self.callers = callers(settings.listen_callers)
        self._place = (address or settings.listen_address, port)
        self._deliveries: dict[Association, Delivery] = {}
        self._lock = threading.Lock()
        self._told: dict[tuple[str, str], float] = {}
        self._tls = listening_context(settings)
        self._commitment = Commitment(here, self.aet)
        self._server: PeerServer | None = None

    @property
    def port(self) -> int:
        """Return the port that it listens at."""
        assert self._server is not None
        return int(self._server.server_address[1])

    def start(self) -> None:
        """Open the port; senders are answered in threads of their own."""
        keep_quiet()
        # All storage classes and whatever a vendor calls an object of its own, in each encoding that it comes in: what
        # cannot be read is kept in quarantine, and not turned away at the door where nobody sees it.
        _config.UNRESTRICTED_STORAGE_SERVICE = True
        settings = self._here.settings
        ae = AE(self.aet)
        ae.implementation_class_uid, ae.implementation_version_name = _IMPLEMENTATION, _VERSION
        ae.maximum_pdu_size = MAXIMUM_PDU_BYTES
        ae.maximum_associations = settings.listen_associations
        ae.network_timeout = ae.dimse_timeout = settings.listen_seconds
        ae.acse_timeout = min(30.0, settings.listen_seconds)
        ae.add_supported_context(Verification)
        ae.add_supported_context(StorageCommitmentPushModel, scu_role=True, scp_role=True)
        limits = Limits(settings.listen_seconds, settings.max_file_mb * 1_000_000 + _COMMAND_BYTES)
        server_class = type("Server", (PeerServer,), {"limits": limits})
        server = ae.make_server(
            self._place, evt_handlers=self._handlers(), server_class=server_class, ssl_context=self._tls
        )
        assert isinstance(server, PeerServer)
        ae._servers.append(
            server
        )  # as `AE.start_server` does: it is taken out again when the server shuts down
        self._server = server
        threading.Thread(target=server.serve_forever, args=(0.1,), name="listener", daemon=True).start()
        threading.Thread(target=self._get_ready, name="reader-ahead", daemon=True).start()

    def stop(self) -> None:
        """Close the port: what has arrived whole is taken in and answered, then the associations end."""
        server, self._server = self._server, None
        if server is None:
            return
        open_ = server.active_associations
        server.shutdown()
        deadline = time.monotonic() + _STOP_SECONDS
        for association in open_:
            peer = _peer(association)
            while peer is not None and peer.is_busy and time.monotonic() < deadline:
                time.sleep(0.02)
        time.sleep(0.05)  # an answer is on its way when it is called sent
        for association in open_:
            with suppress(Exception):
                association.abort()
        while self._deliveries and time.monotonic() < deadline:
            time.sleep(0.02)
        self._commitment.close()

    def _get_ready(self) -> None:
        """Start the process that reads files, before the first sender waits for it."""
        try:
            with lend_reader(self._here.settings) as reader:
                reader.start()
        except Exception as error:  # noqa: BLE001 - the first object says it to its sender
            log.warning("nothing can be read yet", kind=type(error).__name__)

    def _handlers(self) -> list[Any]:
        return [
            (evt.EVT_REQUESTED, self._requested),
            (evt.EVT_ESTABLISHED, self._established),
            (evt.EVT_DIMSE_RECV, self._received),
            (evt.EVT_DIMSE_SENT, self._answered),
            (evt.EVT_C_ECHO, self._echo),
            (evt.EVT_C_STORE, self._store),
            (evt.EVT_N_ACTION, self._commit),
        ]

    def _requested(self, event: evt.Event) -> None:
        aet, address = _who(event.assoc)
        if any(caller.fits(aet, address) for caller in self.callers):
            return
        self._tell_refused(aet, address)
        event.assoc.acse.send_reject(_REJECTED_PERMANENT, _BY_USER, _CALLER_NOT_RECOGNISED)
        event.assoc.kill()  # when the sender has got it: the connection is closed behind this

    def _established(self, event: evt.Event) -> None:
        peer = _peer(event.assoc)
        held = event.assoc.dul.socket
        if peer is not None and held is not None:
            held.recv = peer.receive  # type: ignore[method-assign]  # the library has no other way to be told
            peer.begin()

    def _received(self, event: evt.Event) -> None:
        peer = _peer(event.assoc)
        if peer is not None:
            peer.whole()

    def _answered(self, event: evt.Event) -> None:
        peer = _peer(event.assoc)
        if peer is not None:
            peer.done()

    def _echo(self, _event: evt.Event) -> int:
        return SUCCESS

    def _store(self, event: evt.Event) -> Dataset:
        try:
            file = file_of(event)
        except Exception as error:  # noqa: BLE001 - a request without an object, or named so that no file can be made
            log.warning("an object cannot be named", kind=type(error).__name__)
            return _status(CANNOT_UNDERSTAND, "The object's class or UID cannot be read.")
        try:
            self._delivery(event.assoc).deliver(file)
        except OwnAdminNeeded:
            log.warning(
                "an object is not taken", why="beside the demo accounts an admin of one's own is needed"
            )
            return _status(NOT_AUTHORISED, "An admin account of one's own is needed first.")
        except MachineFailed as error:
            log.warning("an object is not taken", why=str(error))
            return _status(OUT_OF_RESOURCES, "The machine cannot keep it now. Send it again.")
        except Exception as error:
            if outage(error) is None:
                log.exception("an object could not be taken in", kind=type(error).__name__)
            return _status(OUT_OF_RESOURCES, "It could not be kept. Send it again.")
        return _status(SUCCESS)

    def _commit(self, event: evt.Event) -> tuple[int, None]:
        aet, address = _who(event.assoc)
        known = next((caller for caller in self.callers if caller.fits(aet, address) and caller.port), None)
        back = (address, known.port) if known is not None and known.port else None
        return self._commitment.ask(Request(event, aet, back)), None

    def _delivery(self, association: Association) -> Delivery:
        with self._lock:
            found = self._deliveries.get(association)
            if found is None:
                aet, address = _who(association)
                found = Delivery(self._here, source="dicom", sender=f"{aet}@{address}")
                self._deliveries[association] = found
                # However the association ends, its thread does, and the delivery after it.
                threading.Thread(target=self._end_with, args=(association, found), daemon=True).start()
            return found

    def _end_with(self, association: Association, delivery: Delivery) -> None:
        association.join()
        delivery.close()
        with self._lock:
            del self._deliveries[association]

    def _tell_refused(self, aet: str, address: str) -> None:
        """Write down who was turned away: each once in a while, or a stranger could fill the trail."""
        now = time.monotonic()
        with self._lock:
            if now - self._told.get((aet, address), -_SAY_AGAIN_SECONDS) < _SAY_AGAIN_SECONDS:
                return
            if len(self._told) >= _MOST_REMEMBERED:
                self._told.clear()
            self._told[aet, address] = now
        log.warning("a sender is not known", aet=aet, address=address)
        try:
            audit.note(self._here, None, "sender_refused", f"sender:{aet}@{address}")
        except Exception as error:  # noqa: BLE001 - the sender is turned away all the same
            log.warning("a refused sender is not written down", kind=type(error).__name__)


def _who(association: Association) -> tuple[str, str]:
    """Return AE title and address of a sender, as they can be shown."""
    said = association.requestor
    title = said.primitive.calling_ae_title if said.primitive is not None else ""
    aet = "".join(c if c.isprintable() else "?" for c in str(title or "")).strip()
    return aet, str(said.address)


def _peer(association: Association) -> Peer | None:
    held = getattr(association.dul.socket, "socket", None)
    return held if isinstance(held, Peer) else None


def file_of(event: evt.Event) -> IncomingFile:
    """Return an object as a file: its data set bit by bit as it came, behind a header that is the same for every sender."""
    request = event.request
    if not isinstance(request, C_STORE) or request.DataSet is None:
        raise ValueError("There is no object in it.")
    uid = UID(str(request.AffectedSOPInstanceUID))
    meta = FileMetaDataset()
    meta.FileMetaInformationVersion = b"\x00\x01"
    meta.MediaStorageSOPClassUID = UID(str(request.AffectedSOPClassUID))
    meta.MediaStorageSOPInstanceUID = uid
    meta.TransferSyntaxUID = event.context.transfer_syntax
    meta.ImplementationClassUID = _IMPLEMENTATION
    meta.ImplementationVersionName = _VERSION
    data = b"".join((bytes(128), b"DICM", encode_file_meta(meta), request.DataSet.getvalue()))
    return IncomingFile(f"{uid}.dcm", data, sop_uid=str(uid)[:64])


def _status(code: int, comment: str = "") -> Dataset:
    answer = Dataset()
    answer.Status = code
    if comment:
        answer.ErrorComment = comment[:64]
    return answer


def keep_quiet() -> None:
    """Keep the library from writing what it was sent into the log."""
    _config.LOG_HANDLER_LEVEL = "none"
    for name in ("pynetdicom", "pydicom"):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)

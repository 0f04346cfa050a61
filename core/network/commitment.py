"""Storage commitment (PS3.4 annex J, push model): a sender asks whether what it sent is safe, and may then delete it.

The question is answered at once, and what it asks for by an event report a moment later: on the same association while the
sender keeps it open, else on a new one to the address where the sender is known to listen.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

from pydicom.dataset import Dataset
from pynetdicom import AE, evt
from pynetdicom.association import Association
from pynetdicom.pdu_primitives import SCP_SCU_RoleSelectionNegotiation
from pynetdicom.sop_class import StorageCommitmentPushModel  # type: ignore[attr-defined]

from core.installation import Installation
from core.logs import log_of
from core.network.held import held
from core.network.tls import asking_context
from core.outages import outage
from core.people import audit

__all__ = ["Commitment", "Request"]

log = log_of(__name__)

PUSH_MODEL_INSTANCE = "1.2.840.10008.1.20.1.1"
_REQUEST_COMMITMENT = 1
_ALL_SAFE, _SOME_ARE_NOT = 1, 2
_SUCCESS, _INVALID, _NO_SUCH_ACTION, _RESOURCES = 0x0000, 0x0115, 0x0123, 0x0213
_NO_SUCH_OBJECT = 0x0112
_MOST_OBJECTS = 10_000
_MOST_AT_ONCE = 16
_PATIENCE_SECONDS = 1.0
"""How long the sender has to end the association before the report goes out on it."""
_AGAIN_AFTER_SECONDS = (0.0, 5.0, 30.0)


@dataclass
class Request:
    """A question as it came: its event, who asks, and where that one listens itself (address and port), if known."""

    event: evt.Event
    aet: str
    back: tuple[str, int] | None


@dataclass(frozen=True)
class _Asked:
    transaction: str
    objects: tuple[tuple[str, str], ...]


class Commitment:
    """Answers what senders ask; reports go out in threads of their own."""

    def __init__(self, here: Installation, aet: str) -> None:
        self._here, self._aet = here, aet
        self._room = threading.BoundedSemaphore(_MOST_AT_ONCE)
        self._closing = threading.Event()

    def ask(self, request: Request) -> int:
        """Take a question, and return the status that it is answered with."""
        if request.event.action_type != _REQUEST_COMMITMENT:
            return _NO_SUCH_ACTION
        try:
            asked = _asked(request.event.action_information)
        except Exception:  # noqa: BLE001 - pydicom raises anything for a data set that is none
            return _INVALID
        if not self._room.acquire(blocking=False):
            return _RESOURCES
        threading.Thread(target=self._answer, args=(request, asked), name="commitment", daemon=True).start()
        return _SUCCESS

    def close(self) -> None:
        """Send nothing any more; a sender that got no report asks again."""
        self._closing.set()

    def _answer(self, request: Request, asked: _Asked) -> None:
        try:
            kind, report = self._report(asked)
            self._send(request, kind, report)
        except Exception as error:  # noqa: BLE001 - without a report the sender keeps its objects, and asks again
            log.warning("a storage commitment is not reported", kind=type(error).__name__, why=outage(error))
        finally:
            self._room.release()

    def _report(self, asked: _Asked) -> tuple[int, Dataset]:
        safe = held(self._here, (uid for _, uid in asked.objects))
        report = Dataset()
        report.TransactionUID = asked.transaction
        report.RetrieveAETitle = self._aet
        report.ReferencedSOPSequence = [_item(*one) for one in asked.objects if one[1] in safe]
        lacking = [_item(*one, reason=_NO_SUCH_OBJECT) for one in asked.objects if one[1] not in safe]
        if lacking:
            report.FailedSOPSequence = lacking
        return (_SOME_ARE_NOT if lacking else _ALL_SAFE), report

    def _send(self, request: Request, kind: int, report: Dataset) -> None:
        safe, lacking = len(report.ReferencedSOPSequence), len(report.get("FailedSOPSequence", ()))
        association = request.event.assoc
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while association.is_established and time.monotonic() < deadline:
            time.sleep(0.02)
        sent = association.is_established and _reported(association, kind, report)
        for seconds in () if sent or request.back is None else _AGAIN_AFTER_SECONDS:
            if self._closing.wait(seconds):
                return
            sent = self._call_back(request.aet, request.back, kind, report)
            if sent:
                break
        log.info("storage commitment", safe=safe, lacking=lacking, reported=sent)
        detail = {"safe": safe, "lacking": lacking, "reported": sent}
        audit.note(self._here, None, "storage_commitment", f"sender:{request.aet}", detail)

    def _call_back(self, aet: str, place: tuple[str, int] | None, kind: int, report: Dataset) -> bool:
        assert place is not None
        ae = AE(self._aet)
        ae.acse_timeout = ae.dimse_timeout = ae.network_timeout = ae.connection_timeout = 15
        ae.add_requested_context(StorageCommitmentPushModel)
        role = SCP_SCU_RoleSelectionNegotiation()
        role.sop_class_uid = StorageCommitmentPushModel
        role.scu_role, role.scp_role = False, True
        # A sender that comes over TLS is called back over it.
        settings = self._here.settings
        secure = (asking_context(settings), place[0]) if settings.listen_tls else None
        association = ae.associate(*place, ae_title=aet, ext_neg=[role], tls_args=secure)
        if not association.is_established:
            return False
        try:
            return _reported(association, kind, report)
        finally:
            association.release()


def _reported(association: Association, kind: int, report: Dataset) -> bool:
    try:
        status, _ = association.send_n_event_report(
            report, kind, StorageCommitmentPushModel, PUSH_MODEL_INSTANCE
        )
    except (RuntimeError, ValueError):  # it has ended meanwhile, or does not take reports
        return False
    return bool("Status" in status)


def _asked(information: Dataset) -> _Asked:
    """Return what is asked for; raises whatever pydicom does, and `ValueError`."""
    objects = tuple(
        (str(item.ReferencedSOPClassUID), str(item.ReferencedSOPInstanceUID))
        for item in information.ReferencedSOPSequence
    )
    if not objects or len(objects) > _MOST_OBJECTS:
        raise ValueError("Nothing is asked for, or too much at once.")
    return _Asked(str(information.TransactionUID), objects)


def _item(sop_class: str, sop_uid: str, *, reason: int | None = None) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = sop_class, sop_uid
    if reason is not None:
        item.FailureReason = reason
    return item

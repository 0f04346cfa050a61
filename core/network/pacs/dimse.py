"""A PACS asked on the DICOM network: C-FIND for what it has, C-GET or C-MOVE for the objects."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from pydicom.dataset import Dataset
from pydicom.uid import (
    JPEG2000,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)
from pynetdicom import AE, build_role, evt
from pynetdicom.association import Association
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
)

from core.installation import Installation
from core.network.listening import Listener, file_of, keep_quiet
from core.network.pacs.remote import PacsFailed, RemoteObject, in_series, is_wanted, query_of
from core.network.peek import uid
from core.network.tls import asking_context

__all__ = ["DimsePacs"]

_SECONDS = 60.0
_PENDING = (0xFF00, 0xFF01)
_SUCCESS, _SOME_FAILED = 0x0000, 0xB000
_AT_ONCE = 50
_MOST_CLASSES = 12
_ENCODINGS: tuple[list[str], ...] = (
    [ExplicitVRLittleEndian, ImplicitVRLittleEndian],
    [JPEGLosslessSV1],
    [JPEGLossless],
    [JPEG2000Lossless],
    [JPEG2000],
    [JPEGLSLossless],
    [RLELossless],
    [JPEGExtended12Bit],
    [JPEGBaseline8Bit],
)
"""One context each, so that the PACS sends an object as it keeps it (at most 128 contexts in all)."""


class DimsePacs:
    """A PACS by AE title, address and port."""

    def __init__(self, here: Installation) -> None:
        settings = here.settings
        assert settings.pacs_aet
        assert settings.pacs_host
        self._here = here
        self._place = (settings.pacs_host, settings.pacs_port)
        self._aet = settings.pacs_aet
        self.name = f"{settings.pacs_aet}@{settings.pacs_host}:{settings.pacs_port}"
        # Looked at before anything is asked, so that a file that is missing is named.
        self._tls = (asking_context(settings), settings.pacs_host) if settings.pacs_tls else None
        keep_quiet()

    def search(self, mrn: str, modalities: Sequence[str]) -> Iterator[RemoteObject]:
        """Yield the objects of these modalities that it has under an MRN."""
        keys = {"PatientID": query_of(mrn), "IssuerOfPatientID": "", "StudyInstanceUID": "", "StudyDate": ""}
        keys["StudyDescription"] = ""
        with self._associated([(StudyRootQueryRetrieveInformationModelFind, None)]) as association:
            for study in self._find(association, "STUDY", keys):
                of_study = {"StudyInstanceUID": str(study.StudyInstanceUID)}
                more = {
                    "SeriesInstanceUID": "",
                    "Modality": "",
                    "BodyPartExamined": "",
                    "SeriesDescription": "",
                }
                for series in self._find(association, "SERIES", {**of_study, **more}):
                    part, described = (
                        str(series.get("BodyPartExamined") or ""),
                        [
                            str(of.get(keyword) or "")
                            for of, keyword in ((series, "SeriesDescription"), (study, "StudyDescription"))
                        ],
                    )
                    modality = str(series.get("Modality") or "")
                    if not is_wanted(modality, part, described, modalities=modalities):
                        continue
                    of_series = {**of_study, "SeriesInstanceUID": str(series.SeriesInstanceUID)}
                    more = {"SOPInstanceUID": "", "SOPClassUID": ""}
                    for image in self._find(association, "IMAGE", {**of_series, **more}):
                        if uid(image.get("SOPInstanceUID")) is not None:
                            yield _object(study, series, image)

    def fetch(self, wanted: Sequence[RemoteObject]) -> Iterator[tuple[str, bytes | None]]:
        """Yield each object that comes: here by C-GET, or without bytes by C-MOVE, when the listener has it."""
        if self._here.settings.pacs_retrieve == "move":
            yield from self._move(wanted)
        else:
            yield from self._get(wanted)

    def _get(self, wanted: Sequence[RemoteObject]) -> Iterator[tuple[str, bytes | None]]:
        came: queue.SimpleQueue[tuple[str, bytes] | Exception | None] = queue.SimpleQueue()
        # One at a time: what has come waits for who takes it, and the PACS for both.
        room = threading.Semaphore(2)
        stopped = threading.Event()

        def store(event: evt.Event) -> int:
            while not room.acquire(timeout=0.5):
                if stopped.is_set():
                    return 0xA700
            file = file_of(event)
            came.put((file.sop_uid or "", file.data))
            return _SUCCESS

        def ask() -> None:
            try:
                self._get_all(wanted, store)
                came.put(None)
            except Exception as error:  # noqa: BLE001 - handed to who waits
                came.put(error)

        threading.Thread(target=ask, name="C-GET", daemon=True).start()
        try:
            while (one := came.get()) is not None:
                if isinstance(one, Exception):
                    raise one
                yield one
                room.release()
        finally:
            stopped.set()

    def _get_all(self, wanted: Sequence[RemoteObject], store: Any) -> None:
        classes = sorted({one.sop_class for one in wanted if one.sop_class})
        for first in range(0, len(classes), _MOST_CLASSES):
            some = classes[first : first + _MOST_CLASSES]
            contexts: list[tuple[str, list[str] | None]] = [(StudyRootQueryRetrieveInformationModelGet, None)]
            contexts += [(sop_class, encoding) for sop_class in some for encoding in _ENCODINGS]
            handlers = [(evt.EVT_C_STORE, store)]
            with self._associated(contexts, roles=some, handlers=handlers) as association:
                for part in in_series((one for one in wanted if one.sop_class in some), _AT_ONCE):
                    answers = association.send_c_get(
                        _asked_for(part), StudyRootQueryRetrieveInformationModelGet
                    )
                    self._until_done(answers)

    def _move(self, wanted: Sequence[RemoteObject]) -> Iterator[tuple[str, bytes | None]]:
        settings = self._here.settings
        if settings.listen_port is None:
            raise PacsFailed(
                "To be sent priors by C-MOVE, set LONGVIEW_LISTEN_PORT to where the PACS sends them."
            )
        own: Listener | None = Listener(self._here, port=settings.listen_port)
        assert own is not None
        try:
            own.start()
        except OSError:
            own = (
                None  # it is taken: by the listener of this installation, which keeps what comes just as well
            )
        try:
            with self._associated([(StudyRootQueryRetrieveInformationModelMove, None)]) as association:
                for part in in_series(wanted, _AT_ONCE):
                    answers = association.send_c_move(
                        _asked_for(part), settings.listen_aet, StudyRootQueryRetrieveInformationModelMove
                    )
                    self._until_done(answers)
                    for one in part:
                        yield one.sop_uid, None
        finally:
            if own is not None:
                own.stop()

    @contextmanager
    def _associated(
        self,
        contexts: Sequence[tuple[str, list[str] | None]],
        *,
        roles: Sequence[str] = (),
        handlers: Sequence[Any] = (),
    ) -> Iterator[Association]:
        ae = AE(self._here.settings.listen_aet)
        ae.acse_timeout = ae.connection_timeout = 15.0
        ae.dimse_timeout = ae.network_timeout = _SECONDS
        for abstract, encoding in contexts:
            if encoding is None:
                ae.add_requested_context(abstract)
            else:
                ae.add_requested_context(abstract, encoding)
        association = ae.associate(
            *self._place,
            ae_title=self._aet,
            ext_neg=[build_role(sop_class, scp_role=True) for sop_class in roles],
            evt_handlers=list(handlers),
            tls_args=self._tls,
        )
        if not association.is_established:
            raise PacsFailed(self._not_let_in(association))
        try:
            yield association
            association.release()
        except BaseException:
            association.abort()
            raise

    def _not_let_in(self, association: Association) -> str:
        said = "does not let this installation in" if association.is_rejected else "cannot be reached"
        over = " over TLS" if self._tls and not association.is_rejected else ""
        check = f"Check that it runs and knows {self._here.settings.listen_aet}"
        if over:
            check += ", and that LONGVIEW_TLS_CA signed its certificate, which names LONGVIEW_PACS_HOST"
        return f"The PACS {self.name} {said}{over}. {check}, then repeat."

    def _find(self, association: Association, level: str, keys: dict[str, str]) -> list[Dataset]:
        """Ask, and return all answers: the next question can be put on the same association only after the last one."""
        asked = Dataset()
        asked.QueryRetrieveLevel = level
        for keyword, value in keys.items():
            setattr(asked, keyword, value)
        found = []
        try:
            for status, answer in association.send_c_find(asked, StudyRootQueryRetrieveInformationModelFind):
                code = status.get("Status")
                if code in _PENDING:
                    if answer is not None:
                        found.append(answer)
                elif code != _SUCCESS:
                    raise self._refuses("C-FIND", code)
        except (
            ValueError,
            RuntimeError,
        ) as error:  # the context was not accepted, or the association has ended
            raise self._refuses("C-FIND", None) from error
        return found

    def _until_done(self, answers: Iterator[tuple[Dataset, Dataset | None]]) -> None:
        try:
            for status, _ in answers:
                code = status.get("Status")
                # Which of them have failed is seen by what has come.
                if code not in (*_PENDING, _SUCCESS, _SOME_FAILED):
                    raise self._refuses("the transfer", code)
        except (ValueError, RuntimeError) as error:
            raise self._refuses("the transfer", None) from error

    def _refuses(self, what: str, code: int | None) -> PacsFailed:
        why = "it does not answer" if code is None else f"status {code:04X}"
        return PacsFailed(f"The PACS {self.name} refuses {what} ({why}).")


def _object(study: Dataset, series: Dataset, image: Dataset) -> RemoteObject:
    return RemoteObject(
        patient_id=str(study.get("PatientID") or "").strip(),
        issuer=str(study.get("IssuerOfPatientID") or "").strip(),
        study_uid=str(study.StudyInstanceUID),
        study_date=str(study.get("StudyDate") or ""),
        series_uid=str(series.SeriesInstanceUID),
        modality=str(series.get("Modality") or ""),
        sop_uid=str(image.SOPInstanceUID),
        sop_class=str(image.get("SOPClassUID") or ""),
    )


def _asked_for(some: Sequence[RemoteObject]) -> Dataset:
    asked = Dataset()
    asked.QueryRetrieveLevel = "IMAGE"
    asked.StudyInstanceUID, asked.SeriesInstanceUID = some[0].study_uid, some[0].series_uid
    asked.SOPInstanceUID = [one.sop_uid for one in some]
    return asked

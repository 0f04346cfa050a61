"""The DICOM port: what is answered with Success is here, whoever sends it, however, and whatever it is."""

import io
import shutil
import socket
import struct
import subprocess
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pydicom
import pytest
from pydicom.uid import (
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    RLELossless,
)
from pynetdicom import AE, evt
from pynetdicom.sop_class import (
    CTImageStorage,
    DigitalMammographyXRayImageStorageForPresentation,
    StorageCommitmentPushModel,
    Verification,
)
from sqlalchemy import select

from core.incoming import IncomingFile, take_in
from core.network import Listener, callers, held
from core.people import audit
from core.people.demo_accounts import ensure_demo_accounts
from db.tables import Image, ImportBatch, ImportItem, Outcome, Patient, Study, StudyStatus
from tests import engines
from tests.core.network.conftest import Orthanc, mammogram

MG = DigitalMammographyXRayImageStorageForPresentation
STORESCU = shutil.which("storescu")


def send(port, *files, classes=(MG,), aet="MAMMO1", syntaxes=(ExplicitVRLittleEndian,)):
    """Send files on one association, and return the statuses."""
    ae = AE(aet)
    for sop_class in classes:
        for syntax in syntaxes:
            ae.add_requested_context(sop_class, syntax)
    association = ae.associate("127.0.0.1", port)
    assert association.is_established
    statuses = [association.send_c_store(pydicom.dcmread(io.BytesIO(file))).Status for file in files]
    association.release()
    return statuses


def rows(here, what):
    with here.database.read() as session:
        return session.scalars(select(what)).all()


def wait_until(holds, seconds=20.0):
    deadline = time.monotonic() + seconds
    while not (found := holds()):
        assert time.monotonic() < deadline, "it never came to hold"
        time.sleep(0.02)
    return found


def encoded(syntax) -> bytes:
    data = pydicom.dcmread(io.BytesIO(mammogram()))
    file = io.BytesIO()
    if syntax.is_compressed:
        data.compress(syntax, generate_instance_uid=False)
        data.save_as(file, enforce_file_format=True)
        return file.getvalue()
    if not syntax.is_little_endian:
        data.PixelData = data.pixel_array.astype(">u2").tobytes()
    data.file_meta.TransferSyntaxUID = syntax
    way = {"implicit_vr": syntax.is_implicit_VR, "little_endian": syntax.is_little_endian}
    pydicom.dcmwrite(file, data, **way, force_encoding=True)
    return file.getvalue()


def test_echo_is_answered(listener):
    ae = AE("ANYBODY")
    ae.add_requested_context(Verification)
    association = ae.associate("127.0.0.1", listener.port)
    assert association.send_c_echo().Status == 0x0000
    association.release()


def test_a_stored_study_is_here_with_its_sender_and_its_data_set_as_it_came(here, listener):
    files = [mammogram(0), mammogram(1)]
    assert send(listener.port, *files) == [0, 0]
    images = rows(here, Image)
    assert [(i.laterality, i.view) for i in images] == [("L", "CC"), ("L", "MLO")]
    for image, file in zip(images, files, strict=True):
        kept = here.images.get(image.sha256)
        assert kept[-50_000:] == file[-50_000:]
        assert pydicom.dcmread(io.BytesIO(kept)) == pydicom.dcmread(io.BytesIO(file))
    (study,) = rows(here, Study)
    assert study.status is StudyStatus.PENDING
    wait_until(lambda: rows(here, ImportBatch)[0].finished_at)
    (batch,) = rows(here, ImportBatch)
    assert (batch.source, batch.sender) == ("dicom", "MAMMO1@127.0.0.1")
    entries = audit.latest(here)
    assert {"import_begun", "import_finished"} <= {entry.action for entry in entries}
    assert all("MAMMO1@127.0.0.1" in entry.detail for entry in entries if entry.action.startswith("import"))


@pytest.mark.parametrize(
    "syntax",
    [ImplicitVRLittleEndian, ExplicitVRBigEndian, RLELossless, JPEG2000Lossless],
    ids=lambda uid: uid.keyword,
)
def test_every_encoding_is_taken_and_is_the_same_picture(here, listener, syntax):
    take_in(here, [IncomingFile("from a CD", mammogram())], statement=None, source="cli")
    assert send(listener.port, encoded(syntax), syntaxes=(syntax,)) == [0]
    assert Counter(item.outcome for item in rows(here, ImportItem)) == {"accepted": 1, "duplicate": 1}


def test_sent_twice_is_there_once(here, listener):
    assert send(listener.port, mammogram(), mammogram()) == [0, 0]
    assert send(listener.port, mammogram(), aet="ARCHIVE") == [0]
    assert len(rows(here, Image)) == 1
    assert [item.outcome for item in rows(here, ImportItem)] == ["accepted", "duplicate", "duplicate"]


def test_what_is_wrong_with_a_study_is_kept_in_quarantine_and_answered_with_success(here, listener):
    of_nobody = mammogram(PatientID=None)
    another = mammogram(7, SOPClassUID=CTImageStorage, Modality="CT", SOPInstanceUID="1.2.3.4")
    other_content = mammogram(1, SOPInstanceUID=pydicom.dcmread(io.BytesIO(mammogram(0))).SOPInstanceUID)
    files = [of_nobody, another, mammogram(0), other_content]
    assert send(listener.port, *files, classes=(MG, CTImageStorage)) == [0, 0, 0, 0]
    items = rows(here, ImportItem)
    assert [item.reason for item in items] == ["no_identity", items[1].reason, None, "uid_conflict"]
    for item in items:
        if item.outcome is Outcome.QUARANTINED:
            assert item.reason
            assert item.sha256 in here.quarantine
            assert item.path == f"{item.sop_uid}.dcm"


def test_garbage_in_a_data_set_is_kept_and_a_private_class_is_no_stranger(here, listener):
    ae = AE("VENDOR")
    private = "1.3.12.2.1107.5.9.1"
    ae.add_requested_context(private, ["1.2.752.24.3.7.6"])
    ae.add_requested_context(MG, ExplicitVRLittleEndian)
    association = ae.associate("127.0.0.1", listener.port)
    assert [cx.abstract_syntax for cx in association.accepted_contexts] == [private, MG]
    for number, garbage in enumerate((b"\0", b"\xff" * 5000, b"\x08\x00\x18\x00UI\xff\xff" + b"x" * 100)):
        status = raw_store(association, MG, f"1.2.3.{number + 1}", garbage)
        assert status in (0x0000, 0xC000), number
    association.release()
    kept = rows(here, ImportItem)
    assert {item.outcome for item in kept} == {Outcome.QUARANTINED}
    assert send(listener.port, mammogram()) == [0]


def raw_store(association, sop_class, sop_uid, data: bytes) -> int:
    """Store bytes that are no data set, as a broken sender does."""
    from pynetdicom.dimse_primitives import C_STORE

    request = C_STORE()
    request.MessageID = 1
    request.AffectedSOPClassUID, request.AffectedSOPInstanceUID = sop_class, sop_uid
    request.Priority = 2
    request.DataSet = io.BytesIO(data)
    context = next(cx for cx in association.accepted_contexts if cx.abstract_syntax == sop_class)
    association._reactor_checkpoint.clear()
    while not association._is_paused:
        time.sleep(0.001)
    association.dimse.send_msg(request, context.context_id)
    _, answer = association.dimse.get_msg(block=True)
    association._reactor_checkpoint.set()
    return int(answer.Status)


def test_several_senders_at_once_lose_nothing(here, listener):
    def sender(number: int) -> list[int]:
        files = [mammogram(n, mrn=f"S{number}") for n in range(6)]
        return send(listener.port, *files, aet=f"MAMMO{number}")

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(sender, range(4))) == [[0] * 6] * 4
    assert len(rows(here, Image)) == 24
    assert len(rows(here, Patient)) == 4
    wait_until(lambda: all(batch.finished_at for batch in rows(here, ImportBatch)))


def test_a_sender_that_is_not_listed_is_rejected_and_written_down(here):
    strict = replace_settings(here, listen_callers="MAMMO1@127.0.0.1, *@10.0.0.0/8")
    listener = Listener(strict, port=0)
    listener.start()
    try:
        assert send(listener.port, mammogram()) == [0]
        for _ in range(2):
            ae = AE("STRANGER")
            ae.add_requested_context(Verification)
            association = ae.associate("127.0.0.1", listener.port)
            assert association.is_rejected
        refused = [entry for entry in audit.latest(here) if entry.action == "sender_refused"]
        assert [entry.subject for entry in refused] == ["sender:STRANGER@127.0.0.1"]
    finally:
        listener.stop()


def replace_settings(here, **values):
    return replace(here, settings=here.settings.model_copy(update=values))


@pytest.mark.parametrize("text", ["MAMMO1", "@10.0.0.1", "A@nowhere", "A@10.0.0.1:70000", "A@10.0.0.0/40", "ABCDEFGHIJKLMNOPQ@10.0.0.1"])  # fmt: skip
def test_a_list_of_senders_that_cannot_be_meant_is_refused_and_named(text):
    with pytest.raises(ValueError, match="LONGVIEW_LISTEN_CALLERS"):
        callers(text)


def test_senders_are_told_by_title_and_address():
    one, net, six = callers("MAMMO1@10.0.4.17:11112, *@10.0.5.0/24,*@[fd00::1]:104")
    assert one.port == 11112
    assert one.fits("MAMMO1 ", "10.0.4.17")
    assert one.fits("MAMMO1", "::ffff:10.0.4.17")
    assert not one.fits("MAMMO2", "10.0.4.17")
    assert not one.fits("MAMMO1", "10.0.4.18")
    assert net.fits("WHOEVER", "10.0.5.250")
    assert not net.fits("WHOEVER", "no address")
    assert six.fits("X", "fd00::1")
    assert (six.port, net.port) == (104, None)


def test_a_machine_that_fails_says_so_and_the_same_object_is_taken_later(here, listener, monkeypatch):
    with monkeypatch.context() as patch:
        engines.let_writes_fail(patch, lambda store, _data: engines.full(store))
        assert send(listener.port, mammogram(0), mammogram(1)) == [0xA700, 0xA700]
    assert rows(here, Image) == []
    assert send(listener.port, mammogram(0), mammogram(1)) == [0, 0]
    assert len(rows(here, Image)) == 2


def test_the_first_real_patient_does_not_come_in_beside_the_demo_alone(here, listener):
    with here.database.write() as session:
        session.add(Patient(mrn="SIM1", simulated=True))
    assert ensure_demo_accounts(here)
    assert send(listener.port, mammogram()) == [0x0124]
    assert rows(here, Image) == []


def test_a_sender_that_breaks_off_leaves_nothing_and_the_port_goes_on(here, listener):
    ae = AE("MAMMO1")
    ae.add_requested_context(MG, ExplicitVRLittleEndian)
    association = ae.associate("127.0.0.1", listener.port)
    dataset = pydicom.dcmread(io.BytesIO(mammogram()))
    dataset.PixelData = bytes(2_000_000)
    sent = 0

    def cut(_event):
        nonlocal sent
        sent += 1
        if sent == 4:
            association.dul.socket.socket.shutdown(socket.SHUT_RDWR)

    association.bind(evt.EVT_PDU_SENT, cut)
    assert "Status" not in association.send_c_store(dataset)
    assert rows(here, Image) == []
    assert send(listener.port, mammogram()) == [0]


def test_bytes_that_are_no_dicom_end_their_connection_only(listener):
    for raw in (
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x04\x00\xff\xff\xff\xff",
        b"\x01\x00\x00\x00\x00\x04abcd",
        b"\x00" * 300,
    ):
        with socket.create_connection(("127.0.0.1", listener.port), 5) as stranger:
            stranger.sendall(raw)
            stranger.shutdown(socket.SHUT_WR)
            stranger.settimeout(10)
            while stranger.recv(4096):
                pass
    test_echo_is_answered(listener)


def test_a_silent_or_dawdling_sender_is_cut_off(here):
    hasty = Listener(replace_settings(here, listen_seconds=0.6), port=0)
    hasty.start()
    try:
        head = struct.pack(">BxL", 1, 5000)
        with socket.create_connection(("127.0.0.1", hasty.port), 5) as silent, socket.create_connection(("127.0.0.1", hasty.port), 5) as dawdling:  # fmt: skip
            silent.sendall(head)
            dawdling.sendall(head)
            deadline = time.monotonic() + 15
            ended = False
            while not ended and time.monotonic() < deadline:
                try:
                    dawdling.sendall(b"x")
                    time.sleep(0.1)
                except OSError:
                    ended = True
            assert ended
            silent.settimeout(10)
            assert silent.recv(100) == b""
        assert send(hasty.port, mammogram()) == [0]
    finally:
        hasty.stop()


def test_an_object_that_is_too_large_ends_the_association_and_is_not_kept(here):
    narrow = Listener(replace_settings(here, max_file_mb=1), port=0)
    narrow.start()
    try:
        ae = AE("MAMMO1")
        ae.add_requested_context(MG, ExplicitVRLittleEndian)
        association = ae.associate("127.0.0.1", narrow.port)
        large = pydicom.dcmread(io.BytesIO(mammogram()))
        large.PixelData = bytes(4_000_000)
        assert "Status" not in association.send_c_store(large)
        assert rows(here, ImportItem) == []
    finally:
        narrow.stop()


def test_stopping_answers_what_has_arrived(here):
    listener = Listener(here, port=0)
    listener.start()
    with ThreadPoolExecutor(1) as pool:
        ae = AE("MAMMO1")
        ae.add_requested_context(MG, ExplicitVRLittleEndian)
        association = ae.associate("127.0.0.1", listener.port)
        sent = [association.send_c_store(pydicom.dcmread(io.BytesIO(mammogram(n)))).Status for n in range(2)]
        pool.submit(listener.stop).result(15)
    assert sent == [0, 0]
    assert len(rows(here, Image)) == 2
    assert all(batch.finished_at for batch in rows(here, ImportBatch))


@pytest.mark.skipif(STORESCU is None, reason="dcmtk is not on this machine: apt-get install dcmtk")
def test_dcmtk_stores_too(here, listener, tmp_path):
    for number in range(3):
        (tmp_path / f"{number}.dcm").write_bytes(mammogram(number))
    arguments = ["-aet", "DCMTK", "-aec", "LONGVIEW", "127.0.0.1", str(listener.port), "+sd", str(tmp_path)]
    subprocess.run([STORESCU, *arguments], check=True, timeout=60, capture_output=True)
    assert len(rows(here, Image)) == 3


def test_commitment_on_the_same_association_says_what_is_safe(here, listener):
    send(listener.port, mammogram(0), mammogram(1, PatientID=None))
    of = [pydicom.dcmread(io.BytesIO(mammogram(n))).SOPInstanceUID for n in range(3)]
    assert held(here, of) == set(of[:2])
    reports = []
    ae = AE("MAMMO1")
    ae.add_requested_context(StorageCommitmentPushModel)
    handlers = [(evt.EVT_N_EVENT_REPORT, lambda event: (reports.append(event) or 0x0000, None))]
    association = ae.associate("127.0.0.1", listener.port, evt_handlers=handlers)
    asked = pydicom.Dataset()
    asked.TransactionUID = "1.2.3.9"
    asked.ReferencedSOPSequence = [item(uid) for uid in of]
    status, _ = association.send_n_action(asked, 1, StorageCommitmentPushModel, "1.2.840.10008.1.20.1.1")
    assert status.Status == 0x0000
    wait_until(lambda: reports)
    (report,) = reports
    assert report.event_type == 2
    assert report.event_information.TransactionUID == "1.2.3.9"
    assert [one.ReferencedSOPInstanceUID for one in report.event_information.ReferencedSOPSequence] == of[:2]
    assert [one.ReferencedSOPInstanceUID for one in report.event_information.FailedSOPSequence] == of[2:]
    association.release()


def item(uid):
    made = pydicom.Dataset()
    made.ReferencedSOPClassUID, made.ReferencedSOPInstanceUID = MG, uid
    return made


def test_orthanc_sends_and_asks_for_commitment(here, orthanc: Orthanc):
    known = replace_settings(here, listen_callers=f"ARCHIVE@127.0.0.1:{orthanc.dicom}")
    listener = Listener(known, port=orthanc.caller_port)
    listener.start()
    try:
        ids = orthanc.keep(mammogram(0), mammogram(1))
        for one in ids:
            orthanc.ask("/modalities/longview/store", one.encode())
        assert len(rows(here, Image)) == 2
        asked = orthanc.ask("/modalities/longview/storage-commitment", {"Resources": ids})
        wait_until(lambda: orthanc.ask(f"/storage-commitment/{asked['ID']}")["Status"] != "Pending")
        report = orthanc.ask(f"/storage-commitment/{asked['ID']}")
        assert (report["Status"], len(report["Success"])) == ("Success", 2)
    finally:
        listener.stop()

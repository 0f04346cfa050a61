"""STOW-RS: what is referenced in the answer is here, what failed is said with its reason."""

import io
import secrets

import pydicom
import pytest

from core.network import NotReadable, NotSupported, Store
from db.tables import Image, ImportBatch, ImportItem
from tests import engines
from tests.core.network.conftest import mammogram
from tests.core.network.test_listening import rows

BOUNDARY = "part-of-it"
TYPE = f'multipart/related; type="application/dicom"; boundary={BOUNDARY}'


def body(*files: bytes, kind: str = "application/dicom") -> bytes:
    parts = [f"\r\n--{BOUNDARY}\r\nContent-Type: {kind}\r\n\r\n".encode() + file for file in files]
    return b"".join(parts) + f"\r\n--{BOUNDARY}--\r\n".encode()


def stored(
    here, message: bytes, *, chunk: int = 1000, content_type: str = TYPE, study_uid: str | None = None
):
    asked = Store(here, content_type, sender="archive@10.0.0.9", study_uid=study_uid)
    try:
        for first in range(0, len(message), chunk):
            asked.feed(message[first : first + chunk])
        return asked.end()
    finally:
        asked.close()


def uids(answer, sequence="00081199") -> list[str]:
    return [
        one["00081155"].get("Value", [""])[0] for one in answer.document.get(sequence, {}).get("Value", [])
    ]


def sop_uid(file: bytes) -> str:
    return str(pydicom.dcmread(io.BytesIO(file)).SOPInstanceUID)


@pytest.mark.parametrize("chunk", [7, 4096, 10_000_000])
def test_what_is_stored_is_referenced_however_the_bytes_come(here, chunk):
    files = [mammogram(0), mammogram(1)]
    answer = stored(here, body(*files), chunk=chunk)
    assert answer.status == 200
    assert uids(answer) == [sop_uid(file) for file in files]
    assert "00081198" not in answer.document
    assert answer.warning is None
    assert [here.images.get(image.sha256) for image in rows(here, Image)] == files
    (batch,) = rows(here, ImportBatch)
    assert (batch.source, batch.sender) == ("stow", "archive@10.0.0.9")
    assert batch.finished_at
    assert stored(here, body(*files)).status == 200
    assert len(rows(here, Image)) == 2


def test_what_waits_in_quarantine_is_kept_and_said(here):
    answer = stored(here, body(mammogram(0), mammogram(1, PatientID=None)))
    assert answer.status == 200
    assert len(uids(answer)) == 2
    assert "1 of them" in answer.warning
    assert [item.reason for item in rows(here, ImportItem)] == [None, "no_identity"]


def test_what_is_no_object_fails_and_the_rest_is_stored(here):
    answer = stored(here, body(b"no object", mammogram(0), secrets.token_bytes(5000)))
    assert answer.status == 202
    assert uids(answer) == [sop_uid(mammogram(0))]
    assert [one["00081197"]["Value"] for one in answer.document["00081198"]["Value"]] == [[0xC000], [0xC000]]
    assert stored(here, body(b"no object")).status == 409


def test_an_object_of_another_study_than_the_address_names_is_not_taken(here):
    study = str(pydicom.dcmread(io.BytesIO(mammogram())).StudyInstanceUID)
    answer = stored(here, body(mammogram(0), mammogram(0, on="20210101")), study_uid=study)
    assert answer.status == 202
    assert uids(answer) == [sop_uid(mammogram(0))]
    assert answer.document["00081198"]["Value"][0]["00081197"]["Value"] == [0xA900]
    assert len(rows(here, Image)) == 1


def test_an_object_larger_than_is_read_fails_and_the_next_is_stored(here):
    here.settings.max_file_mb = 1
    large = mammogram(0)[:-4] + bytes(1_100_000)
    answer = stored(here, body(large, mammogram(1)), chunk=65_536)
    assert answer.status == 202
    assert uids(answer) == [sop_uid(mammogram(1))]


def test_a_machine_that_fails_says_so_for_each_and_asks_to_repeat(here, monkeypatch):
    with monkeypatch.context() as patch:
        engines.let_writes_fail(patch, lambda store, _data: engines.full(store))
        answer = stored(here, body(mammogram(0), mammogram(1)))
    assert answer.status == 503
    assert [one["00081197"]["Value"] for one in answer.document["00081198"]["Value"]] == [[0xA700], [0xA700]]
    assert stored(here, body(mammogram(0), mammogram(1))).status == 200


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "application/dicom",
        "multipart/related",
        "multipart/form-data; boundary=x",
        'multipart/related; type="application/dicom+json"; boundary=x',
    ],
)
def test_another_media_type_is_not_taken(here, content_type):
    with pytest.raises(NotSupported):
        stored(here, body(mammogram()), content_type=content_type)


def test_a_message_that_breaks_off_keeps_what_came_whole(here):
    whole = body(mammogram(0), mammogram(1))
    for message in (b"", b"no message at all", whole[: len(whole) * 3 // 4], b"\r\n--" + b"x" * 90_000):
        with pytest.raises(NotReadable):
            stored(here, message)
    assert len(rows(here, Image)) == 1
    assert all(batch.finished_at for batch in rows(here, ImportBatch))


def test_parts_without_end_and_headers_without_end_are_refused(here):
    endless = f"--{BOUNDARY}\r\nContent-Type: ".encode() + b"x" * 40_000
    with pytest.raises(NotReadable):
        stored(here, endless, chunk=1000)

"""Names that no file should have: each file is answered, under a name that can be shown, stored and sent on."""

import io
import json
import os
import struct
import zipfile
from pathlib import Path

import pytest
from sqlalchemy import select

from core.incoming import printable_name
from core.incoming.files import gather
from core.incoming.intake import take_in
from core.incoming.items import IncomingFile
from db.tables import Image, ImportItem
from tests.pictures import breast, dicom

NAMES = [
    "scan\udcff.dcm",
    "\ud800.dcm",
    "nul\0.dcm",
    "\u202egnp.mcd",
    "line\nbreak\r\t\x1b[31m.dcm",
    "/absolute/../up.dcm",
    "C:\\\\share\\x.dcm",
    "x" * 4000 + ".dcm",
    "",
    " ",
    "\U000e0041\u200b\ufeff",
    "山田 花子.dcm",
]


def shown(report) -> list[str]:
    """Return the names of a report that is valid UTF-8 and can be put on one line each."""
    sent = json.dumps(report.to_json(), ensure_ascii=False).encode("utf-8")
    paths = [item["path"] for item in json.loads(sent)["items"]]
    assert not any(c in path for path in paths for c in "\0\n\r\x1b\u202e")
    return paths


def test_every_file_is_answered_and_kept_whatever_it_is_called(here):
    small = [breast(seed=n, rows=200, columns=150) for n in range(len(NAMES))]
    files = [
        IncomingFile(name, dicom(film, StudyInstanceUID="1.2"))
        for name, film in zip(NAMES, small, strict=True)
    ]
    files += [IncomingFile(name, b"junk") for name in NAMES]
    report = take_in(here, files, statement=None, source="cli")
    assert report.counts() == {"accepted": len(NAMES), "duplicate": 0, "quarantined": len(NAMES)}
    paths = shown(report)
    assert len(set(paths)) == len(NAMES), "different names stay different"
    with here.database.read() as session:
        assert session.scalars(select(ImportItem.path).order_by(ImportItem.id)).all() == paths
        for name in session.scalars(select(Image.source_name)):
            assert printable_name(name) == name


def test_files_on_disk_whose_names_are_no_utf_8_are_taken_in(here, tmp_path):
    folder = tmp_path / "odd"
    folder.mkdir()
    for number, name in enumerate([b"a\xff\xfe.dcm", b"a\xff\xfd.dcm", b"new\nline.dcm"]):
        film = breast(seed=number, rows=200, columns=150)
        Path(os.fsdecode(os.fsencode(folder) + b"/" + name)).write_bytes(dicom(film, StudyInstanceUID="1.2"))
    report = take_in(here, gather([folder], max_file_mb=10), statement=None, source="cli")
    assert report.count("accepted") == 3
    assert sorted(Path(path).name for path in shown(report)) == [
        r"a\xff\xfd.dcm",
        r"a\xff\xfe.dcm",
        r"new\x0aline.dcm",
    ]


def test_a_printable_name_is_left_alone_and_printing_twice_changes_nothing():
    assert printable_name("Zoë – 山田\u3000花子.dcm") == "Zoë – 山田\u3000花子.dcm"
    assert printable_name("a\udcff\u202e\0\U000e0041") == r"a\xff\u202e\x00\U000e0041"
    for name in NAMES:
        assert printable_name(printable_name(name)) == printable_name(name)


def archive_of(names: list[str]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as made:
        for number, name in enumerate(names):
            made.writestr(name, dicom(breast(seed=number, rows=200, columns=150), StudyInstanceUID="1.2"))
    return file.getvalue()


def test_names_of_an_archive_in_any_way_of_writing_are_answered(here, tmp_path):
    names = ["é.dcm", "/abs.dcm", "../up.dcm", "n" * 4000 + ".dcm", "\u202ex.dcm", "plain.dcm"]
    (tmp_path / "a.zip").write_bytes(archive_of(names))
    report = take_in(here, gather([tmp_path / "a.zip"], max_file_mb=10), statement=None, source="cli")
    assert report.count("accepted") == len(names)
    assert r"a.zip/\u202ex.dcm" in shown(report)


def test_an_archive_that_calls_a_name_utf_8_which_is_none_loses_no_file(here, tmp_path):
    data = archive_of(["é.dcm", "plain.dcm"])
    # 0xFF and 0xFE begin no character in UTF-8; the flag that says UTF-8 stays.
    (tmp_path / "a.zip").write_bytes(data.replace("é.dcm".encode(), b"\xff\xfe.dcm"))
    report = take_in(here, gather([tmp_path / "a.zip"], max_file_mb=10), statement=None, source="cli")
    assert [item.outcome for item in report.items] == ["accepted", "accepted"]
    assert "a.zip/plain.dcm" in shown(report)


@pytest.mark.parametrize("cut", range(0, 46, 5))
def test_an_odd_archive_that_is_damaged_too_is_answered(tmp_path, cut):
    data = archive_of(["é.dcm"]).replace("é.dcm".encode(), b"\xff\xfe.dcm")
    at = data.rindex(b"PK\x01\x02")
    broken = bytearray(data)
    struct.pack_into("<H", broken, at + 28, 0xFFFF) if cut == 0 else broken.__setitem__(
        slice(at + cut, at + cut + 4), b"\xff\xff\xff\xff"
    )
    (tmp_path / "a.zip").write_bytes(broken)
    for file in gather([tmp_path / "a.zip"], max_file_mb=10):
        assert file.refusal is None or file.refusal.reason in ("archive_unsafe", "too_large")


def test_a_path_that_no_disk_can_hold_is_wrong_use(tmp_path):
    with pytest.raises(FileNotFoundError, match="cannot be looked at"):
        gather([tmp_path / ("x" * 4000)], max_file_mb=1)

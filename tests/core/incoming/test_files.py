"""Files as they come: folders, archives, manifests; an archive can do no harm."""

import io
import zipfile
from pathlib import Path

import pytest
from sqlalchemy import select

from core.incoming.files import gather, named_view
from core.incoming.intake import take_in
from db.tables import Patient
from tests.pictures import breast, dicom, png


def archive(entries: dict[str, bytes], **options) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, **options) as made:
        for name, data in entries.items():
            made.writestr(name, data)
    return file.getvalue()


def unpack(folder: Path, name: str, data: bytes, **options):
    """Lay an archive down and list its files."""
    (folder / name).write_bytes(data)
    return gather([folder / name], max_file_mb=10, **options)


def reasons(found) -> dict[str, str | None]:
    return {file.name: file.refusal.reason if file.refusal else None for file in found}


def test_a_folder_gives_its_files_in_order_and_leaves_hidden_ones_out(tmp_path):
    for name in ("b.dcm", "a/z.png", "a/.DS_Store", ".git/config", "__MACOSX/x"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    names = [Path(file.name).relative_to(tmp_path).as_posix() for file in gather([tmp_path], max_file_mb=1)]
    assert names == ["b.dcm", "a/z.png"]


def test_a_file_over_the_limit_is_not_loaded(tmp_path):
    (tmp_path / "big.dcm").write_bytes(bytes(1_000_001))
    (file,) = gather([tmp_path], max_file_mb=1)
    assert file.refusal.reason == "too_large"
    assert file.data == b""


def test_a_path_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        gather([tmp_path / "nowhere"], max_file_mb=1)


def test_an_archive_gives_its_files_and_writes_none(tmp_path, here):
    data = archive({"study/one.dcm": dicom(), "../../escape.dcm": dicom(breast(seed=2)), "/abs.txt": b"x"})
    found = unpack(tmp_path, "a.zip", data)
    report = take_in(here, found, statement=None, source="web")
    assert [item.outcome for item in report.items] == ["accepted", "accepted", "quarantined"]
    assert not list(tmp_path.rglob("escape.dcm"))
    assert not (tmp_path.parent.parent / "escape.dcm").exists()


def test_an_archive_is_known_by_its_bytes(tmp_path):
    (tmp_path / "study.dcm").write_bytes(archive({"one.dcm": dicom()}))
    assert [file.name for file in gather([tmp_path / "study.dcm"], max_file_mb=10)] == ["study.dcm/one.dcm"]


def test_a_zip_bomb_and_a_nested_archive_are_refused(tmp_path):
    bomb = archive({"bomb.dcm": bytes(30_000_000), "inner.zip": archive({"x": b"y"})})
    assert len(bomb) < 100_000
    assert reasons(unpack(tmp_path, "a.zip", bomb)) == {
        "a.zip/bomb.dcm": "too_large",
        "a.zip/inner.zip": "archive_unsafe",
    }


def test_what_unfolds_to_far_too_much_for_a_mammogram_is_not_unfolded(tmp_path):
    (tmp_path / "a.zip").write_bytes(archive({"bomb.dcm": bytes(60_000_000), "zeros.dcm": bytes(1_000_000)}))
    bomb, zeros = gather([tmp_path / "a.zip"], max_file_mb=200)
    assert (bomb.refusal.reason, bomb.data) == ("archive_unsafe", b"")
    assert "60 MB" in bomb.refusal.detail
    assert zeros.refusal is None


def test_a_name_with_backslashes_is_answered_as_any_other(tmp_path):
    found = unpack(tmp_path, "a.zip", archive({"..\\..\\evil.dcm": b"x", "a\\.DS_Store": b"x"}))
    assert list(reasons(found)) == ["a.zip/..\\..\\evil.dcm"]


def test_an_archive_that_lies_about_its_sizes_unfolds_no_more_than_is_allowed(tmp_path):
    data = archive({"liar.dcm": bytes(30_000_000)})
    said, lie = (30_000_000).to_bytes(4, "little"), (1000).to_bytes(4, "little")
    (file,) = unpack(tmp_path, "a.zip", data.replace(said, lie))
    assert len(file.data) <= 1000 or file.refusal is not None


def test_damaged_and_locked_archives_are_refused(tmp_path):
    data = archive({"one.dcm": dicom(), "two.dcm": dicom()})
    assert reasons(unpack(tmp_path, "cut.zip", data[:-30])) == {"cut.zip": "archive_unsafe"}
    locked = bytearray(archive({"one.dcm": b"x" * 50}))
    locked[locked.index(b"PK\x01\x02") + 8] |= 1
    assert reasons(unpack(tmp_path, "l.zip", bytes(locked))) == {"l.zip/one.dcm": "archive_unsafe"}
    broken = bytearray(data)
    broken[60] ^= 0xFF
    assert "archive_unsafe" in reasons(unpack(tmp_path, "b.zip", bytes(broken))).values()


MANIFEST = (
    "patient_id,study_date,laterality,view,path,birth_date\n"
    "P1,2020-05-01,L,CC,p/one.png,1960-01-01\n"
    "P1,2022-05-01,R,MLO,p/two.png,1960-01-01\n"
    "P2,,L,CC,p/three.png,\n"
    "P3,2020-13-01,L,CC,p/one.png,\n"
    "P4,2020-05-01,L,CC,p/missing.png,\n"
)


def manifest_folder(tmp_path: Path) -> Path:
    tmp_path = tmp_path / "set"
    (tmp_path / "p").mkdir(parents=True)
    for number, (name, side) in enumerate([("one", "L"), ("two", "R"), ("three", "L"), ("unlisted", "L")]):
        (tmp_path / "p" / f"{name}.png").write_bytes(png(breast(side, seed=number)))
    (tmp_path / "manifest.csv").write_text(MANIFEST)
    return tmp_path


@pytest.mark.parametrize("zipped", [False, True])
def test_a_manifest_says_whose_and_what_its_images_are(here, tmp_path, zipped):
    folder = manifest_folder(tmp_path)
    if zipped:
        entries = {f"set/{p.relative_to(folder)}": p.read_bytes() for p in folder.rglob("*.*")}
        found = unpack(tmp_path, "set.zip", archive(entries))
    else:
        found = gather([folder], max_file_mb=10)
    report = take_in(here, found, statement=None, source="cli")
    accepted = [
        (i.patient, i.study_date, i.laterality, i.view) for i in report.items if i.outcome == "accepted"
    ]
    assert accepted == [("P1", "2020-05-01", "L", "CC"), ("P1", "2022-05-01", "R", "MLO")]
    refused = sorted(item.reason for item in report.items if item.outcome == "quarantined")
    assert refused == ["bad_manifest_row", "bad_manifest_row", "no_study_date"]


def test_an_archives_manifest_cannot_name_a_file_outside_it(tmp_path):
    outside = tmp_path / "outside.png"
    outside.write_bytes(png())
    text = "patient_id,study_date,laterality,view,path\n"
    text += "".join(f"P,2020-01-01,L,CC,{path}\n" for path in (outside, "../outside.png", "in.png"))
    found = unpack(tmp_path, "a.zip", archive({"manifest.csv": text.encode(), "in.png": png()}))
    assert reasons(found) == {"a.zip/outside.png": "bad_manifest_row", "a.zip/in.png": None}


def test_a_manifest_marks_simulated_women(here, tmp_path):
    folder = manifest_folder(tmp_path)
    rows = MANIFEST.splitlines()[:2]
    (folder / "manifest.csv").write_text(f"{rows[0]},simulated\n{rows[1]},1\n")
    take_in(here, gather([folder], max_file_mb=10), statement=None, source="cli")
    with here.database.read() as session:
        assert session.scalars(select(Patient.simulated)).all() == [True]


def test_a_persons_word_makes_a_manifest_silent(here, tmp_path):
    found = gather([manifest_folder(tmp_path)], max_file_mb=10, use_manifests=False)
    assert len(found) == 4
    assert all(file.said is None for file in found)
    assert "manifest.csv is left aside" in found.notices[0]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("L-CC.png", ("L", "CC")),
        ("scans/R_MLO.dcm", ("R", "MLO")),
        ("right mlo.jpg", ("R", "MLO")),
        ("lcc.png", ("L", "CC")),
        ("L-XCCL.png", ("L", "XCCL")),
        ("L.png", None),
        ("CC.png", None),
        ("doe-L-CC.png", None),
        ("LCCX.png", None),
        ("IMG_0001.png", None),
    ],
)
def test_a_name_counts_only_if_it_is_side_and_view(name, said):
    assert named_view(name) == said


def test_a_link_in_a_folder_is_followed_within_it_only_and_else_said(tmp_path):
    outside, folder = tmp_path / "outside", tmp_path / "folder"
    for path in (outside / "hers.dcm", folder / "own.dcm", folder / "deep" / "own.dcm"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    for name, to in {
        "a_file": outside / "hers.dcm", "a_folder": outside, "round": folder / "round", "gone": tmp_path / "none",
        "within": folder / "own.dcm", "folder_within": folder / "deep", ".hidden": outside,
    }.items():  # fmt: skip
        (folder / name).symlink_to(to)
    found = {
        Path(name).relative_to(folder).as_posix(): why
        for name, why in reasons(gather([folder], max_file_mb=1)).items()
    }
    assert found == {
        "a_file": "unreadable_path", "a_folder": "unreadable_path", "round": "unreadable_path", "gone": "unreadable_path",
        "own.dcm": None, "deep/own.dcm": None, "within": None,
    }  # fmt: skip
    # A link that a person names is what she means.
    assert len(gather([folder / "a_folder", folder / "a_file"], max_file_mb=1)) == 2


def test_a_manifest_reaches_no_file_through_a_link(tmp_path):
    (tmp_path / "secret.png").write_bytes(b"x")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "one.png").symlink_to(tmp_path / "secret.png")
    (folder / "manifest.csv").write_text(
        "patient_id,study_date,laterality,view,path\nA,2020-01-01,L,CC,one.png\n"
    )
    (file,) = gather([folder], max_file_mb=1)
    assert (file.refusal.reason, file.data) == ("unreadable_path", b"")

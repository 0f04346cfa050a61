"""A restore believes nothing of the file it is given: it fills the home with a whole backup or leaves all as it was."""

import hashlib
import io
import json
import os
import random
import shutil
import stat
import tarfile
import time
from pathlib import Path

import pyrage
import pytest
from sqlalchemy import select

from core.care import BackupError, restore_backup, write_backup
from core.care.left_overs import find_left_overs, sweep
from core.care.verify import verify_objects
from core.incoming.intake import take_in
from core.incoming.items import IncomingFile
from core.installation import Installation
from core.people import audit, sign_ins
from core.people.accounts import create_user
from core.people.roles import Role
from core.sealing import Key
from core.settings import Settings
from db.database import sqlite_module
from db.images import StoreUnavailable
from db.migrate import head
from db.tables import Image, KnownBrowser, SignIn
from tests.killed import run_killed, steps_on_disk
from tests.pictures import breast, dicom

pytestmark = pytest.mark.embedded("a backup is of SQLite and a folder: of others it is their own task")


@pytest.fixture(scope="module")
def made(tmp_path_factory, migrated_database) -> Path:
    """A folder with ``home``, an installation with an image, a file in quarantine and an account, and its ``copy.tar``."""
    folder = tmp_path_factory.mktemp("made")
    (folder / "home").mkdir()
    shutil.copyfile(migrated_database, folder / "home" / "longview.db")
    here = Installation.open(Settings(home=folder / "home", _env_file=None))
    files = [IncomingFile("a", dicom(breast(rows=200, columns=150)))]
    take_in(here, [*files, IncomingFile("junk", b"junk")], statement=None, source="cli")
    create_user(here, "ada", "a long enough pass phrase", Role.ADMIN)
    write_backup(here, folder / "copy.tar")
    here.close()
    return folder


@pytest.fixture
def stocked(made, tmp_path):
    shutil.copytree(made / "home", tmp_path / "stocked")
    here = Installation.open(Settings(home=tmp_path / "stocked", _env_file=None))
    yield here
    here.close()


@pytest.fixture
def copy(made, tmp_path) -> Path:
    (tmp_path / "copies").mkdir()
    return Path(shutil.copy(made / "copy.tar", tmp_path / "copies"))


@pytest.fixture
def place(tmp_path) -> Path:
    """An otherwise empty folder to restore into, so that what is left behind shows."""
    folder = tmp_path / "place"
    folder.mkdir()
    return folder


def refused(copy: Path, place: Path) -> str:
    """Restore, see it refused with nothing left behind, and return what was said."""
    with pytest.raises(BackupError) as caught:
        restore_backup(Settings(home=place / "deep" / "home", _env_file=None), copy)
    assert list(place.iterdir()) == []
    return str(caught.value)


def members(copy: Path) -> dict[str, bytes]:
    with tarfile.open(copy) as archive:
        return {member.name: archive.extractfile(member).read() for member in archive}


def pack(path: Path, files: list[tuple[str | tarfile.TarInfo, bytes]]) -> Path:
    """Write an archive as it may be made up, member by member."""
    with tarfile.open(path, "w") as archive:
        for name, data in files:
            member = tarfile.TarInfo(name) if isinstance(name, str) else name
            member.size = member.size or len(data)
            archive.addfile(member, io.BytesIO(data))
    return path


def with_database(copy: Path, change: str, **said: object) -> Path:
    """Run SQL in a backup's database and make its manifest agree, as whoever makes up a backup would."""
    held = members(copy)
    path = copy.with_name("changed.db")
    path.write_bytes(held["longview.db"])
    connection = sqlite_module().connect(str(path))
    connection.executescript(change)
    connection.close()
    return repacked(copy, held, path.read_bytes(), **said)


def repacked(copy: Path, held: dict[str, bytes], database: bytes, **said: object) -> Path:
    manifest = json.loads(held["manifest.json"]) | {"database_sha256": hashlib.sha256(database).hexdigest()}
    held = {
        **held,
        "manifest.json": json.dumps(manifest | said).encode(),
        "longview.db": database,
    }
    return pack(copy.with_name("made-up.tar"), list(held.items()))


def test_a_restored_installation_is_the_one_that_was_copied_but_nobody_is_signed_in(stocked, place, tmp_path):
    entered = sign_ins.sign_in(stocked, "ada", "a long enough pass phrase")
    write_backup(stocked, tmp_path / "copy.tar")
    settings = Settings(home=place / "home", _env_file=None)
    restore_backup(settings, tmp_path / "copy.tar")

    there = Installation.open(settings)
    assert sign_ins.who(stocked, entered.token) is not None
    assert sign_ins.who(there, entered.token) is None
    with there.database.read() as session:
        assert session.scalars(select(SignIn)).all() == []
    assert sign_ins.sign_in(there, "ada", "a long enough pass phrase").person.username == "ada"
    (entry,) = audit.latest(there, action="restored")
    assert "sign_ins_ended 1" in entry.detail
    assert verify_objects(there).well
    there.close()
    assert [path.name for path in place.iterdir()] == ["home"]


def test_cohorts_that_came_as_tables_and_the_truth_of_simulated_women_come_back(stocked, place, tmp_path):
    kept = {
        "simulated_truth.csv": b"mrn,visible_from\n",
        "cohorts/bcsc/about.json": b"{}",
        "cohorts/bcsc/women.parquet": b"P",
    }
    for name, data in {**kept, "cohorts/.half/about.json": b"{}", "cohorts/bcsc/notes.txt": b""}.items():
        (stocked.home / name).parent.mkdir(parents=True, exist_ok=True)
        (stocked.home / name).write_bytes(data)
    manifest = write_backup(stocked, tmp_path / "b.tar")
    assert set(manifest.beside) == set(kept)
    restore_backup(Settings(home=place, _env_file=None), tmp_path / "b.tar")
    for name, data in kept.items():
        assert (place / name).read_bytes() == data
        assert stat.S_IMODE((place / name).stat().st_mode) == 0o600
    assert sorted(path.name for path in (place / "cohorts").iterdir()) == ["bcsc"]


@pytest.mark.parametrize(
    "name", ["../x.csv", "cohorts/../../x.json", "cohorts/a/b/c.json", "/etc/passwd", "cohorts/A/x.json"]
)
def test_a_manifest_that_names_a_file_elsewhere_is_refused(copy, place, name):
    held = members(copy)
    said = json.loads(held.pop("manifest.json"))
    said["beside"] = {name: hashlib.sha256(b"x").hexdigest()}
    pack(copy, [("manifest.json", json.dumps(said).encode()), *held.items(), (name, b"x")])
    assert "is no backup of Longview" in refused(copy, place)


def test_a_restore_fills_an_empty_folder_and_a_disk_of_its_own(copy, place, monkeypatch):
    settings = Settings(home=place / "home", _env_file=None)
    settings.root.mkdir()
    restore_backup(settings, copy)
    assert {path.name for path in settings.root.iterdir()} == {"longview.db", "images", "quarantine"}

    monkeypatch.setattr(Path, "is_mount", lambda self: self.name == "disk")
    disk = Settings(home=place / "disk", _env_file=None)
    (disk.root / "lost+found").mkdir(parents=True)
    restore_backup(disk, copy)
    assert {path.name for path in disk.root.iterdir()} == {
        "longview.db",
        "images",
        "quarantine",
        "lost+found",
    }


def test_a_backup_and_what_is_restored_from_it_are_for_their_owner_alone(stocked, place, tmp_path):
    before = os.umask(0)
    try:
        write_backup(stocked, tmp_path / "new" / "copy.tar")
        restore_backup(Settings(home=place / "home", _env_file=None), tmp_path / "new" / "copy.tar")
    finally:
        os.umask(before)
    for path in (tmp_path / "new" / "copy.tar", place / "home", *(place / "home").rglob("*")):
        assert not stat.S_IMODE(path.stat().st_mode) & 0o077, path


def test_a_backup_cut_off_anywhere_is_refused_or_whole(copy, place):
    data = copy.read_bytes()
    end = len(data.rstrip(b"\0"))
    chance = random.Random(3)
    cuts = [0, 1, 511, 512, 513, 1024, end - 1, *(chance.randrange(end) for _ in range(30))]
    for cut in cuts:
        copy.write_bytes(data[:cut])
        refused(copy, place)


def test_a_backup_with_other_bytes_anywhere_is_refused_or_whole(copy, place):
    data = copy.read_bytes()
    chance = random.Random(4)
    whole = 0
    for place_of_change in (0, 100, 124, 156, 257, *(chance.randrange(len(data)) for _ in range(40))):
        changed = bytearray(data)
        changed[place_of_change] ^= chance.randrange(1, 256)
        copy.write_bytes(changed)
        home = place / "home"
        try:
            restore_backup(Settings(home=home, _env_file=None), copy)
        except BackupError:
            assert list(place.iterdir()) == []
        else:
            whole += 1  # the byte was padding between files
            shutil.rmtree(home)
    assert whole < 20


def _link(kind: bytes, name: str, to: str) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, to
    return member


def _huge(name: str) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size = 10**12
    return member


@pytest.mark.parametrize(
    "kind",
    [
        "missing object", "missing database", "missing manifest", "extra", "twice", "absolute", "above", "folder",
        "symlink", "hard link", "device", "huge", "huge header", "other object", "compressed", "empty", "no tar",
    ],
)  # fmt: skip
def test_a_made_up_archive_is_refused_and_leaves_nothing(copy, place, kind):
    held = members(copy)
    names = list(held)
    an_object = next(name for name in names if name.startswith("images/"))
    files: list[tuple[str | tarfile.TarInfo, bytes]] = [(name, held[name]) for name in names]
    made_up = copy.with_name("made-up.tar")
    if kind.startswith("missing"):
        gone = {"missing object": an_object, "missing database": "longview.db"}.get(kind, "manifest.json")
        files = [(name, data) for name, data in files if name != gone]
    elif kind == "twice":
        files.append((an_object, held[an_object]))
    elif kind == "other object":
        files = [(name, b"other" if name == an_object else data) for name, data in files]
    elif kind in ("symlink", "hard link"):
        link = _link(tarfile.SYMTYPE if kind == "symlink" else tarfile.LNKTYPE, an_object, "/etc/passwd")
        files = [(link, b"") if name == an_object else (name, data) for name, data in files]
    else:
        odd = {
            "extra": ("images/aa/note.txt", b"x"),
            "absolute": (str(place / "escaped"), b"x"),
            "above": ("../../escaped", b"x"),
            "folder": (_link(tarfile.DIRTYPE, "images", ""), b""),
            "device": (_link(tarfile.CHRTYPE, "images/null", ""), b""),
        }.get(kind)
        files += [odd] if odd else []
    pack(made_up, files)
    if kind in ("huge", "huge header"):
        member = _huge(an_object)
        member.type = tarfile.REGTYPE if kind == "huge" else tarfile.GNUTYPE_LONGNAME
        data = made_up.read_bytes()
        head_of_it = member.tobuf(tarfile.GNU_FORMAT)
        at = 512 + (len(held["manifest.json"]) + 511) // 512 * 512
        made_up.write_bytes(data[:at] + head_of_it + data[at:])
    elif kind == "compressed":
        with tarfile.open(made_up, "w:gz") as archive:
            archive.add(copy, "manifest.json")
    elif kind in ("empty", "no tar"):
        made_up.write_bytes(b"" if kind == "empty" else b"hello" * 1000)
    refused(made_up, place)
    assert not (place.parent / "escaped").exists()


@pytest.mark.parametrize(
    ("name", "header", "said"),
    [
        ("a" * 10_000, {}, "twice, or without naming it"),
        ("images/xx", {"GNU.sparse.realsize": "nan"}, "a header in it makes no sense"),
    ],
)
def test_what_is_said_of_a_made_up_archive_is_a_sentence(copy, place, name, header, said):
    held = members(copy)
    made_up = copy.with_name("made-up.tar")
    odd = tarfile.TarInfo(name)
    odd.pax_headers = header
    with tarfile.open(made_up, "w", format=tarfile.PAX_FORMAT) as archive:
        first = tarfile.TarInfo("manifest.json")
        first.size = len(held["manifest.json"])
        archive.addfile(first, io.BytesIO(held["manifest.json"]))
        archive.addfile(odd)
    sentence = refused(made_up, place)
    assert said in sentence
    assert len(sentence) < len(str(made_up)) + 200


def test_a_file_with_a_hole_of_a_terabyte_is_refused_at_once(copy, place):
    held = members(copy)
    made_up = pack(copy.with_name("made-up.tar"), [("manifest.json", held["manifest.json"])])
    with made_up.open("r+b") as file:
        file.seek(1024 + len(held["manifest.json"]) // 512 * 512)
        file.write(_huge("longview.db").tobuf(tarfile.GNU_FORMAT))
        file.truncate(10**12 + 10**6)
    refused(made_up, place)


def test_sparse_members_are_refused(copy, place):
    held = members(copy)
    sparse = tarfile.TarInfo("longview.db")
    sparse.pax_headers = {
        "GNU.sparse.major": "0", "GNU.sparse.minor": "1", "GNU.sparse.size": str(10**12),
        "GNU.sparse.numblocks": "1", "GNU.sparse.map": "0,4",
    }  # fmt: skip
    made_up = copy.with_name("made-up.tar")
    with tarfile.open(made_up, "w", format=tarfile.PAX_FORMAT) as archive:
        first = tarfile.TarInfo("manifest.json")
        first.size = len(held["manifest.json"])
        archive.addfile(first, io.BytesIO(held["manifest.json"]))
        sparse.size = 4
        archive.addfile(sparse, io.BytesIO(b"SQLi"))
    refused(made_up, place)


@pytest.mark.parametrize("key", ["format", "made_at", "revision", "database_sha256", "images", "quarantine"])
def test_a_manifest_that_says_other_things_is_refused(copy, place, key):
    held = members(copy)
    manifest = json.loads(held["manifest.json"])
    others = (None, 7, [], {}, ["../../x"], "x", [None], "longview-backup-2")
    without = {name: manifest[name] for name in manifest if name != key}
    for said in (without, *(manifest | {key: value} for value in others)):
        files = [("manifest.json", json.dumps(said).encode()), *list(held.items())[1:]]
        refused(pack(copy.with_name("made-up.tar"), files), place)


@pytest.mark.parametrize("text", [b"", b"null", b"[]", b"7", b"{", b"\xff\xfe", b"[" * 100_000])
def test_a_manifest_that_is_none_is_refused(copy, place, text):
    held = members(copy)
    refused(pack(copy.with_name("made-up.tar"), [("manifest.json", text), *list(held.items())[1:]]), place)


def test_a_backup_of_a_newer_release_says_that_it_needs_that_release(copy, place):
    newer = with_database(copy, "UPDATE alembic_version SET version_num = '9999'", revision="9999")
    assert "newer release" in refused(newer, place)
    # One that only its manifest calls known is no better.
    refused(with_database(copy, "UPDATE alembic_version SET version_num = '9999'"), place)


@pytest.mark.parametrize(
    "change",
    [
        "DROP TABLE image",
        "DROP TABLE alembic_version",
        "DROP TABLE sign_in",
        "ALTER TABLE user DROP COLUMN display_name",
        "DELETE FROM alembic_version",
        "PRAGMA foreign_keys = OFF; DELETE FROM study",
        "UPDATE image SET sha256 = printf('%064d', 1)",
        "UPDATE import_item SET sha256 = printf('%064d', 1) WHERE outcome = 'quarantined'",
        "CREATE TRIGGER later AFTER INSERT ON audit_entry BEGIN DELETE FROM audit_entry; END",
        "CREATE VIEW shown AS SELECT 1",
    ],
)
def test_a_database_that_longview_would_not_have_written_is_refused(copy, place, change):
    refused(with_database(copy, change), place)


def test_a_database_that_is_none_or_damaged_is_refused(copy, place):
    held = members(copy)
    whole = held["longview.db"]
    chance = random.Random(5)
    for database in (b"", b"not SQLite", whole[:100], whole[: len(whole) // 2], whole[:16] + bytes(4096)):
        refused(repacked(copy, held, database), place)
    for _ in range(12):
        # Whole pages of noise, with a manifest that vouches for them.
        page = chance.randrange(len(whole) // 4096)
        changed = whole[: page * 4096] + chance.randbytes(4096) + whole[page * 4096 + 4096 :]
        try:
            restore_backup(Settings(home=place / "home", _env_file=None), repacked(copy, held, changed))
        except BackupError:
            assert list(place.iterdir()) == []
        else:
            shutil.rmtree(place / "home")  # the page was a free one


@pytest.mark.parametrize("what", ["nothing", "folder", "pipe", "device"])
def test_what_is_no_file_is_refused_without_waiting(tmp_path, place, what):
    source = tmp_path / "source"
    if what == "folder":
        source.mkdir()
    elif what == "pipe":
        os.mkfifo(source)
    elif what == "device":
        source = Path("/dev/zero")
    refused(source, place)


def test_lost_images_do_not_keep_the_others_from_being_copied_and_restored(stocked, place, tmp_path):
    with stocked.database.read() as session:
        image = session.scalars(select(Image)).one()
    stocked.images.path(image.sha256).write_bytes(b"rotten")
    stocked.images.path(image.thumbnail_sha256).unlink()
    manifest = write_backup(stocked, tmp_path / "copy.tar")
    assert manifest.missing == [image.sha256]

    settings = Settings(home=place / "home", _env_file=None)
    restore_backup(settings, tmp_path / "copy.tar")
    there = Installation.open(settings)
    assert set(verify_objects(there).missing) == {image.sha256, image.thumbnail_sha256}
    there.close()


def test_a_backup_of_an_earlier_revision_is_brought_to_this_release(tmp_path, place):
    release = Path(__file__).parents[2] / "db" / "releases" / "0.1.0.sql"
    path = tmp_path / "old.db"
    connection = sqlite_module().connect(str(path))
    connection.executescript(release.read_text("utf-8"))
    connection.executescript(
        "DELETE FROM measurement; DELETE FROM embedding; DELETE FROM image; DELETE FROM import_item"
    )
    (revision,) = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    connection.close()
    assert revision != head()
    database = path.read_bytes()
    manifest = {
        "format": "longview-backup-1", "made_at": "2025-01-01T10:00:00+00:00", "revision": revision,
        "database_sha256": hashlib.sha256(database).hexdigest(), "images": [], "quarantine": [],
    }  # fmt: skip
    copy = pack(
        tmp_path / "old.tar", [("manifest.json", json.dumps(manifest).encode()), ("longview.db", database)]
    )
    settings = Settings(home=place / "home", _env_file=None)
    restore_backup(settings, copy)
    there = Installation.open(settings)
    assert len(audit.latest(there, action="restored")) == 1
    there.close()


SECRET = pyrage.x25519.Identity.generate()
KEY = Key(recipients=(SECRET.to_public(),), identities=(SECRET,))


@pytest.mark.parametrize("key", [KEY, Key(recipients=KEY.recipients)], ids=["secret", "public only"])
def test_a_sealed_backup_is_restored_by_its_key_and_nothing_of_it_is_told_without(
    stocked, place, tmp_path, key
) -> None:
    copy = tmp_path / "copy.tar.age"
    manifest = write_backup(stocked, copy, key=key)
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert b"manifest.json" not in copy.read_bytes()
    home = place / "home"
    restored = restore_backup(Settings(home=home, _env_file=None), copy, key=KEY)
    assert restored == manifest
    here = Installation.open(Settings(home=home, _env_file=None))
    assert verify_objects(here).well
    here.close()


def test_a_wrong_key_or_none_is_refused_in_words_with_nothing_touched(stocked, place, tmp_path) -> None:
    copy = tmp_path / "copy.tar.age"
    write_backup(stocked, copy, key=KEY)
    wrong = pyrage.x25519.Identity.generate()
    settings = Settings(home=place / "deep" / "home", _env_file=None)
    for key, says in (
        (None, "is sealed"),
        (Key(identities=(wrong,)), "does not open"),
        (Key(passphrase="seven quiet rivers"), "sealed to a key"),
    ):
        with pytest.raises(BackupError, match=says):
            restore_backup(settings, copy, key=key)
        assert list(place.iterdir()) == []
    os.truncate(copy, copy.stat().st_size - 30)
    with pytest.raises(BackupError, match="damaged"):
        restore_backup(settings, copy, key=KEY)
    assert list(place.iterdir()) == []


def test_a_key_beside_a_plain_backup_changes_nothing(copy, place) -> None:
    restore_backup(Settings(home=place / "home", _env_file=None), copy, key=KEY)


def test_a_restore_revives_no_sign_in_and_knows_no_browser(stocked, place, tmp_path) -> None:
    held = sign_ins.sign_in(stocked, "ada", "a long enough pass phrase")
    write_backup(stocked, tmp_path / "copy.tar")
    restore_backup(Settings(home=place / "home", _env_file=None), tmp_path / "copy.tar")
    here = Installation.open(Settings(home=place / "home", _env_file=None))
    assert sign_ins.who(here, held.token) is None
    with here.database.read() as session:
        assert session.scalars(select(KnownBrowser)).all() == []
    here.close()


@pytest.mark.parametrize("disk", [False, True])
def test_a_restore_killed_at_any_step_leaves_nothing_or_all_and_the_next_one_goes_on(
    copy, place, monkeypatch, disk
):
    if disk:
        monkeypatch.setattr(Path, "is_mount", lambda self: self.name.startswith("home"))

    def settings(number: int) -> Settings:
        home = place / f"home{number}"
        if disk:
            (home / "lost+found").mkdir(parents=True, exist_ok=True)
        return Settings(home=home, _env_file=None)

    refused = 0
    total = run_killed(lambda: restore_backup(settings(0), copy), steps_on_disk)
    # Onto a disk of its own the parts are moved in one by one at the end.
    for at in (1, *range(total - 5, total + 1)) if disk else (1, total // 2, total - 1, total):
        to = settings(at)
        run_killed(lambda to=to: restore_backup(to, copy), steps_on_disk, at)
        if not (to.root / "longview.db").exists():
            if to.root.is_dir() and {"images", "quarantine"} & {path.name for path in to.root.iterdir()}:
                # Half moved in: who starts it now is told, and gets no empty database beside another's images.
                with pytest.raises(StoreUnavailable, match="run the same restore again"):
                    Installation.open(to)
                assert not (to.root / "longview.db").exists()
                refused += 1
            restore_backup(to, copy)
        here = Installation.open(to)
        found = verify_objects(here)
        assert (found.missing, found.damaged, found.records) == ([], [], []), at
        with here.database.read() as session:
            assert len(session.scalars(select(Image)).all()) == 1
        later = time.time() + 7200
        sweep(here, now=later)
        assert find_left_overs(here, now=later) == []
        here.close()
        beside = {path.name for path in to.root.iterdir()} - {"lost+found"}
        assert beside == {"longview.db", "images", "quarantine"}, at
    assert refused or not disk

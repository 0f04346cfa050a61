"""A file appears whole or not at all, and only its owner may open it."""

import os
import stat
from contextlib import suppress

import pytest

from db.files import (
    AS_ASKED,
    is_open_to_others,
    private_file,
    private_folder,
    tighten,
    whole_file,
    write_whole,
)


@pytest.fixture(autouse=True)
def no_umask():
    before = os.umask(0)
    yield
    os.umask(before)


def mode(path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def test_files_and_folders_are_private_from_their_first_moment(tmp_path):
    private_folder(tmp_path / "a" / "b")
    with private_file(tmp_path / "a" / "one") as file:
        assert mode(tmp_path / "a" / "one") == 0o600
        file.write(b"x")
    with whole_file(tmp_path / "a" / "two") as file:
        (half,) = (tmp_path / "a").glob(".two.*.partial")
        assert mode(half) == 0o600
    assert [mode(tmp_path / "a" / name) for name in ("", "b", "one", "two")] == [0o700, 0o700, 0o600, 0o600]


def test_what_holds_no_patients_has_the_rights_that_the_person_leaves(tmp_path):
    os.umask(0o027)
    write_whole(tmp_path / "set.csv", "a,b", mode=AS_ASKED)
    assert mode(tmp_path / "set.csv") == 0o640


def test_an_older_file_stays_until_the_new_one_is_complete_and_nothing_half_written_stays(tmp_path):
    path = tmp_path / "metrics.json"
    write_whole(path, "older")
    with suppress(RuntimeError), whole_file(path, text=True) as file:
        file.write("half")
        assert path.read_text() == "older"
        raise RuntimeError
    assert path.read_text() == "older"
    assert [one.name for one in tmp_path.iterdir()] == ["metrics.json"]
    write_whole(path, "newer")
    assert path.read_text() == "newer"


def test_a_link_put_in_the_way_is_not_written_through(tmp_path):
    (tmp_path / "secret").write_text("kept")
    (tmp_path / "link").symlink_to(tmp_path / "secret")
    with pytest.raises(OSError, match="symbolic link"):
        private_file(tmp_path / "link")
    assert not tighten(tmp_path / "link")
    assert (tmp_path / "secret").read_text() == "kept"


def test_tightening_takes_away_others_rights_and_no_own_ones(tmp_path):
    path = tmp_path / "open"
    path.write_text("")
    path.chmod(0o754)
    assert is_open_to_others(path)
    assert tighten(path)
    assert mode(path) == 0o700
    assert not tighten(path)
    assert not tighten(tmp_path / "gone")


def test_where_a_file_has_the_name_of_a_folder_it_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    for name in ("file", "file/below"):
        with pytest.raises((FileExistsError, NotADirectoryError)):
            private_folder(tmp_path / name)

"""What tests keep installations in is what the run says, and a copied home is one of its own in either case."""

import shutil

import pytest

from core.installation import Installation
from core.settings import Settings
from db.images import FolderStore
from db.tables import Patient
from tests import engines


def test_an_installation_is_kept_in_what_the_run_says(here: Installation, kept_in: str) -> None:
    embedded = kept_in == engines.EMBEDDED
    assert here.database.is_sqlite == embedded
    assert isinstance(here.images, FolderStore) == isinstance(here.quarantine, FolderStore) == embedded


def test_a_copied_home_has_the_rows_and_images_and_what_is_changed_in_one_is_not_in_the_other(
    here: Installation, tmp_path
) -> None:
    with here.database.write() as session:
        session.add(Patient(mrn="1"))
    first = here.images.put(b"first")
    here.close()
    home = shutil.copytree(here.home, tmp_path / "copy")
    copy = Installation.open(Settings(home=home, _env_file=None))
    with copy.database.write() as session:
        session.query(Patient).one().mrn = "2"
    second = copy.images.put(b"second")
    assert (list(copy.images.keys()), list(here.images.keys())) == (sorted([first, second]), [first])
    copy.close()
    again = Installation.open(Settings(home=here.home, _env_file=None))
    with again.database.read() as session:
        assert session.query(Patient).one().mrn == "1"
    again.close()


@pytest.mark.embedded("is about what is left out when grown")
@pytest.mark.parametrize("room", engines.WITHOUT_A_HOME)
def test_a_room_that_is_left_out_when_grown_opens_no_installation(
    tmp_path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest, room: str
) -> None:
    assert (request.config.rootpath / room).is_dir()
    monkeypatch.setenv("PYTEST_CURRENT_TEST", f"{room}test_of_it.py::test_one (call)")
    with pytest.raises(AssertionError, match="would be left out"):
        Installation.open(Settings(home=tmp_path / "var", _env_file=None))

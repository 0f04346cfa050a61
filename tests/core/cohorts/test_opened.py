"""Cohorts opened from a program: read only, the same as on the page; and the notebook that shows how runs."""

import ast
import json
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError

from core import cohorts
from core.cohorts import CannotOpen, DefinitionRefused
from core.installation import Installation
from core.people import asking
from db.tables import Patient
from tests import factories

NOTEBOOK = Path(cohorts.__file__).with_name("notebook.ipynb")


@pytest.fixture
def home(here: Installation) -> Path:
    return here.home


def test_women_and_selections_are_those_of_the_page(here: Installation, home: Path, tmp_path: Path) -> None:
    factories.cohort(here, 6)
    with cohorts.open(home) as opened:
        assert opened.frame().women.equals(cohorts.frame_of(here).women)
        assert opened.frame() is opened.frame()
        by_name = opened.select(kind="simulated")
        file = tmp_path / "definition.json"
        file.write_text(json.dumps(by_name.definition.to_json()))
        assert opened.select(file).sentence == by_name.sentence
        assert opened.select(file.read_text()).n == by_name.n == 6
        assert opened.tables() == []
        assert "SHA-256" in opened.model or opened.model
        with pytest.raises(DefinitionRefused):
            opened.select({"format": "longview-cohort/99"})
        with pytest.raises(DefinitionRefused):
            opened.select(kind="martian")


def test_nothing_can_be_written(here: Installation, home: Path) -> None:
    with cohorts.open(home) as opened:
        for _ in range(2):
            write = opened._here.database.write()
            with pytest.raises(DBAPIError, match=r"read-?only"), write as session:
                session.add(Patient(mrn="X", simulated=True))
    with here.database.read() as session:
        assert session.scalars(select(Patient)).all() == []


def test_where_no_installation_is_none_is_made(tmp_path: Path) -> None:
    with pytest.raises(CannotOpen, match="no installation"):
        cohorts.open(tmp_path / "nowhere")
    assert not (tmp_path / "nowhere").exists()


def test_the_notebook_runs(
    here: Installation, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    factories.cohort(here, 6)
    monkeypatch.setenv("LONGVIEW_HOME", str(here.home))
    # A program of one's own does not say who asks, as commands and tests do.
    monkeypatch.setattr(asking, "_whole_process", None)
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    names: dict[str, object] = {}
    for cell in cells:
        if cell["cell_type"] == "code":
            source = "".join(cell["source"])
            assert not cell["outputs"], "a notebook that is kept holds nobody's numbers"
            exec(compile(ast.parse(source), str(NOTEBOOK), "exec"), names)
    said = capsys.readouterr().out
    assert "6 women" in said
    assert "simulated women" in said

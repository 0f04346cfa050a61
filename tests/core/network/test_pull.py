"""Priors are fetched from a real PACS, by each way that it may be asked; what is hers and not here, and nothing else."""

import json
from collections import Counter
from datetime import date

import pytest
from sqlalchemy import select
from typer.testing import CliRunner

from core.__main__ import app
from core.incoming import IncomingFile, take_in
from core.network import (
    NoPacs,
    PacsFailed,
    begin_fetch,
    fetch_of,
    forget_fetch,
    is_pacs_configured,
    pull_priors,
)
from core.network.pacs.opening import open_pacs
from core.network.pacs.remote import RemoteObject, query_of
from core.people import accounts, audit
from core.people.accounts import Role
from core.people.roles import AccessDenied
from db.tables import Image, ImportBatch, Patient, Study, StudyStatus
from tests.core.network.conftest import Orthanc, mammogram
from tests.core.network.made_up_web import MadeUpWeb, made_up_web
from tests.core.network.test_listening import replace_settings, rows, wait_until

WAYS = ("web", "get", "move")


def asking(here, orthanc: Orthanc, way: str):
    if way == "web":
        return replace_settings(here, pacs_url=orthanc.web)
    return replace_settings(
        here,
        pacs_aet="ARCHIVE",
        pacs_host="127.0.0.1",
        pacs_port=orthanc.dicom,
        pacs_retrieve=way,
        listen_port=orthanc.caller_port,
    )


@pytest.mark.parametrize("way", WAYS)
def test_what_is_hers_and_not_here_comes_and_nothing_else(here, orthanc, way):
    orthanc.keep(
        mammogram(0, on="20180102"), mammogram(1, on="20180102"), mammogram(0, on="20190102"),
        mammogram(0, mrn="W11", on="20180102"),
        mammogram(5, on="20180102", Modality="OT", SeriesInstanceUID="1.2.3"),
    )  # fmt: skip
    take_in(here, [IncomingFile("here", mammogram(0, on="20190102"))], statement=None, source="cli")
    asked = asking(here, orthanc, way)
    steps = []
    pulled = pull_priors(asked, "W1", on_step=lambda p: steps.append(len(p.items)))
    assert (pulled.found, pulled.here, pulled.others, pulled.failed) == (3, 1, 0, 0)
    assert [item.outcome for item in pulled.items] == ["accepted", "accepted"]
    assert steps == [0, 1, 2]
    assert {patient.mrn for patient in rows(here, Patient)} == {"W1"}
    assert sorted(study.study_date for study in rows(here, Study)) == [date(2018, 1, 2), date(2019, 1, 2)]
    again = pull_priors(asked, "W1")
    assert (again.found, again.here, again.items) == (3, 3, [])
    assert "priors_fetched" in {entry.action for entry in audit.latest(here)}


@pytest.mark.parametrize("way", WAYS)
def test_a_sign_for_any_letter_finds_nobody_but_who_has_it_in_her_number(here, orthanc, way):
    orthanc.keep(
        mammogram(0, mrn="A17"),
        mammogram(0, mrn="A27", on="20190101"),
        mammogram(0, mrn="A*7", on="20180101"),
    )
    asked = asking(here, orthanc, way)
    assert pull_priors(asked, "A?7").found == 0
    pulled = pull_priors(asked, "A*7")
    assert (pulled.found, pulled.others) == (1, 2)
    assert [patient.mrn for patient in rows(here, Patient)] == ["A*7"]


def test_a_late_prior_asks_for_the_scores_of_what_follows_it_and_of_nothing_before(here, orthanc):
    days = ("20160102", "20190102", "20200102")
    take_in(here, [IncomingFile(day, mammogram(0, on=day)) for day in days], statement=None, source="cli")
    with here.database.write() as session:
        for study in session.scalars(select(Study)):
            study.status = StudyStatus.SCORED
    orthanc.keep(mammogram(0, on="20170102"))
    pull_priors(asking(here, orthanc, "web"), "W1")
    status = {f"{study.study_date:%Y%m%d}": study.status for study in rows(here, Study)}
    assert status == {
        "20160102": StudyStatus.SCORED,
        "20170102": StudyStatus.PENDING,
        "20190102": StudyStatus.PENDING,
        "20200102": StudyStatus.PENDING,
    }


@pytest.mark.parametrize(("at_once", "pages"), [(1, True), (2, True), (1000, True), (1000, False)])
def test_a_pacs_that_answers_in_pages_is_asked_until_nothing_new_comes(here, at_once, pages):
    files = [mammogram(n, on=on) for on in ("20180102", "20190102", "20200102") for n in range(2)]
    with made_up_web(MadeUpWeb(files, at_once, pages)) as pacs:
        pulled = pull_priors(replace_settings(here, pacs_url=pacs.url), "W1")
    assert (pulled.found, pulled.count("accepted")) == (6, 6)


def test_ultrasound_and_mr_come_where_they_are_of_the_breast_and_nothing_of_other_parts(here, orthanc):
    def other(number: int, modality: str, **said) -> bytes:
        uid = f"1.2.9.{number}"
        return mammogram(
            number, on=f"2018010{number}", Modality=modality, StudyInstanceUID=uid, SeriesInstanceUID=f"{uid}.1",
            SOPInstanceUID=f"{uid}.1.1", **said,
        )  # fmt: skip

    orthanc.keep(
        mammogram(0),
        other(1, "US", BodyPartExamined="BREAST"),
        other(2, "MR", SeriesDescription="T1 axial", StudyDescription="MR Mamma beidseits"),
        other(3, "MR", BodyPartExamined="HEAD", StudyDescription="MR breast and head"),
        other(4, "US", StudyDescription="Sonography of the abdomen"),
        other(5, "US"),
    )
    for way in ("web", "get"):
        asked = asking(here, orthanc, way)
        listed = open_pacs(asked).search("W1", ["MG", "US", "MR"])
        assert sorted(one.sop_uid for one in listed if one.modality != "MG") == ["1.2.9.1.1.1", "1.2.9.2.1.1", "1.2.9.5.1.1"]  # fmt: skip
    assert asked.settings.pacs_modalities == "MG,US,MR"


class Listed:
    """A PACS that lists what it is told to."""

    name = "made up"

    def __init__(self, *files: tuple[RemoteObject, bytes | None], breaks: bool = False) -> None:
        self.files, self.breaks = files, breaks

    def search(self, mrn, modalities):
        yield from (one for one, _ in self.files)

    def fetch(self, wanted):
        for one in wanted:
            data = {listed.sop_uid: data for listed, data in self.files}[one.sop_uid]
            if data is not None:
                yield one.sop_uid, data
        if self.breaks:
            raise PacsFailed("The PACS made up cannot be reached.")


def listed(number: int, *, issuer: str = "", mrn: str = "W1", sop_uid: str = "") -> RemoteObject:
    return RemoteObject(
        mrn, issuer, "1.2", "20200102", "1.2.1", "MG", sop_uid or f"1.2.1.{number}", "1.2.840"
    )


def test_another_issuers_number_is_another_woman(here):
    with here.database.write() as session:
        session.add(Patient(mrn="W1", mrn_issuer="NORTH"))
    pacs = Listed((listed(1, issuer="SOUTH"), mammogram()), (listed(2, issuer="NORTH"), mammogram()))
    pulled = pull_priors(here, "W1", pacs=pacs)
    assert (pulled.found, pulled.others) == (1, 1)


def test_a_file_that_says_another_woman_than_its_list_goes_to_quarantine(here):
    pulled = pull_priors(here, "W1", pacs=Listed((listed(1), mammogram(mrn="W2"))))
    (item,) = pulled.items
    assert (item.outcome, item.reason) == ("quarantined", "other_patient")
    assert "W2" in item.detail
    assert rows(here, Patient) == []
    # It is here, though in quarantine, and does not come again at every turn.
    assert pull_priors(here, "W1", pacs=Listed((listed(1), mammogram(mrn="W2")))).wanted == 0


def test_what_does_not_come_is_counted_and_what_came_before_is_kept(here):
    pacs = Listed((listed(1), mammogram(0)), (listed(2), None), breaks=True)
    pulled = pull_priors(here, "W1", pacs=pacs)
    assert [item.outcome for item in pulled.items] == ["accepted"]
    assert (pulled.failed, pulled.cut_short) == (1, "The PACS made up cannot be reached.")
    assert len(rows(here, Image)) == 1
    assert all(batch.finished_at for batch in rows(here, ImportBatch))


def test_no_pacs_a_pacs_that_is_away_and_a_number_that_is_none(here):
    assert not is_pacs_configured(here.settings)
    with pytest.raises(NoPacs, match="LONGVIEW_PACS_URL"):
        pull_priors(here, "W1")
    for away in (
        {"pacs_url": "http://127.0.0.1:9/x"},
        {"pacs_aet": "A", "pacs_host": "127.0.0.1", "pacs_port": 9},
    ):
        asked = replace_settings(here, **away)
        assert is_pacs_configured(asked.settings)
        with pytest.raises(PacsFailed, match="cannot be reached"):
            pull_priors(asked, "W1")
    for mrn in ("", " ", "***", "x" * 65, "a\nb"):
        with pytest.raises(ValueError, match="MRN"):
            query_of(mrn)
    assert query_of(" A*?\\7 ") == "A???7"


def test_a_person_fetches_beside_the_page_if_she_may(here, orthanc):
    asked = asking(here, orthanc, "web")
    analyst = accounts.create_user(here, "analyst", "a long password 1", Role.ANALYST)
    with pytest.raises(AccessDenied):
        begin_fetch(asked, analyst, "W1")
    staff = accounts.create_user(here, "staff", "a long password 2", Role.STAFF)
    orthanc.keep(mammogram(0))
    begin_fetch(asked, staff, "W1")
    fetch = wait_until(lambda: (f := fetch_of(asked, "W1")) and not f.running and f)
    assert fetch.failed is None
    assert "1 new" in fetch.pulled.sentence
    (batch,) = rows(here, ImportBatch)
    assert batch.user_id == staff.user_id
    forget_fetch(asked, "W1")
    assert fetch_of(asked, "W1") is None


def test_the_command_says_what_came_and_ends_as_commands_do(here, orthanc, monkeypatch):
    monkeypatch.setenv("LONGVIEW_HOME", str(here.home))

    def ran(*arguments: str):
        return CliRunner().invoke(app, ["pull", *arguments])

    nothing_set = ran("--mrn", "W1")
    assert nothing_set.exit_code == 2
    assert "LONGVIEW_PACS_URL" in nothing_set.output
    monkeypatch.setenv("LONGVIEW_PACS_URL", "http://127.0.0.1:9/x")
    away = ran("--mrn", "W1")
    assert away.exit_code == 3
    assert "Traceback" not in away.output
    monkeypatch.setenv("LONGVIEW_PACS_URL", orthanc.web)
    orthanc.keep(mammogram(0), mammogram(1, ViewPosition=None))
    some = ran("--mrn", "W1", "--json")
    assert some.exit_code == 1
    said = json.loads(some.stdout)
    assert (said["found"], said["accepted"], said["quarantined"]) == (2, 1, 1)
    assert Counter(item["reason"] for item in said["items"]) == {None: 1, "unknown_view": 1}
    assert ran("--mrn", "W1").exit_code == 0

"""What a person has corrected holds for files that still say otherwise: nobody is asked twice, nothing is stored twice."""

from datetime import date

import pytest

from core.corrections import (
    DateOf,
    FilmIs,
    FilmsAre,
    Merged,
    MovedTo,
    SetAside,
    WhoSheIs,
    correct,
    studies_with_films,
    undo,
)
from core.incoming.intake import take_in
from core.incoming.items import IncomingFile, Statement
from core.records import record_of
from tests.pictures import breast, dicom

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom.*")

WHY = "wrong at the machine"
OF_HERS = {"PatientName": "Doe^Jane", "PatientBirthDate": "19700102", "PatientSex": "F"}


def take(here, *files: bytes, statement: Statement | None = None):
    named = [IncomingFile(f"{number}.dcm", data) for number, data in enumerate(files)]
    return take_in(here, named, statement=statement, source="cli").items


def one(seed: int, **tags) -> bytes:
    side = tags.get("ImageLaterality", "L")
    said = {"PatientID": "OLD", "StudyDate": "20240315", "StudyInstanceUID": "1.2.3"} | OF_HERS | tags
    return dicom(breast(side, seed=seed), **said)


def days(here, mrn) -> list[tuple[date, int]]:
    return [(visit.on, len(visit.images)) for visit in record_of(here, mrn).visits]


def test_a_file_with_an_mrn_that_was_merged_goes_to_her_and_says_so(here):
    first, late = one(1), one(2, StudyInstanceUID="1.2.4", StudyDate="20220101", ViewPosition="MLO")
    take(here, first, one(3, PatientID="NEW", StudyInstanceUID="1.9", PatientBirthDate="19700201"))
    correct(here, Merged("NEW", "OLD"), reason=WHY, confirmed=True)
    (again,) = take(here, first)
    assert (again.outcome, again.patient) == ("duplicate", "NEW")
    # Born on another day than she: that was seen when the two were merged.
    (item,) = take(here, late)
    assert (item.outcome, item.patient) == ("accepted", "NEW")
    assert "OLD is now NEW" in item.detail
    stated = Statement(mrn="OLD", study_date=date(2020, 1, 1))
    (item,) = take(here, one(4, StudyInstanceUID="1.2.5", StudyDate="20200101"), statement=stated)
    assert (item.outcome, item.patient) == ("accepted", "NEW")
    assert record_of(here, "NEW").birth_date == date(1970, 2, 1)


def test_a_later_film_of_a_study_that_was_moved_or_dated_anew_joins_it(here):
    take(here, one(1))
    correct(here, MovedTo("HERS", studies=("1.2.3",)), reason=WHY)
    moved = correct(here, DateOf("1.2.3", date(2023, 3, 15)), reason=WHY)
    (item,) = take(here, one(2, ViewPosition="MLO"))
    assert (item.outcome, item.patient, item.study_date) == ("accepted", "HERS", "2023-03-15")
    assert "was corrected" in item.detail
    assert days(here, "HERS") == [(date(2023, 3, 15), 2)]
    undo(here, moved.correction_id)
    assert days(here, "HERS") == [(date(2024, 3, 15), 2)]


def test_what_was_corrected_of_her_is_no_contradiction_any_more_but_anything_else_is(here):
    take(here, one(1))
    correct(here, WhoSheIs("OLD", {"birth_date": date(1971, 1, 2), "name": "Roe^Mary"}), reason=WHY)
    items = take(
        here,
        one(2, ViewPosition="MLO"),
        one(3, ImageLaterality="R", PatientBirthDate="19710102", PatientName="Roe^Mary"),
        one(4, ImageLaterality="R", ViewPosition="MLO", PatientBirthDate="19720102"),
    )
    assert [(item.outcome, item.reason) for item in items] == [
        ("accepted", None), ("accepted", None), ("quarantined", "identity_conflict"),
    ]  # fmt: skip
    assert record_of(here, "OLD").birth_date == date(1971, 1, 2)


def test_what_was_put_right_is_found_again_as_it_is_and_stays(here):
    data, other = one(1), one(2, ViewPosition="MLO")
    take(here, data, other)
    wanted, unwanted = (film.sop_uid for film in studies_with_films(here, "OLD")[0].films)
    correct(here, FilmsAre({wanted: FilmIs("R")}), reason=WHY)
    correct(here, SetAside((unwanted,)), reason=WHY)
    again, aside = take(here, data, other)
    assert (again.outcome, again.laterality) == ("duplicate", "R")
    assert aside.outcome == "duplicate"
    assert "set aside" in aside.detail
    assert days(here, "OLD") == [(date(2024, 3, 15), 1)]


def test_a_study_without_a_uid_that_was_dated_anew_is_not_joined_by_films_of_its_first_day(here):
    day = date(2024, 3, 15)
    take(here, one(1, StudyInstanceUID=None), statement=Statement(mrn="OLD", study_date=day))
    (study,) = studies_with_films(here, "OLD")
    correct(here, DateOf(study.study_uid, date(2020, 1, 1)), reason=WHY)
    (item,) = take(here, one(2, ViewPosition="MLO", StudyInstanceUID=None))
    assert (item.outcome, item.study_date) == ("accepted", "2024-03-15")
    assert days(here, "OLD") == [(date(2020, 1, 1), 1), (day, 1)]

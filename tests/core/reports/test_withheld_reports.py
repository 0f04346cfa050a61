"""A score that may not be told is a number in no format of a report, and what may be told is."""

import io
import re
from datetime import date

import pydicom
import pytest

from core.reports import Format
from db.tables import EventKind
from tests import factories
from tests.core.reports.test_exchange import words_of
from tests.core.reports.test_reports import made_of, text_of
from tests.factories import VisitPlan
from tests.figures import HERS

ODD = 0.0737
"""A risk that nobody else has: 7.4 %."""
DAYS = (date(2022, 3, 1), date(2024, 3, 1), date(2026, 3, 1))


def plan(on, **more):
    alert = ("risk_high", "5-year risk above 3.0 %: 7.4 %")
    views = factories.FOUR_VIEWS if on == DAYS[-1] else ()
    return VisitPlan(
        on,
        ODD,
        malignancy_left=ODD,
        malignancy_right=ODD,
        alerts=[alert],
        views=views,
        smallest_change=0.3,
        **more,
    )


def told_in(made):
    """Return every word and number of a report, whatever its format."""
    if made.format is Format.SR:
        return words_of(pydicom.dcmread(io.BytesIO(made.data)))
    if made.format is Format.FHIR:
        return made.data.decode()
    # The figure's own words too, without what it is drawn with.
    page = text_of(made)
    alts = re.findall(r'aria-label="([^"]*)"', made.data.decode("latin-1"))
    return "\n".join([page, *alts])


@pytest.mark.parametrize("format", list(Format))
@pytest.mark.parametrize("doubt", ["unlike_pictures", "unlike_age", "other_women", "not_known", "no_domain"])
def test_what_is_withheld_is_a_number_nowhere(here, format, doubt):
    level = "uncalibrated" if doubt == "other_women" else "withheld"
    factories.woman(
        here, "1", [plan(on, progression=ODD, trust=(level, doubt)) for on in DAYS], simulated=False
    )
    told = told_in(made_of(here, "1", format))
    assert HERS.search(told) is None
    assert "No risk is" in told or '"prediction"' not in told
    assert "Not for diagnosis" in told


@pytest.mark.parametrize("format", list(Format))
def test_after_a_diagnosis_growth_is_told_and_risk_is_not(here, format):
    visits = [
        VisitPlan(DAYS[0], 0.0222, progression=None, views=()),
        *(plan(on, progression=0.62) for on in DAYS[1:]),
    ]
    factories.woman(here, "1", visits, events=[(EventKind.DIAGNOSIS, DAYS[1], None, "invasive cancer")])
    told = told_in(made_of(here, "1", format))
    assert HERS.search(told) is None
    assert "62" in told
    assert "invasive cancer" in told or format in (Format.FHIR, Format.SR)


@pytest.mark.parametrize("format", list(Format))
@pytest.mark.parametrize("kind", [EventKind.DEATH, EventKind.MASTECTOMY])
def test_from_her_death_on_or_without_a_breast_nothing_is_told(here, format, kind):
    visits = [VisitPlan(DAYS[0], 0.0222, progression=None, views=())]
    visits += [plan(on, progression=ODD) for on in DAYS[1:]]
    factories.woman(here, "1", visits, events=[(kind, DAYS[1], None, "")])
    told = told_in(made_of(here, "1", format))
    assert HERS.search(told) is None
    assert "no risk is told of it" in " ".join(told.split()) or '"prediction"' not in told


@pytest.mark.parametrize("format", list(Format))
def test_what_may_be_told_is_found_where_it_is_looked_for(here, format):
    factories.woman(here, "1", [plan(on) for on in DAYS])
    assert HERS.search(told_in(made_of(here, "1", format))) is not None


@pytest.mark.parametrize("format", list(Format))
def test_what_is_covered_until_it_is_read_is_a_number_nowhere(here, format):
    here.settings.read_first = True
    visits = [VisitPlan(DAYS[0], 0.01), VisitPlan(DAYS[1], 0.012), plan(DAYS[2], progression=ODD)]
    factories.woman(here, "1", visits)
    told = told_in(made_of(here, "1", format))
    assert HERS.search(told) is None
    assert "overed until read" in " ".join(told.split())

"""Lesions on the patient page: what is shown of them, and what a reader does there."""

import html
import time
from collections.abc import Callable
from datetime import date
from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import select
from streamlit.testing.v1 import AppTest

from core.people.accounts import Role, create_user
from core.records import (
    LesionNote,
    LesionStatus,
    Sizing,
    lesions_of_patient,
    record_of,
    record_sourced_lesions,
    rename_lesion,
)
from dashboard.charts import lesions as charts
from db.tables import AuditEntry, EventKind, Image, Laterality
from tests import factories
from tests.factories import VisitPlan

OpenPage = Callable[..., AppTest]
DAYS = (date(2023, 5, 1), date(2024, 5, 1), date(2025, 5, 1))
VIEWS = (("R", "CC"), ("L", "CC"))
BOX = (100, 200, 150, 220)
NAUGHTY = "<img src=x onerror=alert(1)>"


@pytest.fixture
def woman(here) -> dict[tuple[date, str], str]:
    """A woman under therapy with a lesion that shrank, a new one, and a known benign one; her images by day and view."""
    therapy = (EventKind.THERAPY, date(2023, 6, 1), None, "endocrine therapy")
    factories.woman(here, "00017", [VisitPlan(on, views=VIEWS) for on in DAYS], events=[therapy])
    visits = record_of(here, "00017").visits
    images = {(visit.on, image.view_name.code): image.sop_uid for visit in visits for image in visit.images}

    def sizes(code: str, *lengths: float | None) -> list[tuple[str, Sizing]]:
        return [
            (images[on, code], Sizing(BOX, long_mm=mm, short_mm=mm * 0.75))
            for on, mm in zip(DAYS, lengths, strict=True)
            if mm is not None
        ]

    record_sourced_lesions(
        here,
        "00017",
        lambda: [
            LesionNote("Mass", "R", sizes("R-CC", 40, 20, None)),
            LesionNote(NAUGHTY, "L", sizes("L-CC", None, 12, None)),
            LesionNote(
                "Old one", "L", sizes("L-CC", 9, 9, None), None, LesionStatus.KNOWN_BENIGN, "biopsy", DAYS[0]
            ),
        ],
    )
    return images


def words(app: AppTest) -> str:
    """Return what the page says, without markup."""
    bodies = " ".join(found.proto.body for found in app.get("html"))
    return html.unescape(" ".join(bodies.split()))


def with_open(app: AppTest, label: str) -> AppTest:
    """Return the page with one of the forms open."""
    which = next(box for box in app.selectbox if box.label == "Work on")
    app.session_state[f"{which.key.removesuffix('_which')}_{which.value}_{label}"] = True
    return app.run()


def undo(app: AppTest) -> Any:
    return next(button for button in app.button if button.label == "Undo")


def test_sizes_response_and_what_is_new_are_shown(here, pages: OpenPage, woman) -> None:
    app = pages(Role.ONCOLOGIST, "patient", mrn="00017")
    assert not app.exception
    said = words(app)
    assert "40 × 30" in said
    assert "▼ −20" in said
    assert "it shrinks" in said
    assert "<b>baseline</b>" in said
    assert "<b>PD</b>" in said  # the new lesion, though the sum is half of what it was
    assert "RECIST-like" in said
    assert "Baseline is the last measured study before endocrine therapy began on 2023-06-01." in said
    assert "known benign" in said
    assert f"New lesion: {NAUGHTY}. If it was there at baseline" in said
    assert "<img src=x" not in " ".join(found.proto.body for found in app.get("html"))


def test_a_woman_without_lesions_is_told_how_to_add_one(here, pages: OpenPage) -> None:
    factories.woman(here, "00018", [VisitPlan(DAYS[0], views=VIEWS)])
    assert "None is followed. Choose “Read this image”" in words(
        pages(Role.ONCOLOGIST, "patient", mrn="00018")
    )
    assert "draw a box" not in words(pages(Role.STAFF, "patient", mrn="00018"))


def test_a_proposed_place_is_confirmed_measured_and_undone(here, pages: OpenPage, woman) -> None:
    app = with_open(pages(Role.ONCOLOGIST, "patient", mrn="00017"), "Measure")

    def proposed() -> str:
        return " ".join(caption.value for caption in app.caption)

    # The form does not wait for the registration, and tells of it once it is there.
    deadline = time.monotonic() + 60
    while "are being aligned" in proposed():
        assert time.monotonic() < deadline
        time.sleep(0.1)
        app.run()
    assert "Proposed by registration of the two." in proposed()
    keep = next(button for button in app.button if button.label == "Confirm the place and keep")
    assert keep.disabled
    next(field for field in app.number_input if field.label == "Long axis (mm)").set_value(30.0)
    app.run()
    next(button for button in app.button if button.label == "Confirm the place and keep").click()
    app.run()
    assert not app.exception
    mass = lesions_of_patient(here, "00017")[0]
    assert mass.diameters[-1] == (DAYS[2], 30.0)
    assert mass.places[-1].proposed_by == "registration"
    assert mass.places[-1].by
    assert f"Mass is measured on R CC of {DAYS[2]}" in words(app)
    undo(app).click()
    app.run()
    assert not app.exception
    assert len(lesions_of_patient(here, "00017")[0].places) == 2
    with here.database.read() as session:
        assert list(
            session.scalars(
                select(AuditEntry.action).where(AuditEntry.action.like("lesion%")).order_by(AuditEntry.id)
            )
        ) == [
            "lesions_recorded",
            "lesion_measured",
            "lesion_undone",
        ]


def test_known_benign_asks_how_and_a_name_is_changed(here, pages: OpenPage, woman) -> None:
    app = with_open(pages(Role.ONCOLOGIST, "patient", mrn="00017"), "Change")
    next(button for button in app.button if button.label == "Say so").click()
    app.run()
    assert "how it is known to be benign" in app.warning[0].value
    next(field for field in app.text_input if field.label == "Name").set_value("Mass at 10 o'clock")
    next(button for button in app.button if button.label == "Rename").click()
    app.run()
    assert not app.exception
    assert lesions_of_patient(here, "00017")[0].label == "Mass at 10 o'clock"
    assert "Mass is now called Mass at 10 o'clock" in words(app)


def test_what_another_reader_changed_meanwhile_is_not_overwritten(here, pages: OpenPage, woman) -> None:
    app = with_open(pages(Role.ONCOLOGIST, "patient", mrn="00017"), "Change")
    other = create_user(here, "other", "a long password", Role.ONCOLOGIST)
    mass = lesions_of_patient(here, "00017")[0]
    rename_lesion(here, other, mass.lesion_id, "Theirs", version=mass.version)
    next(field for field in app.text_input if field.label == "Name").set_value("Mine")
    next(button for button in app.button if button.label == "Rename").click()
    app.run()
    assert not app.exception
    assert "changed by somebody else" in app.warning[0].value
    assert lesions_of_patient(here, "00017")[0].label == "Theirs"


def test_a_measurement_on_a_view_that_was_corrected_away_says_so(here, pages: OpenPage, woman) -> None:
    with here.database.write() as session:
        image = session.scalars(select(Image).where(Image.sop_uid == woman[DAYS[1], "R-CC"])).one()
        image.laterality = Laterality.LEFT
    said = words(pages(Role.STAFF, "patient", mrn="00017"))
    assert (
        "Mass, 2024-05-01: Measured on R CC; the image was corrected and is L CC now. It is not counted."
        in said
    )


def test_staff_see_lesions_and_change_nothing(here, pages: OpenPage, woman) -> None:
    app = pages(Role.STAFF, "patient", mrn="00017")
    assert "40 × 30" in words(app)
    assert not [button for button in app.button if button.label in ("Rename", "Say so", "Is another lesion")]
    assert not app.number_input


def test_the_figure_is_one_that_plotly_takes(here, woman) -> None:
    import plotly.graph_objects as go

    lesions = lesions_of_patient(here, "00017")
    figure = go.Figure(charts.diameters(lesions, record_of(here, "00017").events))
    assert [trace.y for trace in figure.data] == [(40, 20), (12,), (9, 9)]
    assert "&lt;img" in figure.data[1].name
    # Names at the ends stand apart, the therapy is a band.
    places = sorted(one.y for one in figure.layout.annotations if one.yref != "paper")
    assert all(later - earlier > 2 for earlier, later in pairwise(places))
    assert len(figure.layout.shapes) == 1

"""Why the score of the chosen visit is another than the prior's."""

from collections.abc import Sequence
from urllib.parse import quote

import streamlit as st

from core.people import Permission
from core.records import (
    CROP_MM,
    ChangedPlace,
    Crop,
    Moved,
    PatientRecord,
    Visit,
    VisitScore,
    are_being_aligned,
    cards,
    changed_places,
)
from core.rules import exact_age_years, is_within_noise, place_at_age
from core.rules.vocabulary import SIDE_WORDS
from dashboard import look, session
from dashboard.charts import movement
from dashboard.drawing import draw
from dashboard.house import here

LEAST_PART = 0.05
"""A breast that moved the log-odds by less (a twentieth of the odds) has no place that did."""


def why_it_moved(record: PatientRecord, visit: Visit) -> None:
    """Show how a visit's 5-year risk came from the prior's, and what each visit told; nothing without a score."""
    score = visit.score
    if score is None:
        return
    if not score.priors:
        _first_visit(record, visit, score)
        return
    _since_the_prior(record, visit, score)
    if len(score.contributions) > 1:
        _each_visit(visit, score)


def _first_visit(record: PatientRecord, visit: Visit, score: VisitScore) -> None:
    """Say where a first score stands among women of her age; nothing where her age or theirs is not known."""
    card = cards.card_of(here(), score.model)
    if card is None or (card.weights_sha256, card.calibration) != (score.weights_sha256, score.calibration):
        return  # its women were given their risks by other weights
    age = exact_age_years(record.birth_date, visit.on)
    place = place_at_age(card.settings, age, score.risk_5y.value)
    if place is None:
        return
    youngest, oldest = place.ages
    look.heading("Among women of her age", beside="first visit")
    look.show(
        f"<p>Her 5-year risk is higher than that of <b>{place.higher_than} of 100</b> reference women aged {youngest} to "
        f"{oldest}, whose median is {look.percent(place.median)}.</p>"
    )
    look.footer(f"{place.n} {place.women}, in whom no cancer was found within 5 years.")


def _since_the_prior(record: PatientRecord, visit: Visit, score: VisitScore) -> None:
    prior = record.moved_from(visit)
    if prior is None or score.moved is None:
        look.heading("Why it moved")
        look.footer("The prior has no score that this one can be set beside.")
        return
    beside = f"since the prior; odds {movement.change(score.moved)} in all"
    if prior.score is not None and is_within_noise(prior.score, score):
        beside = f"odds {movement.change(score.moved)} in all, {look.WITHIN_NOISE}"
    look.heading("Why it moved", beside=beside)
    draw(
        movement.waterfall(score.moved, look.iso(prior.on), look.iso(visit.on)),
        key=f"moved_{visit.study_uid}",
        alt=movement.said(score.moved),
    )
    _places(record, prior, visit, score.moved)
    look.footer(
        "5-year risk, from the prior to this visit. × is what each does to the odds; together they make the change. History: "
        "the prior now stands among the visits before. Breasts: new pictures in the place of the prior's."
    )


def _places(record: PatientRecord, prior: Visit, visit: Visit, moved: Moved) -> None:
    """Show of each breast that moved the score the two crops where its heat map did so most, right at the left as it hangs."""
    rose = {
        side: part > 0
        for side, word in SIDE_WORDS.items()
        if abs(part := moved.parts.get(f"{word} breast", 0.0)) >= LEAST_PART
    }
    found = changed_places(here(), record.images_of_day(prior), record.images_of_day(visit), rose)
    if not found:
        return
    shown = "".join(_pair(found[side], prior, visit) for side in ("R", "L") if side in found)
    look.show(f'<div class="lv-pairs">{shown}</div>')
    if waiting := [place for place in found.values() if place.being_aligned]:
        _wait_for_alignment([(place.prior.sop_uid, place.now.sop_uid) for place in waiting])
    wide = f"; {CROP_MM:.0f} mm wide" if all(place.sized for place in found.values()) else ""
    look.footer(f"Where a breast's heat map has risen or fallen most, as its part did{wide}.")


@st.fragment(run_every=1.0)
def _wait_for_alignment(pairs: Sequence[tuple[str, str]]) -> None:
    """Show the crops anew once they are registered, or it is known that they cannot be."""
    session.seen_by(Permission.SEE_PATIENTS)
    if not are_being_aligned(here(), pairs):
        st.rerun()


def _pair(place: ChangedPlace, prior: Visit, visit: Visit) -> str:
    turned = "risen" if place.change > 0 else "fallen"
    view = look.safe(place.view.words)
    pictures = "".join(
        _picture(crop, f"{view} {look.iso(when.on)}", look.month(when.on))
        for crop, when in ((place.prior, prior), (place.now, visit))
    )
    return f"<div><b>{view}</b> heat map {turned}<div>{pictures}</div>{_place_then(place)}</div>"


def _place_then(place: ChangedPlace) -> str:
    """Say how the prior's crop was placed."""
    if place.being_aligned:
        return "being aligned …"
    return "registered: the same place" if place.registered else "same place, not registered"


def _picture(crop: Crop, what: str, when: str) -> str:
    box = ",".join(map(str, crop.box))
    flipped = 'class="flipped"' if crop.flipped else ""
    return f'<span><img src="/crop/{quote(crop.sop_uid)}?box={box}" alt="{what}" {flipped}>{when}</span>'


def _each_visit(visit: Visit, score: VisitScore) -> None:
    with st.expander("What each visit told"):
        look.footer(
            "By how much each visit, seen besides those after it, multiplies the odds of cancer within 5 years, from those of "
            "a woman of whom nothing is seen."
        )
        draw(
            movement.contributions(score),
            key=f"contributions_{visit.study_uid}",
            alt="How much each visit multiplied the odds of cancer within 5 years",
        )

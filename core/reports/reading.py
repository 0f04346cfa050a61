"""From a woman's record to what a report of one study says, as of that study.

Of scores only what the record tells is read (`Visit.score`, its doubt, its rank), never a row: so what is withheld, or
covered until the study is read, is in no report.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from urllib.parse import quote, urlencode

from core.installation import Installation
from core.people.needing import needs
from core.people.roles import Permission
from core.records import (
    AlertEntry,
    AlertStanding,
    Interval,
    PatientRecord,
    StudyStatus,
    ViewImage,
    Visit,
    VisitScore,
    cards,
    findings,
    key_of,
    lesions_of_patient,
    record_of,
)
from core.reports.content import (
    RESEARCH,
    WITHHELD_ALERT,
    Breast,
    CoursePoint,
    ModelSaid,
    Probability,
    ReadersAssessment,
    Report,
    ReportError,
    Said,
)
from core.reports.followed import lesions_until, response_until
from core.rules import age_years, last_said, trends
from core.rules.vocabulary import (
    BI_RADS_EDITION,
    FOUR_VIEWS,
    SIDE_WORDS,
)
from core.wording import moment, points, signed

__all__ = ["report_of"]


@needs(Permission.SEE_PATIENTS)
def report_of(
    here: Installation,
    mrn: str,
    study_uid: str | None,
    now: datetime,
    *,
    made_by: str = "",
    address: str = "",
) -> Report:
    """Return what a report of a study says, as of that study: later studies are counted, and not told.

    Parameters
    ----------
    study_uid
        One of her studies; None: the last.
    now
        When the report is made.
    made_by
        By whom, in words.
    address
        Where the dashboard is reached (``http://host:port``), for the link to the view; empty: what it is set to.

    Raises
    ------
    ReportError
        If there is no such woman, she has no study, or the study is not hers.
    """
    whole = record_of(here, mrn.strip())
    if whole is None:
        raise ReportError(f"There is no patient with the MRN {mrn}.")
    if not whole.visits:
        raise ReportError(f"The patient with the MRN {mrn} has no study yet: there is nothing to report.")
    visit = whole.visit(study_uid) if study_uid else whole.visits[-1]
    if visit is None:
        raise ReportError(f"The patient with the MRN {mrn} has no study {study_uid}.")
    record = replace(whole, visits=tuple(one for one in whole.visits if one.on <= visit.on))
    prior = _prior(record, visit)
    followed = lesions_of_patient(here, record.mrn)
    return Report(
        mrn=record.mrn,
        name=record.name,
        birth_date=record.birth_date,
        sex=record.sex,
        simulated=record.simulated,
        age=age_years(record.birth_date, visit.on),
        study_uid=visit.study_uid,
        on=visit.on,
        modality=visit.modality,
        made_at=now,
        made_by=made_by,
        link=_link(here, address, record.mrn, visit.study_uid),
        indication=visit.description or "Not recorded.",
        density=visit.density,
        density_by="reader" if visit.reader_density else "model",
        assessment=_assessment(visit),
        prior=prior,
        views=_views(record, visit),
        images=_hung(record, visit),
        prior_images=_hung(record, prior) if prior else (),
        said=_model_said(here, visit),
        course=tuple(_course_point(record, one) for one in _one_a_day(record)),
        course_words=tuple(_course_words(record, visit)),
        later_studies=len(whole.visits) - len(record.visits),
        diagnosed_on=record.diagnosed_on,
        lesions=lesions_until(followed, visit.on),
        response=response_until(followed, record.events, visit.on),
        alerts=tuple(
            (alert, alert.message or WITHHELD_ALERT, _standing(alert))
            for alert in record.alerts
            if alert.study_date <= visit.on
        ),
        events=record.events,
        log=_log(here, record, visit),
    )


def _link(here: Installation, address: str, mrn: str, study_uid: str) -> str:
    base = address.rstrip("/") or f"http://{here.settings.address}:{here.settings.port}"
    return f"{base}/patient?{urlencode({'patient': key_of(here, mrn), 'visit': study_uid}, quote_via=quote)}"


def _prior(record: PatientRecord, visit: Visit) -> Visit | None:
    """Return the study that the reader compared it with; else the last of an earlier day, of the same kind, with pictures."""
    compared = record.visit(visit.assessment.comparison_uid or "")
    if compared is not None and compared.images and compared.on < visit.on:
        return compared
    earlier = [
        one for one in record.visits if one.on < visit.on and one.images and one.modality == visit.modality
    ]
    return earlier[-1] if earlier else None


def _hung(record: PatientRecord, visit: Visit) -> tuple[ViewImage, ...]:
    """Return the images that are hung in the four places, of all studies of that day, in the order of their hanging."""
    from core.images import hanging

    images = record.images_of_day(visit)
    hung = (hanging.to_hang(image for image in images if image.view_name == view) for view in FOUR_VIEWS)
    return tuple(image for image in hung if image is not None)


def _views(record: PatientRecord, visit: Visit) -> str:
    images = record.images_of_day(visit)
    taken = ", ".join(dict.fromkeys(image.view_name.words for image in images)) or "none"
    missing = ", ".join(view.words for view in record.missing_views(visit))
    return f"{taken}." + (f" Not taken: {missing}." if missing else "")


def _assessment(visit: Visit) -> ReadersAssessment:
    """Return the reader's assessment; per breast where it was recorded so."""
    stands = visit.assessment
    if stands.bi_rads is None:
        return ReadersAssessment()
    by_side = {"R": stands.right, "L": stands.left}
    breasts = tuple(Breast(side, category) for side, category in by_side.items() if category)
    return ReadersAssessment(
        breasts=breasts or (Breast(None, stands.bi_rads),),
        overall=stands.bi_rads,
        edition=stands.edition or BI_RADS_EDITION,
        findings=stands.findings or "",
        note=stands.note or "",
        management=stands.management_words,
        compared_with=stands.compared_with,
        by=stands.by or "",
        at=stands.at,
    )


def _model_said(here: Installation, visit: Visit) -> ModelSaid:
    """Return what may be told of a visit's score, and why there is no more."""
    score, doubt = visit.score, visit.doubt
    # Of what may not be told only who said it is read.
    source = score or visit.untrusted
    why_not, needed = _why_not(visit)
    unseen = ", ".join(view.words for view in score.missing_views) if score else ""
    return ModelSaid(
        probabilities=tuple(_probabilities(visit)),
        density=dict(score.density) if score else {},
        trusted=score is not None,
        rank=f"{visit.rank.words} ({visit.rank.women})" if visit.rank and doubt else "",
        why_not=why_not,
        needed=needed,
        unseen_views=unseen,
        model=source.model if source else "",
        weights_sha256=source.weights_sha256 if source else "",
        calibration=source.calibration if source else "",
        computed_at=source.computed_at if source else None,
        statement=cards.footer(cards.card_of(here, source.model), source.model) if source else RESEARCH,
    )


def _why_not(visit: Visit) -> tuple[str, str]:
    if visit.score is not None:
        return "", ""
    if visit.covered:
        return "Covered until read: it is shown once a reader has recorded an assessment.", ""
    if visit.doubt is not None:
        needed = visit.doubt.doubt.needed if visit.doubt.doubt else ""
        return visit.doubt.sentence, needed
    if visit.status is StudyStatus.REFUSED:
        return f"This study was not scored. {visit.refusal}".strip(), ""
    if visit.status is StudyStatus.PENDING:
        return "This study waits to be scored.", ""
    return "No model has scored this study.", ""


def _probabilities(visit: Visit) -> Iterable[Probability]:
    score = visit.score
    if score is not None:
        yield from _of_risk(score)
    if visit.progression is not None:
        known = visit.progression_interval
        yield Probability(
            "progression", "grown since the prior", visit.progression, *_ends(known), years=None
        )


def _of_risk(score: VisitScore) -> Iterable[Probability]:
    for years, risk in sorted(score.risk.items()):
        what = f"cancer within {years} year{'s' if years > 1 else ''}"
        yield Probability(f"risk_{years}", what, risk.value, risk.low, risk.high, years=years)
    for side in ("R", "L"):
        value = score.malignancy[side]
        if value is not None:
            what = f"cancer within 1 year, {SIDE_WORDS[side]} breast"
            ends = _ends(score.malignancy_interval[side])
            yield Probability(f"malignancy_{side}", what, value, *ends, years=1, laterality=side)


def _ends(known: Interval | None) -> tuple[float | None, float | None]:
    return (known.low, known.high) if known else (None, None)


def _one_a_day(record: PatientRecord) -> Sequence[Visit]:
    """Return one study a day, as the studies of a day are one visit: the one that a model has read, else the last."""
    by_day = {visit.on: visit for visit in record.visits} | {one.on: one for one in record.standing.read}
    return [by_day[on] for on in sorted(by_day)]


def _course_point(record: PatientRecord, visit: Visit) -> CoursePoint:
    score = visit.score
    return CoursePoint(
        study_uid=visit.study_uid,
        on=visit.on,
        risk_5y=score.risk_5y if score else None,
        malignancy=dict(score.malignancy) if score else {},
        instead="" if score else _instead(visit),
        bi_rads=last_said(one.bi_rads for one in record.visits if one.on == visit.on),
        density=visit.density,
        views_missing=bool(record.missing_views(visit)),
        scored_by=(score.weights_sha256, score.calibration) if score else None,
    )


def _instead(visit: Visit) -> str:
    if visit.rank is not None:
        return visit.rank.words
    if visit.covered:
        return "covered until read"
    if visit.doubt is None:
        return "not scored"
    return visit.doubt.doubt.in_short if visit.doubt.doubt else "withheld"


def _course_words(record: PatientRecord, visit: Visit) -> Iterable[str]:
    """Say what the course does, where the study is its newest number."""
    stands = record.standing
    if visit.score is None or not record.scored or record.scored[-1].on != visit.on:
        return
    if stands.change_since_prior is not None and stands.prior is not None:
        noise = ": within what positioning and exposure make" if stands.change_is_noise else ""
        yield (
            f"5-year risk since {stands.prior.on}: {points(stands.change_since_prior)} percentage points{noise}."
        )
    line = stands.slope
    if line is not None:
        ends = ""
        if line.low is not None and line.high is not None:
            ends = f" ({signed(line.low)} to {signed(line.high)})"
        flat = "; the interval holds 0" if line.holds_nothing else ""
        how = "least squares, 95 % interval" if ends else "least squares"
        yield f"Slope over {line.visits} visits: {signed(line.per_year)}{ends} percentage points a year ({how}{flat})."
    if any(trends.long_gaps([one.on for one in record.scored])):
        yield f"Between two of her visits lie more than {trends.LONG_GAP_YEARS:.0f} years."


def _standing(alert: AlertEntry) -> str:
    if alert.acknowledged_at is not None:
        note = f": {alert.acknowledgement}" if alert.acknowledgement else ""
        return f"seen by {alert.acknowledged_by or 'a newer score'}, {moment(alert.acknowledged_at)}{note}"
    words = {AlertStanding.ANSWERED: "answered by her events", AlertStanding.WITHHELD: "withheld"}
    return words.get(alert.standing, "open")


def _log(here: Installation, record: PatientRecord, visit: Visit) -> tuple[Said, ...]:
    """Return who said what of the study, oldest first."""
    said = []
    spoke = visit.score or visit.untrusted
    if spoke is not None:
        what = "scored the study" if visit.score else "scored the study; withheld"
        said.append(Said(spoke.computed_at, f"model {spoke.model}", what))
    said += _assessments(visit)
    for alert in record.alerts:
        if alert.study_date <= visit.on and alert.acknowledged_at is not None and alert.acknowledged_by:
            what = f"acknowledged an alert of {alert.study_date}: {alert.message or WITHHELD_ALERT}"
            said.append(Said(alert.acknowledged_at, alert.acknowledged_by, what))
    for finding in findings.of_patient(here, record.mrn):
        if finding.study_date <= visit.on:
            what = f"kept {finding.label} on {finding.view_name.words} of {finding.study_date}"
            said.append(Said(finding.at, finding.by or "a reader", what))
    return tuple(sorted(said, key=lambda one: one.at))


def _assessments(visit: Visit) -> Iterable[Said]:
    """Say each version of the assessment, oldest first, and whether a score had been shown by then."""
    versions = visit.assessment.versions or (visit.assessment,)
    for number, version in enumerate(versions):
        if version.at is None or version.bi_rads is None:
            continue
        how = "corrected the assessment" if number else "assessed it"
        shown: Mapping[bool | None, str] = {
            True: ", before any score was shown",
            False: ", after the score was shown",
        }
        what = f"{how}{shown.get(version.covered, '')}: {version.words}"
        yield Said(
            version.at,
            version.by or "a reader",
            what + (f"; reason: {version.reason}" if version.reason else ""),
        )

"""What a row of the worklist says, in words and numbers."""

from collections.abc import Sequence
from datetime import date

from core.people import Person, audit
from core.records import (
    COVERED,
    StudyStatus,
    worklist,
)
from core.rules import alert_rules, thresholds, trends
from core.rules.vocabulary import density_name, density_words
from dashboard import look

__all__ = ["entry"]


def entry(row: worklist.Row, key: str, looked: Sequence[audit.Looked], person: Person) -> dict[str, object]:
    """Say a row in words and numbers, as the table shows it."""
    words = {StudyStatus.PENDING: "being scored", StudyStatus.REFUSED: "not scored"}
    status = words.get(row.last_status) if row.last_status else None
    why = {rule.rule: f"{rule.why} {rule.source}." for rule in alert_rules()}
    return {
        "mrn": row.mrn,
        "key": key,
        "label": row.label,
        "simulated": row.simulated,
        "last_study": look.iso(row.last_study) if row.last_study else None,
        "status": row.last_status.value if row.last_status else "",
        "status_text": status or ("to read" if row.unread else ""),
        "status_hint": row.refusal if row.last_status is StudyStatus.REFUSED else "",
        "risk_text": risk_text(row),
        "told": not row.withheld and not row.covered,
        "why": "" if row.ended or row.rank else row.withheld,
        "interval_text": look.interval(row.risk_5y_low, row.risk_5y_high),
        "risk_hint": risk_hint(row),
        "band": row.band if row.band and holds_for(row, row.scored_on) else None,
        "change": row.change_since_prior,
        "factor_text": look.times(row.factor) if row.factor is not None else "",
        "change_text": look.points(row.change_since_prior, within_noise=row.change_is_noise),
        "change_note": "within positioning" if row.change_is_noise else "",
        "change_hint": change_hint(row),
        "course": [
            [look.iso(p.on), p.risk_5y, look.percent(p.risk_5y), p.complete, course_step(p)]
            for p in row.course
        ],
        "threshold": threshold(row),
        "next_due": look.month(row.next_due) if row.next_due else None,
        "due_hint": due_hint(row),
        "overdue": row.overdue,
        "alerts": [
            {
                # A number and its sign stay on one line.
                "text": alert.message.replace(" %", f"{look.NBSP}%"),
                "age": look.ago(alert.raised_at),
                "explained": alert.explained,
                "why": why.get(alert.rule, ""),
            }
            for alert in row.alerts
        ],
        "notices": [notice.message for notice in row.notices],
        **who_she_is(row),
        **slope_words(row),
        **last_said(row),
        **who_looked(looked, person),
    }


def threshold(row: worklist.Row) -> dict[str, object] | None:
    """Say the risk from which a woman stands in the first band above none, and from when until when that holds for her."""
    if row.diagnosed:
        return None
    band = thresholds.risk_bands()[1]
    begins, ends = band.days(row.standing.birth_date)
    return {"risk": band.lower, "from": look.iso(begins), "until": look.iso(ends)}


def holds_for(row: worklist.Row, on: date | None) -> bool:
    """Say whether the thresholds hold for a woman on a day."""
    begins, ends = thresholds.risk_bands()[1].days(row.standing.birth_date)
    return on is not None and begins <= on < ends


def who_she_is(row: worklist.Row) -> dict[str, object]:
    """Say what stands beneath her name."""
    density_by = "reader" if row.density_by_reader else "model"
    facts = [
        f"MRN {row.mrn}" if row.name and not row.simulated else "",
        f"{row.age_years} y" if row.age_years is not None else "",
        f"density {density_name(row.density)}" if row.density else "",
    ]
    hint = f"{density_words(row.density)}, by the {density_by}" if row.density else "Density is not known yet"
    return {"about": " · ".join(filter(None, facts)), "about_hint": f"MRN {row.mrn}. {hint}"}


def slope_words(row: worklist.Row) -> dict[str, object]:
    """Say how 5-year risk runs a year."""
    line = row.slope
    if line is None:
        return {"slope_text": look.UNKNOWN, "slope_interval": "", "slope_noise": False, "slope_hint": ""}
    known = line.low is not None and line.high is not None
    return {
        "slope_text": look.signed(line.per_year),
        "slope_interval": f"{look.signed(line.low or 0.0)} to {look.signed(line.high or 0.0)}"
        if known
        else "",
        "slope_noise": line.holds_nothing,
        "slope_hint": trends.SLOPE_METHOD,
    }


def last_said(row: worklist.Row) -> dict[str, object]:
    """Say what a reader recorded last, and what it waits for."""
    word, waits = row.last_word, row.open_assessment
    if word is None:
        return {
            "said": look.UNKNOWN,
            "said_by": "",
            "waits_for": "",
            "said_hint": "Nobody has assessed a study",
        }
    biopsied = f". Biopsied {waits.biopsied_on}" if waits and waits.biopsied_on else ""
    when = f", recorded {look.moment(word.at)}" if word.at else ""
    return {
        "said": f"{word.category} · {look.iso(word.on)}",
        "said_by": word.by or "",
        "waits_for": f"waits for {waits.waits_for}" if waits else "",
        "said_hint": f"BI-RADS {word.category} of the study of {word.on} by {word.by or 'unknown'}{when}{biopsied}",
    }


def who_looked(looked: Sequence[audit.Looked], person: Person) -> dict[str, object]:
    """Say who has opened her record, the last first."""
    if not looked:
        return {"looked": look.UNKNOWN, "looked_on": "", "looked_hint": "Nobody has opened her record"}
    names = ["you" if one.user_id == person.user_id else one.person for one in looked]
    more = f" +{len(names) - 1}" if len(names) > 1 else ""
    lines = (f"{name}, {look.moment(one.at)}" for name, one in zip(names, looked, strict=True))
    return {
        "looked": f"{names[0]}{more}",
        "looked_on": look.iso(looked[0].at.astimezone().date()),
        "looked_hint": "Opened her record: " + "; ".join(lines),
    }


def risk_text(row: worklist.Row) -> str:
    """Say how high the risk is, or what stands in its place."""
    if row.covered:
        return "covered"
    if row.rank:
        return f"above {row.rank.higher_than} of 100"
    if row.withheld:
        if row.standing.risk_ended_on is not None:
            return "not at risk"
        return "after diagnosis" if row.ended else "withheld"
    return look.percent(row.risk_5y)


def risk_hint(row: worklist.Row) -> str:
    """Say what the risk is of and as of when, or why there is none."""
    if row.covered:
        return COVERED
    if row.rank:
        return f"{row.rank.words.capitalize()} ({row.rank.women}). {row.withheld}"
    if row.withheld:
        return row.withheld if row.ended else f"{row.withheld} Read as usual."
    return f"Cancer within 5 years, as of {row.scored_on}" if row.scored_on else "No study is scored yet"


def change_hint(row: worklist.Row) -> str:
    """Say since when a change is, or why there is none."""
    if row.withheld or row.covered:
        return risk_hint(row)
    if row.prior_on is None:
        return "There is no scored visit before"
    if row.change_since_prior is None:
        return f"since {row.prior_on}: {look.OTHER_WEIGHTS}"
    return f"since {row.prior_on}" + (f". {look.WITHIN_NOISE_WHY}" if row.change_is_noise else "")


def course_step(point: worklist.CoursePoint) -> str:
    """Say how the step to a visit of the small course is drawn: not at all between scores by other weights."""
    return "noise" if point.within_noise else "line" if point.alike else ""


def due_hint(row: worklist.Row) -> str:
    """Say why no next study is due; nothing where one is."""
    if row.next_due is not None:
        return ""
    if row.diagnosed:
        return "As the clinic plans after a diagnosis"
    return thresholds.screening_interval().outside.capitalize() if row.last_study else "There is no study yet"

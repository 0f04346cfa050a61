"""How what an entry of the trail holds is said: a phrase for each of its keys, as an auditor reads it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

__all__ = ["phrases", "subject_phrase", "unphrased"]

Detail = Mapping[str, Any]
Say = Callable[[Any], str]

_ABBREVIATIONS = {"bi_rads": "BI-RADS", "mrn": "MRN", "sha256": "SHA-256"}


def _plain(value: Any) -> str:
    """Say a value of any shape in words: names without underscores, what holds nothing is left out, at any depth."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        said = ((_ABBREVIATIONS.get(str(key), _words(key)), _plain(one)) for key, one in value.items())
        return ", ".join(f"{key} {one}" for key, one in said if one)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(filter(None, map(_plain, value)))
    return str(value)


def _words(value: Any) -> str:
    """Say what stands for something by a name of the program's: without underscores."""
    return _plain(value).replace("_", " ")


def _as(template: str, say: Say = _plain) -> Say:
    """Return what says a value within words; of what holds nothing, nothing."""

    def said(value: Any) -> str:
        inner = say(value)
        return template.replace("{}", inner) if inner else ""

    return said


def _quoted(template: str = "{}") -> Say:
    return _as(template.replace("{}", "“{}”"))


def _many(one: str, several: str = "", template: str = "{}") -> Say:
    def said(value: Any) -> str:
        if isinstance(value, Sequence | Mapping) and not isinstance(value, str):
            value = len(value)
        if not isinstance(value, int):
            return _as(f"{one} {{}}")(value)
        counted = f"1 {one}" if value == 1 else f"{value:,} {several or one + 's'}"
        return template.replace("{}", counted)

    return said


def _if(yes: str, no: str = "") -> Say:
    return lambda value: yes if value else no


def _moment(value: Any) -> str:
    try:
        at = datetime.fromisoformat(str(value))
    except ValueError:
        return _plain(value)
    if len(str(value)) <= len("2026-01-01"):
        return str(value)
    return f"{at.astimezone(UTC) if at.tzinfo else at:%Y-%m-%d %H:%M} UTC"


def _hash(value: Any) -> str:
    return f"SHA-256 {str(value)[:12]}…" if value else ""


def _mm(value: Any) -> str:
    return "" if value is None else f"{float(value):.1f} mm"


def _box(value: Any) -> str:
    if not isinstance(value, Sequence) or len(value) != 4 or None in value:
        return _as("in the box {}")(value)
    x0, y0, x1, y1 = (f"{float(one):.0f}" for one in value)
    return f"in the box from {x0}, {y0} to {x1}, {y1}"


def _status(value: Any) -> str:
    try:
        return f"answered {int(value)} ({HTTPStatus(int(value)).phrase.lower()})"
    except (TypeError, ValueError):
        return _as("answered {}")(value)


def _definition(value: Any) -> str:
    if isinstance(value, Mapping):
        value = {name: one for name, one in value.items() if name != "format"}
    return _as("defined by {}", _words)(value) or "of all women"


def _act(value: Any) -> str:
    """Say which of the program's acts it was, of a name like ``records.events.add_event``."""
    return _words(str(value).rpartition(".")[2]) if value else ""


_ASSESSMENT: Mapping[str, Say] = {
    "version": _as("version {}"),
    "bi_rads": _as("BI-RADS {}"),
    "right": _as("right {}"),
    "left": _as("left {}"),
    "density": _as("density {}"),
    "management": _words,
    "findings": _quoted("findings {}"),
    "compared_with": _as("compared with {}"),
    "note": _quoted("note {}"),
    "reason": _quoted("changed because {}"),
    "covered": _if("signed before the score was seen", ""),
}
_LESION: Mapping[str, Say] = {
    "label": _quoted("called {}"),
    "kind": _as("a {}", _words),
    "node": _if("a lymph node", "no lymph node"),
    "status": _words,
    "status_note": _quoted("note {}"),
    "note": _quoted("note {}"),
    "organ": _words,
}


def _within(of: Mapping[str, Say]) -> Say:
    """Return what says a mapping by the phrases of its own keys."""

    def said(value: Any) -> str:
        if not isinstance(value, Mapping):
            return _plain(value)
        every = (of.get(key, _as(f"{_words(key)} {{}}"))(one) for key, one in value.items())
        return ", ".join(filter(None, every))

    return said


def _before(of: Mapping[str, Say]) -> Say:
    def said(value: Any) -> str:
        return "" if value is None or _nothing(value) else f"instead of {_within(of)(value)}"

    return said


def _nothing(value: Any) -> bool:
    """Say whether there was no assessment before: its version is 0."""
    return isinstance(value, Mapping) and value.get("version") == 0


_EVERYWHERE: Mapping[str, Say] = {
    "by token": _quoted("by the token {}"),
    "from": _as("from the {}"),
    "reason": _as("because: {}", _words),
    "sha256": _hash,
    "image": _as("image {}"),
    "images": _many("image"),
    "study": _as("study {}"),
    "studies": _many("study", "studies"),
    "women": _many("woman", "women"),
    "label": _quoted(),
    "diameter_mm": _as("long axis {}", _mm),
    "short_mm": _as("short axis {}", _mm),
    "box": _box,
    "instead_of": _as("in the place of measurement {}"),
    "proposed_by": _as("proposed by {}", _words),
    "measurements": _many("measurement"),
    "sign_ins_ended": _many("sign-in", template="{} ended"),
    "tokens_ended": _many("token", template="{} ended"),
    "permission": _as("“{}”", _words),
    "by": _as("by {}"),
    "batch": _as("batch {}"),
    "accepted": _as("{} accepted"),
    "duplicate": _as("{} here before"),
    "quarantined": _as("{} in quarantine"),
    "other": _as("with MRN {}"),
    "on": _as("of {}"),
    "result": _as("result {}"),
    "deidentified": _if("de-identified"),
    "refused": _as("{} refused"),
    "definition": _definition,
}
"""Key of what an entry holds -> how it is said, where no action says it otherwise."""

_EVENT: Mapping[str, Say] = {
    "kind": _words,
    "end": _as("to {}"),
    "laterality": _as("breast {}"),
    "detail": _quoted(),
    "by": _as("recorded by {}"),
    "at": _as("on {}", _moment),
    "before": _as("instead of {}"),
}
_IMPORT: Mapping[str, Say] = {"sender": _as("sent by {}"), "study_date": _as("said to be of {}")}
_TABLE: Mapping[str, Say] = {
    "kind": _as("of {}", _words),
    "bad_lines": _many("line", template="{} refused"),
    "new": _as("{} new"),
    "filled in": _as("{} filled in"),
    "there already": _as("{} there already"),
    "event": _many("event", template="{} taken out"),
    "risk_factors": _many("entry of her history", "entries of her history", "{} taken out"),
    "assessment": _many("assessment", template="{} taken out"),
    "patient": _many("patient", template="{} taken out"),
    "still_in_use": _as("{} kept, for others stand on them"),
}
_CORRECTION: Mapping[str, Say] = {
    "correction": _as("correction {}"),
    "kind": _words,
    "says": _plain,
    "reason": _quoted("because {}"),
    "scored_anew": _many("study", "studies", "{} scored anew"),
}
_ALERT: Mapping[str, Say] = {
    "rule": _as("by the rule “{}”", _words),
    "note": _quoted("note {}"),
    "by": _as("which {} had acknowledged"),
    "at": _as("on {}", _moment),
}
_LESION_ACT: Mapping[str, Say] = {"before": _before(_LESION), "now": _within(_LESION)}
_TOKEN: Mapping[str, Say] = {
    "for": _quoted(),
    "may": _as("which may {}", _words),
    "until": _as("valid until {}", _moment),
    "tokens": _many("token"),
}
_DEIDENTIFIED: Mapping[str, Say] = {
    "options": _as("keeping {}", _words),
    "done": _many("file", template="{} written"),
}
_SIGN_IN: Mapping[str, Say] = {
    "by": _as("with {}"),
    "instead_of": _as("in the place of {}"),
    "then": _as("then {}"),
    "replaced by": lambda value: f"in her place {str(value).removeprefix('user:')} signed in",
    "of": _as("at the browser {}"),
    "at": _as("with the address {}"),
}

_OF: Mapping[str, Mapping[str, Say]] = {
    "alert_acknowledged": _ALERT,
    "alert_opened_again": _ALERT,
    "api_called": {
        "act": _words,
        "call": _plain,
        "status": _status,
        "resource": _as("of the kind {}"),
        "told": _if("", "with too few women to be told"),
        "reason": _as("the token was refused: {}", _words),
    },
    "assessment_recorded": {"before": _before(_ASSESSMENT), "now": _within(_ASSESSMENT)},
    "audit_read": {
        "person": _as("what {} did"),
        "patient": _as("about {}"),
        "action": _as("where somebody {}", _words),
        "outcome": _as("that ended {}"),
        "since": _as("since {}"),
        "until": _as("until {}"),
    },
    "backup_finished": {"file": _as("as {}")},
    "backup_made": {"file": _as("as {}")},
    "benchmark": {"entry": _as("entry {}")},
    "biopsy_result_recorded": _EVENT,
    "cohort_saved": {"shared": _if("for everybody", "for themselves")},
    "cohort_scores_exported": {"exams": _many("exam"), "form": _as("in the form of {}")},
    "cohort_table_kept": {"screens": _many("screen")},
    "corrected": _CORRECTION,
    "correction_undone": _CORRECTION,
    "deidentified": _DEIDENTIFIED,
    "deidentify_begun": _DEIDENTIFIED,
    "event_added": _EVENT,
    "event_removed": _EVENT,
    "exported": {
        "patients": _many("woman", "women"),
        "simulated": _as("{} of them simulated"),
        "kind": _as("as {}"),
        "names": _if("with names"),
        "sealed": _if("sealed"),
    },
    "history_recorded": {"entries": _many("entry", "entries")},
    "image_read": {"models": _as("by {}")},
    "import_begun": _IMPORT,
    "import_cut_short": _IMPORT,
    "import_finished": _IMPORT,
    "lesion_described": _LESION_ACT,
    "lesion_joined": {"into": _quoted("into {}"), "lesion": _as("lesion {}")},
    "lesion_renamed": _LESION_ACT,
    "lesion_split": {"from": lambda _label: "", "to": _quoted("into {}")},
    "lesion_status": _LESION_ACT,
    "lesion_undone": {"undone": _quoted()},
    "lesions_recorded": {"lesions": _many("lesion")},
    "measurements_turned": {"turn": _words},
    "not_allowed": {"asked for": _as("“{}”", _words), "act": _as("to {}", _act)},
    "own_account_refused": {"wrong": _as("wrong {}", _words)},
    "own_password_set": {"first": _if("the first")},
    "priors_fetched": {
        "pacs": _as("from {}"),
        "found": _as("{} found"),
        "here": _as("{} of them here before"),
        "others": _as("{} of other women passed over"),
        "failed": _as("{} not given"),
    },
    "quarantine_set_aside": {"reason": _quoted("because {}")},
    "records_imported": _TABLE,
    "records_set_aside": _TABLE,
    "recovery_code_used": {"left": _as("{} left")},
    "report_made": {
        "format": lambda value: f"as {str(value).upper()}",
        "heat_maps": _many("heat map", template="with {}"),
    },
    "restored": {"copy_of": _as("the copy of {}", _moment)},
    "role_set": {"from": _as("from {}"), "to": _as("to {}"), "by": _as("as {} says")},
    "score_revealed_unread": {"reason": _quoted("because {}")},
    "sign_in_failed": _SIGN_IN,
    "signed_in": _SIGN_IN,
    "signed_out": _SIGN_IN,
    "storage_commitment": {
        "safe": _many("image", template="{} kept"),
        "lacking": _as("{} not"),
        "reported": _if("the sender was told", "the sender could not be told"),
    },
    "token_made": _TOKEN,
    "token_revoked": _TOKEN,
    "user_added": {"role": _as("as {}")},
    "women_listed": {"search": _quoted("searched for {}")},
}
"""Action -> how it says keys of its own."""

_SUBJECTS: Mapping[str, Say] = {
    "cohort": _quoted(),
    "image": _as("image {}"),
    "quarantine": _as("file {}"),
    "records": _as("table {}"),
    "sender": _plain,
    "study": _as("study {}"),
    "token": _quoted(),
    "view": _quoted(),
}
"""Kind of what an entry is about -> how it is said; people and women stand beside the sentence."""


def subject_phrase(subject: str | None, detail: Detail) -> str:
    """Say what thing an entry is about, where neither a column nor the phrases name it."""
    kind, _, key = (subject or "").partition(":")
    if kind not in _SUBJECTS or not key or key in map(str, detail.values()):
        return ""
    return _SUBJECTS[kind](key)


def phrases(action: str, detail: Detail) -> list[str]:
    """Say what an entry holds, a phrase a key, in the order in which they were written."""
    said = ((_phrase(action, key) or _as(f"{_words(key)} {{}}"))(value) for key, value in detail.items())
    return [one for one in said if one]


def unphrased(action: str, detail: Detail) -> list[str]:
    """Return the keys of an entry for which there is no phrase."""
    return [key for key in detail if _phrase(action, key) is None]


def _phrase(action: str, key: str) -> Say | None:
    return _OF.get(action, {}).get(key) or _EVERYWHERE.get(key)

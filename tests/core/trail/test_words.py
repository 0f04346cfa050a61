"""What an entry says, as an auditor reads it: a sentence for every action that the program writes, with all that it holds."""

from __future__ import annotations

import re

import pytest

from core.trail import WORDS
from core.trail.phrases import unphrased
from core.trail.words import in_words

EVENT = {
    "kind": "biopsy",
    "on": "2024-03-01",
    "end": None,
    "laterality": "L",
    "detail": "Core needle",
    "result": "benign",
    "by": "Dr. Hart",
    "at": "2024-03-04T09:30:00+00:00",
}
FILES = {"batch": 9, "from": "DICOMweb", "sender": "PACS", "study_date": "2024-03-01"}
SHA = "3fa9c1d2b0aa" + "0" * 52
TABLE = {"kind": "events", "sha256": SHA, "bad_lines": 2, "new": 3, "filled in": 1, "there already": 0}
CORRECTED = {
    "correction": 12,
    "kind": "set_aside",
    "says": "2 films set aside",
    "reason": "Another woman's.",
    "scored_anew": 1,
    "other": "B-2",
}
MEASURED = {
    "label": "Finding 1",
    "image": "2.25.7",
    "diameter_mm": 12.34,
    "short_mm": None,
    "box": [60, 250.5, 160, 350],
    "instead_of": 4,
    "proposed_by": "lesion_match",
}
RENAMED = {"label": "Finding 1", "before": {"label": "Finding 1"}, "now": {"label": "Mass"}}
TOKEN = {"for": "RIS", "may": "read write", "until": "2027-01-01T10:00+00:00"}
ALERT = {"rule": "risk_high", "note": "Seen.", "by": "Dr. Hart", "at": "2024-03-04T09:30:00+00:00"}
OPTIONS = {"options": ["safe_private"], "from": "page", "done": 3, "refused": 1}
ENDED = {"by": "St Mary", "sign_ins_ended": 1}
ASSESSMENT = {
    "version": 1, "bi_rads": "4A", "right": "1", "left": "4A", "density": "B", "management": "biopsy", "findings": "Mass",
    "compared_with": "2022-03-01", "note": None, "reason": None, "covered": True,
}  # fmt: skip
NOTHING_BEFORE = dict.fromkeys(ASSESSMENT) | {"version": 0}

# fmt: off
HELD: dict[str, list[tuple[dict[str, object], str | None]]] = {
    "account_linked": [(ENDED, None)],
    "account_unlinked": [(ENDED, None)],
    "alert_acknowledged": [({"rule": "risk_high", "note": "Seen."}, None)],
    "alert_opened_again": [(ALERT, "alert:7")],
    "alert_rules_applied": [({"women": 12}, "edition 3")],
    "api_called": [
        ({"act": "list_events", "call": "GET /api/v1/patients/{key}/events", "status": 200, "by token": "RIS"}, None),
        ({"act": "summary", "call": "POST /api/v1/cohorts/summary", "status": 200, "definition": {"format": 1, "kind": "both"}, "told": False}, None),
        ({"act": "search", "call": "GET /fhir/…", "status": 200, "resource": "Patient"}, None),
        ({"reason": "token_expired"}, None),
    ],
    "assessment_recorded": [({"before": NOTHING_BEFORE, "now": ASSESSMENT}, "study:2.25.1"), ({"before": ASSESSMENT, "now": ASSESSMENT}, "study:2.25.1")],
    "audit_read": [({"person": "eve", "patient": "A-1", "action": "signed_in", "outcome": "failed", "since": "2024-01-01", "until": "2024-02-01"}, None)],
    "backup_finished": [({"file": "b.zip"}, None)],
    "backup_made": [({"file": "b.zip"}, None)],
    "benchmark": [({"entry": 4}, None), ({}, None)],
    "biopsy_result_recorded": [({"on": "2024-03-01", "before": None, "result": "benign"}, "patient:1")],
    "cohort_deleted": [({}, "cohort:Dense")],
    "cohort_manifest_exported": [({"women": 40, "deidentified": True, "from": "page"}, "cohort")],
    "cohort_saved": [({"definition": {"format": 1, "age": [40, 50]}, "shared": True}, "cohort:Dense")],
    "cohort_scores_exported": [({"exams": 90, "form": "BCRBench", "from": "page"}, "cohort")],
    "cohort_table_kept": [({"screens": 200, "sha256": SHA}, "cohort:Table")],
    "cohort_table_removed": [({}, "cohort:Table")],
    "corrected": [(CORRECTED, "patient:A-1")],
    "correction_undone": [(CORRECTED, "patient:A-1")],
    "deidentified": [(OPTIONS, None)],
    "deidentify_begun": [({"options": [], "from": "command line"}, None)],
    "event_added": [({"kind": "biopsy", "on": "2024-03-01", "result": "benign"}, "patient:1")],
    "event_removed": [(EVENT, "patient:1")],
    "exported": [({"patients": 4, "simulated": 3, "names": True, "deidentified": False, "kind": "csv", "sealed": True, "from": "command line"}, "patients")],
    "finding_kept": [({"label": "Finding 1", "image": "2.25.7", "box": [1, 2, 3, 4], "diameter_mm": None}, "patient:1")],
    "finding_removed": [(MEASURED, "patient:1")],
    "history_recorded": [({"entries": 9}, "patient:1")],
    "image_read": [({"models": "tumour-mg", "image": "2.25.7"}, "study:2.25.1"), ({"models": "tumour-mg, density-mg", "images": 4}, "image:3fa9c1d2b0aa")],
    "images_seen": [({}, "study:2.25.1")],
    "import_begun": [(FILES, "batch:9")],
    "import_cut_short": [(FILES | {"accepted": 3, "duplicate": 1, "quarantined": 0}, "batch:9")],
    "import_finished": [(FILES | {"accepted": 3, "duplicate": 1, "quarantined": 0}, "patient:1")],
    "lesion_described": [({"label": "Finding 1", "before": {"kind": "", "node": False}, "now": {"kind": "mass", "node": True}}, "patient:1")],
    "lesion_joined": [({"label": "Finding 1", "into": "Finding 2", "lesion": 5, "measurements": [3, 4]}, "patient:1")],
    "lesion_measured": [(MEASURED, "patient:1")],
    "lesion_renamed": [(RENAMED, "patient:1")],
    "lesion_split": [({"label": "Finding 1", "from": "Finding 1", "to": "Finding 3", "measurements": [4]}, "patient:1")],
    "lesion_started": [(MEASURED, "patient:1")],
    "lesion_status": [({"label": "Finding 1", "before": {"status": "followed", "status_note": None}, "now": {"status": "known_benign", "status_note": "Biopsy"}}, "patient:1")],
    "lesion_undone": [({"label": "Finding 1", "undone": "Finding 1 is now called Mass"}, "patient:1")],
    "lesions_recorded": [({"lesions": 2}, "patient:1")],
    "measurements_turned": [({"turn": "half", "measurements": 2}, "image:2.25.7")],
    "not_allowed": [({"asked for": "see_patients", "act": "records.events.add_event"}, "user:eve"), ({"asked for": "/api/v1/patients"}, None)],
    "own_account_refused": [({"wrong": "password"}, "user:eve")],
    "own_password_set": [({"first": True}, "user:eve"), ({"sign_ins_ended": 2, "tokens_ended": 0}, "user:eve")],
    "password_set": [({}, "user:eve")],
    "patient_opened": [({}, "patient:1")],
    "permission_granted": [({"permission": "see_single_courses"}, "user:eve")],
    "permission_taken_back": [({"permission": "see_single_courses"}, "user:eve")],
    "priors_fetched": [({"pacs": "ARCHIVE", "found": 8, "here": 4, "others": 1, "failed": 0, "accepted": 4, "duplicate": 0, "quarantined": 0}, "patient:1")],
    "quarantine_brought_back": [({}, "quarantine:5")],
    "quarantine_downloaded": [({"sha256": SHA}, "quarantine:5")],
    "quarantine_looked": [({}, "quarantine:5")],
    "quarantine_resubmitted": [({}, "quarantine:5")],
    "quarantine_set_aside": [({"reason": "no breast"}, "quarantine:5")],
    "records_imported": [(TABLE, "records:3")],
    "records_set_aside": [({"event": 2, "risk_factors": 1, "assessment": 1, "patient": 1, "still_in_use": 1}, "records:3")],
    "recovery_code_used": [({"left": 9}, "user:eve")],
    "recovery_codes_made": [({}, "user:eve")],
    "report_made": [({"study": "2.25.1", "format": "pdf", "sha256": SHA, "from": "dashboard", "deidentified": True, "heat_maps": {"L-CC": SHA}}, "patient:1")],
    "restored": [({"copy_of": "2024-03-04T09:30+00:00", "sign_ins_ended": 2, "tokens_ended": 1}, None)],
    "role_set": [({"from": "staff", "to": "oncologist", "by": "St Mary"}, "user:eve")],
    "said_not_the_same": [({"other": "B-2"}, "patient:1")],
    "score_revealed_unread": [({"reason": "teaching"}, "study:2.25.1")],
    "scoring_retried": [({"studies": 2}, "studies")],
    "second_factor_off": [({}, "user:eve")],
    "second_factor_reset": [({"sign_ins_ended": 1}, "user:eve")],
    "second_factor_set_up": [({}, "user:eve")],
    "sender_refused": [({}, "sender:AET@192.0.2.1")],
    "sign_in_failed": [({"reason": "unknown name", "then": "locked"}, None), ({"by": "St Mary", "reason": "Your account here is closed."}, None)],
    "signed_in": [({"by": "St Mary"}, "user:eve"), ({"instead_of": "bob"}, "user:eve")],
    "signed_out": [({"of": "Firefox", "at": "192.0.2.7"}, "user:eve"), ({"replaced by": "user:bob"}, "user:eve")],
    "signed_out_by_admin": [({"sign_ins_ended": 1, "tokens_ended": 2}, "user:eve")],
    "signed_out_elsewhere": [({"sign_ins_ended": 1}, "user:eve")],
    "signed_out_outside": [(ENDED, "user:eve"), ({"by": "St Mary", "reason": "heard before"}, None)],
    "single_courses_seen": [({}, "cohort")],
    "storage_commitment": [({"safe": 4, "lacking": 0, "reported": False}, "sender:AET")],
    "token_made": [(TOKEN, "user:eve"), ({"may": "add_study"}, "token:ris")],
    "token_revoked": [({"for": "RIS"}, "user:eve"), ({"tokens": 2}, "user:eve"), ({}, "token:ris")],
    "user_activated": [({}, "user:eve")],
    "user_added": [({"role": "staff"}, "user:eve")],
    "user_deactivated": [({"reason": "first real patient"}, "user:eve")],
    "view_deleted": [({}, "view:Mine")],
    "view_saved": [({}, "view:Mine")],
    "withheld_score_shown": [({"study": "2.25.1", "on": "2024-03-01"}, "patient:1")],
    "withheld_shown": [({"image": "2.25.7"}, "patient:1")],
    "women_listed": [({"women": 2, "search": "Doe"}, None)],
}
# fmt: on
"""Action -> entries as the program writes them: what they hold, and what they are about."""

ENTRIES = [(action, *one) for action, entries in HELD.items() for one in entries]


def test_every_action_is_known_here() -> None:
    assert set(HELD) == set(WORDS)


@pytest.mark.parametrize(("action", "detail", "subject"), ENTRIES)
def test_an_entry_is_a_sentence_without_names_of_the_program(
    action: str, detail: dict[str, object], subject: str | None
) -> None:
    assert unphrased(action, detail) == []
    said = in_words(action, detail, subject)
    # An address of a call is named as it is; nothing else of the program's own shows.
    assert not re.search(
        r"[_\[\]]|\{(?!key\})|None|True|False|\b(mrn|sha256|bi_rads)\b|[0-9a-f]{40}", said
    ), said
    assert "::" not in said
    assert not re.search(r": *;|; *;|;$|: *$|  ", said), said


@pytest.mark.parametrize(
    ("action", "detail", "subject", "said"),
    [
        ("role_set", {"from": "staff", "to": "admin"}, "user:eve", "set a role: from staff; to admin"),
        (
            "assessment_recorded",
            {"before": NOTHING_BEFORE, "now": ASSESSMENT},
            "study:2.25.1",
            "recorded an assessment: study 2.25.1; version 1, BI-RADS 4A, right 1, left 4A, density B, biopsy, "
            "findings “Mass”, compared with 2022-03-01, signed before the score was seen",
        ),
        (
            "event_removed",
            EVENT,
            "patient:1",
            "removed an event: biopsy; of 2024-03-01; breast L; “Core needle”; result benign; recorded by Dr. Hart; "
            "on 2024-03-04 09:30 UTC",
        ),
        ("lesion_renamed", RENAMED, None, "renamed a lesion: “Finding 1”; instead of called “Finding 1”; called “Mass”"),
        ("women_listed", {"women": 1, "search": "Doe"}, None, "saw the worklist: 1 woman; searched for “Doe”"),
        (
            "api_called",
            {"act": "list_events", "call": "GET /api/v1/patients/{key}/events", "status": 403, "by token": "RIS"},
            None,
            "asked by a program: list events; GET /api/v1/patients/{key}/events; answered 403 (forbidden); "
            "by the token “RIS”",
        ),
        ("view_saved", {}, "view:Mine", "saved a view: “Mine”"),
        ("of_another_release", {"so_many": 3, "so": {"on": True}}, None, "of another release: so many 3; so on yes"),
    ],
)  # fmt: skip
def test_what_an_entry_holds_is_said(
    action: str, detail: dict[str, object], subject: str | None, said: str
) -> None:
    assert in_words(action, detail, subject) == said

"""What the entries of the trail say, in words: sentences, whose parts `core.trail.phrases` gives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.trail.phrases import phrases, subject_phrase

WORDS: Mapping[str, str] = {
    "account_linked": "an account signs in with the hospital's own sign-in from then on",
    "account_unlinked": "an account signs in with a password here from then on",
    "alert_acknowledged": "acknowledged an alert",
    "alert_opened_again": "opened an alert again",
    "alert_rules_applied": "alerts were judged anew by other rules",
    "api_called": "asked by a program",
    "assessment_recorded": "recorded an assessment",
    "audit_read": "read the audit trail",
    "backup_finished": "finished a backup",
    "backup_made": "began a backup",
    "benchmark": "measured how fast this machine writes",
    "biopsy_result_recorded": "recorded a biopsy's result",
    "cohort_deleted": "deleted a saved cohort",
    "cohort_manifest_exported": "exported a cohort's images as a manifest",
    "cohort_saved": "saved a cohort",
    "cohort_scores_exported": "exported a cohort's scores by woman",
    "cohort_table_kept": "kept a table as a cohort",
    "cohort_table_removed": "removed a table that was a cohort",
    "corrected": "corrected what was recorded",
    "correction_undone": "took a correction back",
    "deidentified": "wrote de-identified copies",
    "deidentify_begun": "began to write de-identified copies",
    "event_added": "recorded an event",
    "event_removed": "removed an event",
    "exported": "exported",
    "finding_kept": "kept a finding",
    "finding_removed": "removed a finding",
    "history_recorded": "her history was recorded",
    "image_read": "let a model read one of her images",
    "images_seen": "looked at her images",
    "import_begun": "began an import",
    "import_cut_short": "an import was cut short",
    "import_finished": "an import ended",
    "lesion_described": "described a lesion",
    "lesion_joined": "joined two lesions",
    "lesion_measured": "measured a lesion",
    "lesion_renamed": "renamed a lesion",
    "lesion_split": "split a lesion",
    "lesion_started": "began to follow a lesion",
    "lesion_status": "said how a lesion is followed",
    "lesion_undone": "took back what was done to a lesion",
    "lesions_recorded": "her lesions were recorded",
    "measurements_turned": "measurements were turned with their picture",
    "not_allowed": "asked for what her role does not include",
    "own_account_refused": "could not change their own account",
    "own_password_set": "chose a password of their own",
    "password_set": "set a password",
    "permission_granted": "granted a permission",
    "permission_taken_back": "took a permission back",
    "patient_opened": "opened her record",
    "priors_fetched": "fetched her priors",
    "quarantine_brought_back": "brought a file back into quarantine",
    "quarantine_downloaded": "downloaded a file from quarantine",
    "quarantine_looked": "looked at a file in quarantine",
    "quarantine_resubmitted": "handed in a file from quarantine again",
    "quarantine_set_aside": "set a file in quarantine aside",
    "records_imported": "imported records from a table",
    "records_set_aside": "set imported records aside",
    "recovery_code_used": "used a recovery code",
    "recovery_codes_made": "made new recovery codes",
    "report_made": "made a report",
    "restored": "restored a backup",
    "role_set": "set a role",
    "said_not_the_same": "said that two patients are not the same",
    "score_revealed_unread": "uncovered a score before the study was read",
    "scoring_retried": "put refused studies back in the queue",
    "second_factor_off": "turned their second factor off",
    "second_factor_reset": "reset a second factor",
    "second_factor_set_up": "set up a second factor",
    "sender_refused": "a sender was refused",
    "sign_in_failed": "could not sign in",
    "signed_in": "signed in",
    "signed_out": "signed out",
    "signed_out_by_admin": "ended somebody's sign-ins",
    "signed_out_elsewhere": "signed out everywhere else",
    "signed_out_outside": "was signed out by the hospital's own sign-in",
    "single_courses_seen": "saw courses of single women",
    "storage_commitment": "a sender asked whether images are kept",
    "token_made": "made a token",
    "token_revoked": "ended a token",
    "user_activated": "opened an account",
    "user_added": "added an account",
    "user_deactivated": "closed an account",
    "view_deleted": "deleted a saved view",
    "view_saved": "saved a view",
    "withheld_score_shown": "showed a score that is withheld",
    "withheld_shown": "showed what a withheld model would say of an image",
    "women_listed": "saw the worklist",
}
"""Action -> what the person did; the name of the person stands before it."""

OUTCOMES: Mapping[str, str] = {"done": "", "refused": "refused", "failed": "failed"}


def in_words(action: str, detail: Mapping[str, Any], subject: str | None = None) -> str:
    """Say what was done, to what, and what the entry holds beside it; an action of another release by its own name."""
    said = WORDS.get(action, action.replace("_", " "))
    about = subject_phrase(subject, detail)
    beside = "; ".join([*([about] if about else []), *phrases(action, detail)])
    return f"{said}: {beside}" if beside else said

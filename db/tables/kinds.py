"""The words that columns take: sexes, sides, states, roles."""

from __future__ import annotations

import enum


class Sex(enum.StrEnum):
    """Administrative sex as DICOM (0010,0040) codes it; unknown is null."""

    FEMALE = "F"
    MALE = "M"
    OTHER = "O"


class Laterality(enum.StrEnum):
    """The breast an image or a finding belongs to."""

    LEFT = "L"
    RIGHT = "R"


class ImageSide(enum.StrEnum):
    """The breast that an image shows; both of them, or not said which, in pictures by other means than X-rays alone."""

    LEFT = "L"
    RIGHT = "R"
    BOTH = "B"


class StudyStatus(enum.StrEnum):
    """Where a study stands on its way to a score. This column is the queue: what is pending is scored."""

    PENDING = "pending"
    SCORED = "scored"
    REFUSED = "refused"


class Outcome(enum.StrEnum):
    """How one file of an import ended."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    QUARANTINED = "quarantined"


class Settled(enum.StrEnum):
    """What a person did with a file in quarantine."""

    RESUBMITTED = "resubmitted"
    SET_ASIDE = "set_aside"


class Role(enum.StrEnum):
    """What a person does here; decides which pages and actions are open to her."""

    ONCOLOGIST = "oncologist"
    STAFF = "staff"
    ANALYST = "analyst"
    ADMIN = "admin"


class LesionStatus(enum.StrEnum):
    """How a lesion is followed: with its size as news, quietly, or not any more."""

    FOLLOWED = "followed"
    KNOWN_BENIGN = "known_benign"
    RESOLVED = "resolved"


class EventKind(enum.StrEnum):
    """What happened to a patient beside her studies; a contact says that she was seen alive on that day, without a study."""

    BIOPSY = "biopsy"
    DIAGNOSIS = "diagnosis"
    SURGERY = "surgery"
    MASTECTOMY = "mastectomy"
    THERAPY = "therapy"
    CONTACT = "contact"
    DEATH = "death"
    NOTE = "note"


class EventResult(enum.StrEnum):
    """What the pathologist said of a biopsy."""

    BENIGN = "benign"
    HIGH_RISK = "high-risk"
    MALIGNANT = "malignant"
    INCONCLUSIVE = "inconclusive"

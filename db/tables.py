"""The tables: one class a noun. Times are UTC; lengths are millimetres; probabilities are 0..1."""

from __future__ import annotations

import enum
import re
import secrets
from datetime import UTC, date, datetime
from typing import Any

import sqlalchemy
from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    DateTime,
    Dialect,
    Enum,
    ForeignKey,
    Index,
    LargeBinary,
    MetaData,
    TypeDecorator,
    UniqueConstraint,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship


class Sex(enum.StrEnum):
    """Administrative sex as DICOM (0010,0040) codes it; unknown is null."""

    FEMALE = "F"
    MALE = "M"
    OTHER = "O"


class Laterality(enum.StrEnum):
    """The breast an image or a finding belongs to."""

    LEFT = "L"
    RIGHT = "R"


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


def utc_now() -> datetime:
    """Return the present moment, timezone-aware, in UTC."""
    return datetime.now(UTC)


class UtcDateTime(TypeDecorator[datetime]):
    """A timezone-aware moment, stored as naive UTC (SQLite keeps no zone)."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Convert to naive UTC; a naive value is a programming error."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("A moment needs a time zone.")
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give back a timezone-aware moment."""
        return None if value is None else value.replace(tzinfo=UTC)


# NUL ends a text in PostgreSQL, which refuses it; a half of a surrogate pair has no UTF-8 and stops every writer.
_NOT_KEPT = re.compile("[\x00\ud800-\udfff]")


def storable_text(text: str) -> str:
    """Return a text with U+FFFD in the place of every character that no database keeps: NUL, half a surrogate pair."""
    return _NOT_KEPT.sub("\ufffd", text)


def storable(value: Any) -> Any:
    """Return a JSON document whose keys and texts can all be stored."""
    if isinstance(value, str):
        return storable_text(value)
    if isinstance(value, dict):
        return {storable(key): storable(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [storable(inner) for inner in value]
    return value


class String(TypeDecorator[str]):
    """A text of bounded length; whatever is written or looked for goes through `storable_text`."""

    impl = sqlalchemy.String
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Replace what no database keeps."""
        return None if value is None else storable_text(value)


class Text(String):
    """A text of any length; whatever is written or looked for goes through `storable_text`."""

    impl = sqlalchemy.Text
    cache_ok = True


class Document(TypeDecorator[Any]):
    """A JSON document; its texts go through `storable_text`."""

    impl = sqlalchemy.JSON
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        """Replace what no database keeps, however deep it lies."""
        return storable(value)


def _enum(kind: type[enum.StrEnum]) -> Enum:
    """Store an enum by its value, checked by the database."""
    return Enum(
        kind,
        native_enum=False,
        create_constraint=True,
        values_callable=lambda members: [member.value for member in members],
        name=kind.__name__.lower(),
        length=16,
    )


class Base(DeclarativeBase):
    """Base of all tables; constraints get stable names, so that migrations can change them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy's own protocol
        datetime: UtcDateTime(),
        str: Text(),
        dict[str, Any]: Document(),
        list[Any]: Document(),
        Sex: _enum(Sex),
        Laterality: _enum(Laterality),
        StudyStatus: _enum(StudyStatus),
        Outcome: _enum(Outcome),
        Settled: _enum(Settled),
        Role: _enum(Role),
        EventKind: _enum(EventKind),
        EventResult: _enum(EventResult),
        LesionStatus: _enum(LesionStatus),
    }


class PutAway:
    """What a correction may put away. It stays, and only who asks for it finds it (`db.sessions.WITH_PUT_AWAY`).

    `put_away_by_id` is the correction's (no foreign key: corrections are never deleted); null is what counts.
    """

    put_away_by_id: Mapped[int | None]


def new_key() -> str:
    """Return a key that nobody can guess, and that says nothing of what it stands for."""
    return secrets.token_urlsafe(12)


class Patient(PutAway, Base):
    """A woman who is followed. `simulated` marks the women that a simulator made; what is not known of her is null.

    `key` is what names her in addresses: random, it says nothing of her. `mrn_issuer` says who gave the MRN (Issuer of Patient ID (0010,0021)). `other_names` holds her name in other scripts
    than `name`, one a line. `merged_into_id` is the woman that she turned out to be; her own row is put away then.
    """

    __tablename__ = "patient"

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(16), unique=True, default=new_key)
    mrn: Mapped[str] = mapped_column(String(64), unique=True)
    mrn_issuer: Mapped[str | None] = mapped_column(String(64))
    name: Mapped[str | None] = mapped_column(String(256))
    other_names: Mapped[str | None] = mapped_column(Text)
    birth_date: Mapped[date | None]
    sex: Mapped[Sex | None]
    simulated: Mapped[bool] = mapped_column(default=False, index=True)
    merged_into_id: Mapped[int | None]
    created_at: Mapped[datetime] = mapped_column(default=utc_now)

    studies: Mapped[list[Study]] = relationship(
        back_populates="patient", order_by="Study.study_date, Study.id"
    )
    events: Mapped[list[Event]] = relationship(
        back_populates="patient", order_by="Event.event_date, Event.id"
    )
    risk_factors: Mapped[list[RiskFactors]] = relationship(
        back_populates="patient", order_by="RiskFactors.recorded_on"
    )
    lesions: Mapped[list[Lesion]] = relationship(back_populates="patient")


class RiskFactors(Base):
    """What was known of a patient's risk factors on a date; unknown is null."""

    __tablename__ = "risk_factors"
    __table_args__ = (UniqueConstraint("patient_id", "recorded_on"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    patient_id: Mapped[int] = mapped_column(ForeignKey("patient.id", ondelete="CASCADE"))
    recorded_on: Mapped[date]
    bmi: Mapped[float | None]
    first_degree_relatives_with_breast_cancer: Mapped[int | None]
    postmenopausal: Mapped[bool | None]
    hormone_therapy: Mapped[bool | None]
    prior_biopsy: Mapped[bool | None]

    patient: Mapped[Patient] = relationship(back_populates="risk_factors")


class Study(PutAway, Base):
    """One visit: the images of one day, and what the reader said of them; put away where a correction took all its images.

    `bi_rads` is the category of the breast of highest concern, of the last version of the assessment; it, the density, the
    note, who and when are kept here too for whoever asks for the assessment that stands (`AssessmentVersion`).
    `read_in_part` says that it is the record of a reading elsewhere that leaves something out: the study is yet to be read.

    `inputs_changed_at` moves whenever the study or an earlier one of the same woman gains images, or her birth date
    becomes known; a score older than it is out of date. `claimed_until` is a worker's lease: past it the study is free
    again. `attempts` counts what it failed in by itself since it was queued; `failed_after_score` is the newest score
    there was when it last failed. `put_off_since` and `put_off_because` say that it waits for something else than
    its turn, and for what.
    """

    __tablename__ = "study"
    __table_args__ = (
        Index("ix_study_patient_date", "patient_id", "study_date"),
        Index("ix_study_queue", "status", "claimed_until"),
        CheckConstraint(
            "bi_rads IS NULL OR bi_rads IN ('0','1','2','3','4A','4B','4C','4','5','6')", "bi_rads"
        ),
        CheckConstraint("reader_density IS NULL OR reader_density IN ('A','B','C','D')", "reader_density"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    uid: Mapped[str] = mapped_column(String(64), unique=True)
    patient_id: Mapped[int] = mapped_column(ForeignKey("patient.id", ondelete="CASCADE"))
    study_date: Mapped[date]
    modality: Mapped[str] = mapped_column(String(16), default="MG")
    description: Mapped[str | None] = mapped_column(String(256))
    status: Mapped[StudyStatus] = mapped_column(default=StudyStatus.PENDING)
    refusal_reason: Mapped[str | None] = mapped_column(String(64))
    refusal_detail: Mapped[str | None] = mapped_column(Text)
    refused_at: Mapped[datetime | None]
    inputs_changed_at: Mapped[datetime] = mapped_column(default=utc_now)
    claimed_by: Mapped[str | None] = mapped_column(String(128))
    claimed_until: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(default=0)
    failed_after_score: Mapped[int | None]
    put_off_since: Mapped[datetime | None]
    put_off_because: Mapped[str | None] = mapped_column(Text)
    bi_rads: Mapped[str | None] = mapped_column(String(2))
    bi_rads_edition: Mapped[str | None] = mapped_column(String(16))
    reader_density: Mapped[str | None] = mapped_column(String(1))
    assessment_note: Mapped[str | None] = mapped_column(Text)
    assessed_by_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"))
    assessed_at: Mapped[datetime | None]
    read_in_part: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)

    patient: Mapped[Patient] = relationship(back_populates="studies")
    images: Mapped[list[Image]] = relationship(back_populates="study", order_by="Image.id")
    scores: Mapped[list[Score]] = relationship(back_populates="study", order_by="Score.computed_at, Score.id")
    assessed_by: Mapped[User | None] = relationship()


def _categories(column: str) -> CheckConstraint:
    """Let a column hold only BI-RADS assessments of any edition."""
    return CheckConstraint(
        f"{column} IS NULL OR {column} IN ('0','1','2','3','4A','4B','4C','4','5','6')", column
    )


class AssessmentVersion(Base):
    """What a reader recorded of a study, in one version. Rows are added, never edited: a correction is a new version.

    `bi_rads` is the category of highest concern; that of a breast is null where it was not examined, and in a version of
    before breasts were told apart. `comparison_uid` and `comparison_date` name the prior that the study was compared with;
    both null where there was none. `covered` says that no score of the study was shown when it was signed, `revealed_at`
    when one was to its readers; null where that is not known, or there was none. `score_id` is the score that stood beside it.
    """

    __tablename__ = "assessment"
    __table_args__ = (
        UniqueConstraint("study_id", "version"),
        _categories("bi_rads"),
        _categories("bi_rads_right"),
        _categories("bi_rads_left"),
        CheckConstraint("density IS NULL OR density IN ('A','B','C','D')", "density"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    study_id: Mapped[int] = mapped_column(ForeignKey("study.id", ondelete="CASCADE"))
    version: Mapped[int]
    bi_rads: Mapped[str | None] = mapped_column(String(2))
    bi_rads_right: Mapped[str | None] = mapped_column(String(2))
    bi_rads_left: Mapped[str | None] = mapped_column(String(2))
    edition: Mapped[str | None] = mapped_column(String(16))
    density: Mapped[str | None] = mapped_column(String(1))
    findings: Mapped[str | None] = mapped_column(Text)
    comparison_uid: Mapped[str | None] = mapped_column(String(64))
    comparison_date: Mapped[date | None]
    management: Mapped[str | None] = mapped_column(String(32))
    note: Mapped[str | None] = mapped_column(Text)
    reason: Mapped[str | None] = mapped_column(Text)
    covered: Mapped[bool | None]
    revealed_at: Mapped[datetime | None]
    score_id: Mapped[int | None] = mapped_column(ForeignKey("score.id", ondelete="SET NULL"))
    signed_by_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"))
    signed_at: Mapped[datetime | None]


class UnreadReveal(Base):
    """That somebody had the scores of a study shown before it was read, and why; the first one stays."""

    __tablename__ = "unread_reveal"

    study_id: Mapped[int] = mapped_column(ForeignKey("study.id", ondelete="CASCADE"), primary_key=True)
    revealed_by_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"))
    revealed_at: Mapped[datetime] = mapped_column(default=utc_now)
    reason: Mapped[str] = mapped_column(Text)


class Image(PutAway, Base):
    """One view; put away is a film that was not wanted. `sha256` is the key of its bytes as received in the image store (a DICOM preamble is zeroed first).

    `rendition_sha256` is the key of the pixels prepared for the viewer, `thumbnail_sha256` of a small PNG. `file_says`
    (the column ``stated``) holds what the file says beside or against the record that it is kept in: her age, and its
    words on patient, day, side and view where a person said otherwise. `reading` is the number of the reading that its
    pictures and these facts were made by (`core.images.READING`).
    words on patient, day, side and view where a person said otherwise. `measured` is what was measured of how it was taken
    (`core.images.quality`); null in an image of before that was done. `quality_flags` follow from it, the view and the file.
    """

    __tablename__ = "image"

    id: Mapped[int] = mapped_column(primary_key=True)
    study_id: Mapped[int] = mapped_column(ForeignKey("study.id", ondelete="CASCADE"), index=True)
    sop_uid: Mapped[str] = mapped_column(String(64), unique=True)
    sha256: Mapped[str] = mapped_column(String(64), unique=True)
    media_type: Mapped[str] = mapped_column(String(32))
    source_name: Mapped[str] = mapped_column(String(512))
    laterality: Mapped[Laterality]
    view: Mapped[str] = mapped_column(String(16))
    rows: Mapped[int]
    columns: Mapped[int]
    bits_stored: Mapped[int]
    pixel_spacing_mm: Mapped[float | None]
    window_center: Mapped[float | None]
    window_width: Mapped[float | None]
    manufacturer: Mapped[str | None] = mapped_column(String(128))
    quality_flags: Mapped[list[Any]] = mapped_column(default=list)
    measured: Mapped[dict[str, Any] | None] = mapped_column(Document(none_as_null=True))
    file_says: Mapped[dict[str, Any]] = mapped_column("stated", default=dict)
    rendition_sha256: Mapped[str] = mapped_column(String(64))
    thumbnail_sha256: Mapped[str] = mapped_column(String(64))
    reading: Mapped[int] = mapped_column(default=0, server_default="0")
    created_at: Mapped[datetime] = mapped_column(default=utc_now)

    study: Mapped[Study] = relationship(back_populates="images")
    embeddings: Mapped[list[Embedding]] = relationship(back_populates="image")


class Embedding(Base):
    """What one encoder saw in one image, kept so that an image passes an encoder once.

    `vector` is float32, little-endian, length `dimensions`; `heat_map` float16, shape `heat_map_shape`.
    `transform` maps heat-map and network coordinates back to the original pixels.
    """

    __tablename__ = "embedding"
    __table_args__ = (UniqueConstraint("image_id", "encoder_sha256"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    image_id: Mapped[int] = mapped_column(ForeignKey("image.id", ondelete="CASCADE"))
    encoder_sha256: Mapped[str] = mapped_column(String(64))
    dimensions: Mapped[int]
    vector: Mapped[bytes] = mapped_column(LargeBinary)
    heat_map: Mapped[bytes] = mapped_column(LargeBinary)
    heat_map_shape: Mapped[list[Any]]
    transform: Mapped[dict[str, Any]]
    finding: Mapped[dict[str, Any]]
    density: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = mapped_column(default=utc_now)

    image: Mapped[Image] = relationship(back_populates="embeddings")


class Score(PutAway, Base):
    """What one model said of one study, as of that study's date. Rows are added, never edited.

    Put away is what was said of images, a date or an age that were corrected since.

    `malignancy_*`: probability of cancer present or found within 12 months, per breast; null where that breast
    has no image. `progression`: probability that disease has grown since the previous study; null at the first;
    `progression_after`: the same for a woman who has had a diagnosis. `risk_Ny`: probability of cancer within N years.
    `*_low`, `*_high`: 90 % intervals; null in scores of before they were kept. `smallest_change`: of 5-year risk, in
    log-odds; a smaller one is what position and exposure do; null where that was not measured. `contributions`: one
    ``{"study_uid", "study_date", "value"}`` a visit. `inputs`: sha256 of every image that was read, by study UID.
    `trust_*`: how far it may be believed (`core.rules.trust`); only a trusted score is shown as a number. `left_out`: views
    of earlier visits that were unlike what the model knows, as ``{"study_date", "view"}``. `moved`: why the 5-year risk is
    another than the prior's, as ``{"from", "to", "from_study", "parts": [{"what", "log_odds"}]}``; null at a first visit and
    where the two were not said alike. `density_of_views`: where the score may not be told, what a model of single views says
    of density, as ``{"model", "weights_sha256", "images", "shares"}``; null where none knows such pictures.
    """

    __tablename__ = "score"
    __table_args__ = (Index("ix_score_study_computed", "study_id", "computed_at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    study_id: Mapped[int] = mapped_column(ForeignKey("study.id", ondelete="CASCADE"))
    model: Mapped[str] = mapped_column(String(255))
    weights_sha256: Mapped[str] = mapped_column(String(64))
    calibration: Mapped[str] = mapped_column(Text)
    inputs: Mapped[dict[str, Any]]
    computed_at: Mapped[datetime] = mapped_column(default=utc_now)
    malignancy_left: Mapped[float | None]
    malignancy_left_low: Mapped[float | None]
    malignancy_left_high: Mapped[float | None]
    malignancy_right: Mapped[float | None]
    malignancy_right_low: Mapped[float | None]
    malignancy_right_high: Mapped[float | None]
    progression: Mapped[float | None]
    progression_low: Mapped[float | None]
    progression_high: Mapped[float | None]
    progression_after: Mapped[float | None]
    progression_after_low: Mapped[float | None]
    progression_after_high: Mapped[float | None]
    smallest_change: Mapped[float | None]
    risk_1y: Mapped[float]
    risk_1y_low: Mapped[float]
    risk_1y_high: Mapped[float]
    risk_2y: Mapped[float]
    risk_2y_low: Mapped[float]
    risk_2y_high: Mapped[float]
    risk_3y: Mapped[float]
    risk_3y_low: Mapped[float]
    risk_3y_high: Mapped[float]
    risk_4y: Mapped[float]
    risk_4y_low: Mapped[float]
    risk_4y_high: Mapped[float]
    risk_5y: Mapped[float]
    risk_5y_low: Mapped[float]
    risk_5y_high: Mapped[float]
    density_a: Mapped[float]
    density_b: Mapped[float]
    density_c: Mapped[float]
    density_d: Mapped[float]
    priors: Mapped[int]
    missing_views: Mapped[list[Any]] = mapped_column(default=list)
    contributions: Mapped[list[Any]] = mapped_column(default=list)
    trust_level: Mapped[str] = mapped_column(String(16), default="withheld")
    trust_doubt: Mapped[str | None] = mapped_column(String(32))
    trust_distance: Mapped[float | None]
    trust_limit: Mapped[float | None]
    left_out: Mapped[list[Any]] = mapped_column(default=list)
    moved: Mapped[dict[str, Any] | None]
    density_of_views: Mapped[dict[str, Any] | None]

    study: Mapped[Study] = relationship(back_populates="scores")


class Lesion(Base):
    """A finding that is followed across studies.

    `organ` is null for the breast; of a `node` the short axis is what counts. `status_at` says since when, and by whom, the
    status is what it is. `version` rises with every act on the lesion and its measurements, so that nobody changes what she
    has not seen.
    """

    __tablename__ = "lesion"

    id: Mapped[int] = mapped_column(primary_key=True)
    patient_id: Mapped[int] = mapped_column(ForeignKey("patient.id", ondelete="CASCADE"), index=True)
    laterality: Mapped[Laterality]
    label: Mapped[str] = mapped_column(String(64))
    kind: Mapped[str | None] = mapped_column(String(32))
    node: Mapped[bool] = mapped_column(default=False)
    organ: Mapped[str | None] = mapped_column(String(32))
    status: Mapped[LesionStatus] = mapped_column(default=LesionStatus.FOLLOWED)
    status_at: Mapped[datetime | None]
    status_by_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"))
    note: Mapped[str | None] = mapped_column(Text)
    version: Mapped[int] = mapped_column(default=1)
    recorded_by_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"))
    created_at: Mapped[datetime] = mapped_column(default=utc_now)

    patient: Mapped[Patient] = relationship(back_populates="lesions")
    measurements: Mapped[list[Measurement]] = relationship(back_populates="lesion")


class Measurement(Base):
    """One measurement of a lesion on one image; the box is in original pixels, origin top left.

    `diameter_mm` is the long axis, of a box without one its longer side; `short_mm` the short axis. `axes` holds the ends
    of both as ``{"long": [x0, y0, x1, y1], "short": …}`` in original pixels. `view_code` is the view that it was made on
    (R-CC): another one of its image today says that the view was corrected since. `proposed_by` says how its place was
    proposed, from that of `proposed_from_id`; who measured it confirmed it. `reading` is what a model said of the box when
    it was kept, with the model's name; null if none was asked. What was taken back has `removed_at` and is shown nowhere.
    """

    __tablename__ = "measurement"

    id: Mapped[int] = mapped_column(primary_key=True)
    lesion_id: Mapped[int] = mapped_column(ForeignKey("lesion.id", ondelete="CASCADE"), index=True)
    image_id: Mapped[int] = mapped_column(ForeignKey("image.id", ondelete="CASCADE"))
    view_code: Mapped[str | None] = mapped_column(String(16))
    diameter_mm: Mapped[float | None]
    short_mm: Mapped[float | None]
    axes: Mapped[dict[str, Any] | None]
    x0: Mapped[float]
    y0: Mapped[float]
    x1: Mapped[float]
    y1: Mapped[float]
    reading: Mapped[dict[str, Any] | None]
    proposed_by: Mapped[str | None] = mapped_column(String(16))
    proposed_from_id: Mapped[int | None] = mapped_column(ForeignKey("measurement.id", ondelete="SET NULL"))
    measured_by_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"))
    measured_at: Mapped[datetime] = mapped_column(default=utc_now)
    removed_at: Mapped[datetime | None]
    removed_by_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"))

    lesion: Mapped[Lesion] = relationship(back_populates="measurements")
    image: Mapped[Image] = relationship()


class Event(Base):
    """What happened to a patient on a date, beside her studies; a therapy may have an end, a biopsy a result.

    A mastectomy of no one side is of both breasts.
    """

    __tablename__ = "event"

    id: Mapped[int] = mapped_column(primary_key=True)
    patient_id: Mapped[int] = mapped_column(ForeignKey("patient.id", ondelete="CASCADE"), index=True)
    kind: Mapped[EventKind]
    event_date: Mapped[date]
    end_date: Mapped[date | None]
    laterality: Mapped[Laterality | None]
    result: Mapped[EventResult | None]
    detail: Mapped[str | None] = mapped_column(Text)
    recorded_by_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"))
    created_at: Mapped[datetime] = mapped_column(default=utc_now)

    patient: Mapped[Patient] = relationship(back_populates="events")


class Alert(Base):
    """Why a patient needs a look, raised by a score; acknowledged by a person with a note, never deleted."""

    __tablename__ = "alert"
    __table_args__ = (
        UniqueConstraint("study_id", "rule"),
        Index("ix_alert_open", "acknowledged_at", "patient_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    patient_id: Mapped[int] = mapped_column(ForeignKey("patient.id", ondelete="CASCADE"))
    study_id: Mapped[int] = mapped_column(ForeignKey("study.id", ondelete="CASCADE"))
    score_id: Mapped[int] = mapped_column(ForeignKey("score.id", ondelete="CASCADE"))
    rule: Mapped[str] = mapped_column(String(32))
    message: Mapped[str] = mapped_column(String(256))
    raised_at: Mapped[datetime] = mapped_column(default=utc_now)
    acknowledged_at: Mapped[datetime | None]
    acknowledged_by_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"))
    acknowledgement: Mapped[str | None] = mapped_column(Text)


class Correction(Base):
    """That something which went in wrong was put right, by whom, why, and whether that was undone since.

    `kind` is a `core.corrections.Kind`; `mrn` is the woman whose page it was made on, `other_mrn` the other one of a move or
    a merge. `says` is what was done, in a sentence; `changes` all that it changed, before and after, from which it is undone.
    """

    __tablename__ = "correction"
    __table_args__ = (Index("ix_correction_mrn", "mrn"), Index("ix_correction_other_mrn", "other_mrn"))

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    mrn: Mapped[str] = mapped_column(String(64))
    other_mrn: Mapped[str | None] = mapped_column(String(64))
    says: Mapped[str] = mapped_column(Text)
    changes: Mapped[dict[str, Any]] = mapped_column(default=dict)
    reason: Mapped[str] = mapped_column(Text)
    made_by_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"))
    made_at: Mapped[datetime] = mapped_column(default=utc_now)
    undone_by_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"))
    undone_at: Mapped[datetime | None]
    undo_reason: Mapped[str | None] = mapped_column(Text)


class ImportBatch(Base):
    """One call of the intake, from the command line, a page, the demo or another machine; `finished_at` is null while it runs.

    `sender` names the machine that sent it, by AE title and address, or the service by its token.
    """

    __tablename__ = "import_batch"

    id: Mapped[int] = mapped_column(primary_key=True)
    source: Mapped[str] = mapped_column(String(16))
    sender: Mapped[str | None] = mapped_column(String(128))
    user_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"))
    stated_mrn: Mapped[str | None] = mapped_column(String(64))
    stated_study_date: Mapped[date | None]
    started_at: Mapped[datetime] = mapped_column(default=utc_now)
    finished_at: Mapped[datetime | None]

    items: Mapped[list[ImportItem]] = relationship(back_populates="batch", order_by="ImportItem.id")


class ImportItem(Base):
    """How one file of a batch ended. A quarantined file's bytes are kept under `sha256` in the quarantine.

    `sop_uid` is the SOP Instance UID that the sender gave it; null where it did not come over the network.
    """

    __tablename__ = "import_item"

    id: Mapped[int] = mapped_column(primary_key=True)
    batch_id: Mapped[int] = mapped_column(ForeignKey("import_batch.id", ondelete="CASCADE"), index=True)
    path: Mapped[str] = mapped_column(String(1024))
    sha256: Mapped[str | None] = mapped_column(String(64), index=True)
    sop_uid: Mapped[str | None] = mapped_column(String(64), index=True)
    outcome: Mapped[Outcome]
    reason: Mapped[str | None] = mapped_column(String(64))
    detail: Mapped[str | None] = mapped_column(Text)
    image_id: Mapped[int | None] = mapped_column(ForeignKey("image.id", ondelete="SET NULL"))
    created_at: Mapped[datetime] = mapped_column(default=utc_now)

    __table_args__ = (Index("ix_import_item_outcome", "outcome", "id"),)

    batch: Mapped[ImportBatch] = relationship(back_populates="items")


class SettledItem(Base):
    """What a person did with a quarantined file: sent it in again with what was missing, or set it aside with a reason.

    The file's bytes stay in the quarantine either way.
    """

    __tablename__ = "settled_item"

    item_id: Mapped[int] = mapped_column(ForeignKey("import_item.id", ondelete="CASCADE"), primary_key=True)
    how: Mapped[Settled]
    reason: Mapped[str | None] = mapped_column(Text)
    at: Mapped[datetime] = mapped_column(default=utc_now)
    by_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"))


class NotTheSame(Base):
    """Two patients who look like one woman, and of whom a person said that they are two; the lower id comes first."""

    __tablename__ = "not_the_same"

    one_id: Mapped[int] = mapped_column(ForeignKey("patient.id", ondelete="CASCADE"), primary_key=True)
    other_id: Mapped[int] = mapped_column(ForeignKey("patient.id", ondelete="CASCADE"), primary_key=True)
    at: Mapped[datetime] = mapped_column(default=utc_now)
    by_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"))


class WatchedFile(Base):
    """A file of a watched folder that was answered; it is asked again only when its size or time changes.

    `path_sha256` is of its whole path. `changed_ns` is its time of change in nanoseconds since 1970. Of an archive the
    outcome is that of its worst file.
    """

    __tablename__ = "watched_file"

    path_sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    size: Mapped[int] = mapped_column(BigInteger)
    changed_ns: Mapped[int] = mapped_column(BigInteger)
    outcome: Mapped[Outcome]
    answered_at: Mapped[datetime] = mapped_column(default=utc_now)


class RecordImport(Base):
    """One table of records that was taken in: of which kind, from which file, and what it made, to set it aside again.

    `made` holds the rows that were made, as ``{"event": [1, 2], …}`` by table and id.
    """

    __tablename__ = "record_import"

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(32))
    file_name: Mapped[str] = mapped_column(String(256))
    sha256: Mapped[str] = mapped_column(String(64))
    rows: Mapped[int]
    made: Mapped[dict[str, Any]] = mapped_column(default=dict)
    imported_by_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"))
    imported_at: Mapped[datetime] = mapped_column(default=utc_now)
    set_aside_at: Mapped[datetime | None]
    set_aside_by_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"))


class User(Base):
    """A person with an account here. The password is kept as an argon2id hash.

    `demo` marks an account of the demo that still has its published password, or had it when it was closed for good.
    `granted` holds what an admin lets her do beside her role (`core.people.roles.Permission`). `password_to_change` says
    that somebody else chose her password. `totp_secret` is sealed (`core.people.second_factor`), `totp_step` the time step
    of the last code that was taken. `subject` names a person whom the hospital's own sign-in answers for, and who has no
    password here.
    """

    __tablename__ = "user"

    id: Mapped[int] = mapped_column(primary_key=True)
    username: Mapped[str] = mapped_column(String(64), unique=True)
    display_name: Mapped[str] = mapped_column(String(128))
    password_hash: Mapped[str] = mapped_column(String(256))
    role: Mapped[Role]
    active: Mapped[bool] = mapped_column(default=True)
    demo: Mapped[bool] = mapped_column(default=False)
    granted: Mapped[list[Any]] = mapped_column(default=list)
    password_to_change: Mapped[bool] = mapped_column(default=False)
    totp_secret: Mapped[str | None] = mapped_column(Text)
    totp_step: Mapped[int | None] = mapped_column(BigInteger)
    subject: Mapped[str | None] = mapped_column(String(512), unique=True, index=True)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)


class RecoveryCode(Base):
    """A code that stands once for the second factor of a person who has lost hers: its sha256, never the code itself."""

    __tablename__ = "recovery_code"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"), index=True)
    code_sha256: Mapped[str] = mapped_column(String(64))


class KnownBrowser(Base):
    """A browser in which a person has signed in: the sha256 of what its cookie holds for that, never that itself."""

    __tablename__ = "known_browser"

    token_sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"), primary_key=True)
    signed_in_at: Mapped[datetime] = mapped_column(default=utc_now)


class SignIn(Base):
    """A signed-in browser: the sha256 of its cookie's token, never the token itself.

    `lacks` is what the person has still to do before it opens anything (`core.people.steps.Step`), `offer` the sealed
    second factor that she is setting up meanwhile. `seen_at` is when she did something last; `browser` is told in words.
    """

    __tablename__ = "sign_in"

    token_sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    expires_at: Mapped[datetime]
    seen_at: Mapped[datetime] = mapped_column(default=utc_now)
    address: Mapped[str | None] = mapped_column(String(64))
    browser: Mapped[str | None] = mapped_column(String(64))
    lacks: Mapped[str | None] = mapped_column(String(16))
    offer: Mapped[str | None] = mapped_column(Text)

    user: Mapped[User] = relationship()


class ServiceToken(Base):
    """What a program shows in the place of a sign-in: the sha256 of its token, never the token itself.

    `permissions` are what it may do (`core.people.roles.Permission`). One that has ended stays, with `revoked_at`.
    """

    __tablename__ = "service_token"
    __table_args__ = (Index("ix_service_token_name", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(64))
    token_sha256: Mapped[str] = mapped_column(String(64), unique=True)
    permissions: Mapped[list[Any]] = mapped_column(default=list)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    expires_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class PersonalToken(Base):
    """What a program shows to act for a person (`core.people.own_tokens`): the sha256 of its token, never the token itself.

    `scopes` are what of her rights it may use (`core.people.own_tokens.Scope`). One that was ended stays, with `ended_at`.
    """

    __tablename__ = "personal_token"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"), index=True)
    label: Mapped[str] = mapped_column(String(64))
    token_sha256: Mapped[str] = mapped_column(String(64), unique=True)
    scopes: Mapped[list[Any]] = mapped_column(default=list)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    expires_at: Mapped[datetime]
    last_used_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]


class OnceRequest(Base):
    """A change that a program asked for under an idempotency key, and how it was answered; no answer while it is at work.

    `request_sha256` is of its method, address and body: the same key with another request is refused.
    """

    __tablename__ = "once_request"

    user_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"), primary_key=True)
    key: Mapped[str] = mapped_column(String(128), primary_key=True)
    request_sha256: Mapped[str] = mapped_column(String(64))
    status: Mapped[int | None]
    answer: Mapped[dict[str, Any]] = mapped_column(default=dict)
    begun_at: Mapped[datetime] = mapped_column(default=utc_now, index=True)


class ApiJob(Base):
    """Long work that a program asked for, and what came of it; `seen_at` moves while a process is at it."""

    __tablename__ = "api_job"

    key: Mapped[str] = mapped_column(String(32), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"), index=True)
    kind: Mapped[str] = mapped_column(String(32))
    state: Mapped[str] = mapped_column(String(16))
    result: Mapped[dict[str, Any]] = mapped_column(default=dict)
    begun_at: Mapped[datetime] = mapped_column(default=utc_now)
    seen_at: Mapped[datetime] = mapped_column(default=utc_now)
    ended_at: Mapped[datetime | None]


class SavedView(Base):
    """A worklist that a person has named: `address` holds its search, group, filters and order as the page's address does."""

    __tablename__ = "saved_view"
    __table_args__ = (UniqueConstraint("user_id", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(64))
    address: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = mapped_column(default=utc_now)


class SavedCohort(Base):
    """A cohort that a person has named: its definition as JSON (`core.cohorts.Definition`); `shared` shows it to all analysts.

    `key` is what a link says in its place.
    """

    __tablename__ = "saved_cohort"
    __table_args__ = (UniqueConstraint("user_id", "name"), UniqueConstraint("key"))

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(32))
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(64))
    definition: Mapped[dict[str, Any]]
    shared: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)


class AskedCohort(Base):
    """A definition of a cohort that a person was shown (`core.cohorts.asked`); `user_id` is null for the command line.

    `source` names the table that the women came as, empty for those stored here. `definition` is JSON as text, keys in order.
    """

    __tablename__ = "asked_cohort"
    __table_args__ = (Index("ix_asked_cohort_user_id_source", "user_id", "source", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"))
    source: Mapped[str] = mapped_column(String(64))
    definition: Mapped[str] = mapped_column(Text)
    asked_at: Mapped[datetime] = mapped_column(default=utc_now)


class SignInAttempt(Base):
    """One try to sign in, written before its password is looked at: until it has succeeded it counts as failed.

    `name_sha256` is of the name as it was typed, whether there is such an account or not: people type passwords into
    that field too. `address` is the client's, or its network's; null where there is none. `familiar` says that this name
    had been signed in from this address before, or in this browser; then `browser_sha256` is of the known one's token.
    """

    __tablename__ = "sign_in_attempt"
    __table_args__ = (
        Index("ix_sign_in_attempt_name", "name_sha256", "at"),
        Index("ix_sign_in_attempt_address", "address", "at"),
        Index("ix_sign_in_attempt_at", "at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(default=utc_now)
    name_sha256: Mapped[str] = mapped_column(String(64))
    address: Mapped[str | None] = mapped_column(String(64))
    browser_sha256: Mapped[str | None] = mapped_column(String(64))
    familiar: Mapped[bool] = mapped_column(default=False)
    succeeded: Mapped[bool] = mapped_column(default=False)


class DeidentificationKey(Base):
    """The one secret by which women get their pseudonyms, their days and their UIDs (`core.deidentification`)."""

    __tablename__ = "deidentification_key"

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(64))
    made_at: Mapped[datetime] = mapped_column(default=utc_now)


class AuditEntry(Base):
    """Who did what to what, when, from where, and how it ended. Rows are added, never edited.

    `digest` chains each row to the one before it, by id (`db.chain`); `name` is who a program or a failed sign-in
    said to be, where no account stands for it.
    """

    __tablename__ = "audit_entry"
    __table_args__ = (
        Index("ix_audit_entry_at", "at"),
        Index("ix_audit_entry_subject", "subject", "action", "at"),
        Index("ix_audit_entry_user", "user_id", "id"),
        Index("ix_audit_entry_action", "action", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[datetime] = mapped_column(default=utc_now)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"))
    name: Mapped[str | None] = mapped_column(String(128))
    address: Mapped[str | None] = mapped_column(String(64))
    action: Mapped[str] = mapped_column(String(64))
    outcome: Mapped[str] = mapped_column(String(16), default="done")
    subject: Mapped[str | None] = mapped_column(String(128))
    detail: Mapped[dict[str, Any]] = mapped_column(default=dict)
    digest: Mapped[str] = mapped_column(String(64))


class AuditedPatient(Base):
    """A woman whom an entry of the audit trail is about: hers are found without reading the trail."""

    __tablename__ = "audited_patient"
    __table_args__ = (Index("ix_audited_patient_patient", "patient_id", "entry_id"),)

    entry_id: Mapped[int] = mapped_column(ForeignKey("audit_entry.id"), primary_key=True)
    patient_id: Mapped[int] = mapped_column(primary_key=True)
    """No foreign key: what was done about a woman stays when her row goes."""


class AuditHead(Base):
    """The last entry of the audit trail, kept apart from it: an end that was cut off is seen."""

    __tablename__ = "audit_head"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    entry_id: Mapped[int]
    digest: Mapped[str] = mapped_column(String(64))


class Standing(Base):
    """Where a woman stands, as the worklist finds, groups and orders her: kept ready, computed from the other tables alone.

    It holds nothing that changes with the day: what is due is kept with the days from and until which it is
    (`due_on` holds from `due_from` to `due_until`, overdue is `overdue_from` to `due_until`; null is without an end).
    `basis` names the release, rules, model and options it was computed by; a row by another basis is computed anew. `born`
    is the birth date as a number, yyyymmdd. `change` is 0 where it is no more than positioning makes.
    """

    __tablename__ = "standing"
    __table_args__ = (Index("ix_standing_basis", "basis"),)

    patient_id: Mapped[int] = mapped_column(ForeignKey("patient.id", ondelete="CASCADE"), primary_key=True)
    basis: Mapped[str] = mapped_column(String(16))
    mrn: Mapped[str] = mapped_column(String(64))
    label: Mapped[str]
    search: Mapped[str]
    born: Mapped[int | None]
    last_study: Mapped[date | None]
    refused: Mapped[bool]
    pending: Mapped[bool]
    risk: Mapped[float | None]
    band: Mapped[str | None] = mapped_column(String(32))
    change: Mapped[float | None]
    slope: Mapped[float | None]
    density: Mapped[str | None] = mapped_column(String(1))
    assessed_on: Mapped[date | None]
    alert_at: Mapped[datetime | None]
    urgency: Mapped[float | None]
    unread: Mapped[bool]
    changed: Mapped[bool]
    not_scored: Mapped[bool]
    under_treatment: Mapped[bool]
    diagnosed: Mapped[bool]
    open_of: Mapped[date | None]
    open_due: Mapped[date | None]
    due_on: Mapped[date | None]
    due_from: Mapped[date | None]
    due_until: Mapped[date | None]
    overdue_from: Mapped[date | None]
    written_in: Mapped[int] = mapped_column(BigInteger, server_default="0", index=True)
    """The number of the transaction that wrote it (`KeptChange`): who has read up to one asks for those after it."""


class StaleStanding(Base):
    """A woman of whom something was written since her standing was computed; triggers add her (`db.stale`)."""

    __tablename__ = "stale_standing"

    patient_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)


class CohortRow(Base):
    """A woman's rows in the analyst's tables, as bytes (`core.cohorts.packed`): kept ready, computed from the other tables alone.

    `written_in` is the number of the transaction that wrote them (`KeptChange`): who has read up to one asks for those after it.
    `basis` names what they were computed by; rows by another basis are computed anew. A woman without a mammogram has none.
    """

    __tablename__ = "cohort_row"
    __table_args__ = (Index("ix_cohort_row_basis", "basis"), Index("ix_cohort_row_written_in", "written_in"))

    patient_id: Mapped[int] = mapped_column(ForeignKey("patient.id", ondelete="CASCADE"), primary_key=True)
    basis: Mapped[str] = mapped_column(String(16))
    written_in: Mapped[int] = mapped_column(BigInteger)
    woman: Mapped[bytes] = mapped_column(LargeBinary)
    visits: Mapped[bytes] = mapped_column(LargeBinary)


class CohortWord(Base):
    """A word that `CohortRow` keeps by its number: a vendor, a model, a reason."""

    __tablename__ = "cohort_word"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    word: Mapped[str] = mapped_column(Text, unique=True)


class KeptChange(Base):
    """The number of the last transaction that has written to a table of what is kept ready; it never goes back."""

    __tablename__ = "kept_change"

    kept_in: Mapped[str] = mapped_column(String(32), primary_key=True)
    number: Mapped[int] = mapped_column(BigInteger)


class StaleCohortRow(Base):
    """A woman of whom something was written since her rows of the cohort were computed; triggers add her (`db.stale`)."""

    __tablename__ = "stale_cohort_row"

    patient_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)

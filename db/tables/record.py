"""A woman's record: who she is, her studies and images, what was computed, found and what happened."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Index,
    LargeBinary,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from db.tables.columns import Base, Document, PutAway, String, Text, new_key, utc_now
from db.tables.kinds import EventKind, EventResult, ImageSide, Laterality, LesionStatus, Sex, StudyStatus
from db.tables.people import User


class Patient(PutAway, Base):
    """A woman who is followed. `simulated` marks the women that a simulator made; what is not known of her is null.

    `key` is what names her in addresses: random, it says nothing of her. `mrn_issuer` says who gave the MRN (Issuer of
    Patient ID (0010,0021)). `other_names` holds her name in other scripts than `name`, one a line. `merged_into_id` is the
    woman that she turned out to be; her own row is put away then.
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
        Index("ix_study_date", "study_date", "id", "put_away_by_id"),
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


class Image(PutAway, Base):
    """One view; put away is a film that was not wanted. `sha256` is the key of its bytes as received in the image store (a DICOM preamble is zeroed first).

    `rendition_sha256` is the key of the pixels prepared for the viewer, `thumbnail_sha256` of a small PNG. `file_says`
    (the column ``stated``) holds what the file says beside or against the record that it is kept in: her age, and its
    words on patient, day, side and view where a person said otherwise. `reading` is the number of the reading that its
    pictures and these facts were made by (`core.images.READING`). `series_uid` and `sop_class_uid` are what its file
    names, empty where it names none; null in an image of before that was kept.
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
    laterality: Mapped[ImageSide]
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
    series_uid: Mapped[str | None] = mapped_column(String(64), index=True)
    sop_class_uid: Mapped[str | None] = mapped_column(String(64))
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

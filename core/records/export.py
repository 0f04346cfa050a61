"""What is stored of patients, handed out as files: tables (CSV) or one document (JSON), with simulated women marked."""

from __future__ import annotations

import csv
import json
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import IO, Any, Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.deidentification import key_of, pseudonym_of, without_her
from core.files import sync_folder, whole_file, write_whole
from core.installation import Installation
from core.outages import outage
from core.people import audit
from core.records import cards
from core.records.csv import harmless
from core.records.trusted import AlertStanding, alert_standing
from core.rules import (
    Trust,
    ViewName,
    densities_of,
    first_diagnoses,
    growth_of,
    latest_score_ids,
    trust_of,
)
from db.tables import (
    Alert,
    AssessmentVersion,
    Correction,
    Event,
    Image,
    Lesion,
    Measurement,
    Patient,
    RiskFactors,
    Score,
    Study,
    User,
    utc_now,
)

__all__ = ["TABLES", "ExportError", "Exported", "export"]

STATEMENT = "Research software, not for diagnosis. Rows with simulated = 1 are of simulated women; none of them is real."
EXPORTING = ".export-"
"""How the name of a folder begins in which an export is being made."""
_WOMEN_AT_ONCE = 200
_RISKS = tuple(f"risk_{year}y{end}" for year in range(1, 6) for end in ("", "_low", "_high"))

_MALIGNANCIES = tuple(
    f"malignancy_{side}{end}" for side in ("left", "right") for end in ("", "_low", "_high")
)
_PROGRESSION = ("progression", "progression_low", "progression_high")
_DENSITIES = ("density_a", "density_b", "density_c", "density_d")
_OF_RISK = (*_MALIGNANCIES, *_RISKS, "smallest_change")
"""What a diagnosis ends; growth and density it does not."""
_NUMBERS = (*_MALIGNANCIES, *_PROGRESSION, *_RISKS, "smallest_change", *_DENSITIES)
"""What a score says: empty where it may not be said; what the model would have said stands under `untrusted`."""

TABLES: dict[str, tuple[str, ...]] = {
    "patients": ("name", "birth_date", "sex"),
    "studies": (
        "study_uid", "study_date", "modality", "description", "status", "refusal_reason", "bi_rads", "bi_rads_edition",
        "reader_density", "assessment_note", "assessed_by", "assessed_at",
    ),
    "assessments": (
        "study_uid", "version", "bi_rads", "bi_rads_right", "bi_rads_left", "edition", "density", "findings",
        "comparison_uid", "comparison_date", "management", "note", "reason", "covered", "revealed_at", "signed_by",
        "signed_at",
    ),
    "images": (
        "study_uid", "sop_uid", "laterality", "view", "rows", "columns", "pixel_spacing_mm", "manufacturer",
        "quality_flags", "sha256",
    ),
    "scores": (
        "study_uid", "study_date", "speaks", "model", "weights_sha256", "calibration", "computed_at",
        *_NUMBERS, "density_by", "priors", "missing_views", "trust_level", "trust_reason", "trust_distance", "trust_limit", "untrusted",
    ),
    "events": ("kind", "event_date", "end_date", "laterality", "result", "detail"),
    "risk_factors": (
        "recorded_on", "bmi", "first_degree_relatives_with_breast_cancer", "postmenopausal", "hormone_therapy",
        "prior_biopsy",
    ),
    "measurements": (
        "lesion_id", "lesion", "kind", "laterality", "node", "organ", "lesion_status", "lesion_note", "study_uid",
        "study_date", "sop_uid", "view", "view_now", "diameter_mm", "short_mm", "axes", "x0", "y0", "x1", "y1",
        "proposed_by", "measured_by", "measured_at",
    ),
    "alerts": ("study_uid", "rule", "message", "raised_at", "acknowledged_at", "acknowledged_by", "acknowledgement"),
    "corrections": ("correction", "kind", "other_patient", "says", "reason", "made_by", "made_at", "undone_by", "undone_at"),
}  # fmt: skip
"""The tables that are written and their columns, after ``patient`` (her MRN) and ``simulated``.

An assessment is a row a version, the last of which stands and is told in `studies` too. Scores that pages cover until a
study is read are written: an export is for machines.

`speaks` is 1 for the score that the pages show: the newest of that study by the model in force. Probabilities are
0..1, `*_low` and `*_high` their 90 % intervals, empty where they are not known; `smallest_change` is that of 5-year risk
in log-odds; `density_by` names the model of single views that says density where the score may not. Scores by other
`weights_sha256` or `calibration` are not to be set beside each other. Lengths are millimetres, boxes and the ends of axes
pixels of the image; moments are UTC. A measurement was made on `view`; where `view_now` is another, the image was
corrected since. What was taken back is left out,
and so is what a correction put away; `corrections` says what was corrected (nothing in words where names are left out).
"""


class ExportError(ValueError):
    """Nothing was exported; the message says why and what to do."""


@dataclass(frozen=True)
class Exported:
    """What was written, and how much of it."""

    path: Path
    rows: dict[str, int]
    simulated: int
    real: int

    def to_json(self) -> dict[str, Any]:
        """Return the summary for machines."""
        return {
            "path": str(self.path),
            "patients": self.rows["patients"],
            "simulated": self.simulated,
            "real": self.real,
            "rows": self.rows,
            "statement": STATEMENT,
        }


def export(
    here: Installation,
    out: Path,
    *,
    mrns: Sequence[str] = (),
    kind: Literal["csv", "json"] = "csv",
    names: bool = True,
    deidentified: bool = False,
    on_woman: Callable[[int, int], None] = lambda _done, _all: None,
) -> Exported:
    """Write what is stored of some or all patients; the audit trail keeps that it was done.

    Parameters
    ----------
    here
        The installation.
    out
        For ``csv`` a folder that gets one file a table; for ``json`` one file. It must not be there yet, and appears
        whole or not at all.
    mrns
        Whose records; none: everybody's.
    kind
        Tables, or one document with a record a woman.
    names
        False leaves names and birth dates out.
    deidentified
        Pseudonyms, moved days and new UIDs in place of hers, years of birth, and none of the words that people wrote.
    on_woman
        Told how many women of how many are done.

    Raises
    ------
    ExportError
        If an MRN is unknown, or `out` is there already or cannot be written.
    OSError
        If the machine lacks something for a while (`core.outages`); nothing is left behind.
    """
    if out.exists():
        raise ExportError(f"{out} is there already. Choose another name.")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        half = Path(tempfile.mkdtemp(prefix=EXPORTING, dir=out.parent))  # mode 0700
    except OSError as error:
        if outage(error) is not None:
            raise  # it will pass, and the command can be repeated
        raise ExportError(f"{out} cannot be written: {error.strerror or error}.") from error
    try:
        key = key_of(here) if deidentified else None
        with here.database.read() as session:
            women = _women(session, mrns)
            if key is not None:
                women.sort(
                    key=lambda woman: pseudonym_of(key, woman.mrn)
                )  # their order would tell of their numbers
            chunks = _chunks(session, women, cards.speaking(here), names, on_woman)
            if key is not None:
                chunks = _without_them(key, chunks)
            rows = (_write_tables if kind == "csv" else _write_document)(half, chunks)
        simulated = sum(woman.simulated for woman in women)
        made = Exported(out, rows, simulated, len(women) - simulated)
        if kind == "csv":
            about = json.dumps(_about(here, made, names, deidentified), indent=1, ensure_ascii=False)
            write_whole(half / "export.json", about + "\n")
        # The entry comes first: no export lies about that the trail does not know.
        audit.note(
            here,
            None,
            "exported",
            f"patient:{mrns[0]}" if len(mrns) == 1 else "patients",
            {
                "patients": len(women),
                "simulated": simulated,
                "names": names and not deidentified,
                "deidentified": deidentified,
                "kind": kind,
                "from": "command line",
            },
        )
        if kind == "csv":
            sync_folder(half)
            half.rename(out)
        else:
            (half / "document.json").replace(out)
        sync_folder(out.parent)
    except OSError as error:
        if outage(error) is not None:
            raise  # it will pass, and the command can be repeated
        raise ExportError(f"{out} cannot be written: {error.strerror or error}.") from error
    finally:
        shutil.rmtree(half, ignore_errors=True)
    return made


def _women(session: Session, mrns: Sequence[str]) -> list[Patient]:
    wanted = list(dict.fromkeys(mrn.strip() for mrn in mrns))
    query = select(Patient).order_by(Patient.mrn)
    women = list(session.scalars(query.where(Patient.mrn.in_(wanted)) if wanted else query))
    unknown = sorted(set(wanted) - {woman.mrn for woman in women})
    if unknown:
        raise ExportError(f"There is no patient with the MRN {', '.join(unknown)}.")
    return women


Chunk = dict[str, list[dict[str, Any]]]


def _chunks(
    session: Session, women: list[Patient], model: str, names: bool, on_woman: Callable[[int, int], None]
) -> Iterator[Chunk]:
    """Yield the tables' rows, some women at a time, each in a fixed number of queries."""
    people: dict[int, str] = dict(session.execute(select(User.id, User.display_name)).all())
    for start in range(0, len(women), _WOMEN_AT_ONCE):
        some = {woman.id: woman for woman in women[start : start + _WOMEN_AT_ONCE]}
        yield _chunk(session, some, model, names, people)
        on_woman(min(start + _WOMEN_AT_ONCE, len(women)), len(women))


def _without_them(key: bytes, chunks: Iterator[Chunk]) -> Iterator[Chunk]:
    for chunk in chunks:
        yield {table: [without_her(key, row) for row in rows] for table, rows in chunk.items()}


def _chunk(
    session: Session, women: dict[int, Patient], model: str, names: bool, people: dict[int, str]
) -> Chunk:
    chunk: Chunk = {table: [] for table in TABLES}

    def add(table: str, woman: int, source: Any, **others: Any) -> None:
        row = {"patient": women[woman].mrn, "simulated": int(women[woman].simulated)}
        for name in TABLES[table]:
            row[name] = _plain(others[name] if name in others else getattr(source, name))
        chunk[table].append(row)

    for woman in women.values():
        hidden = {} if names else {"name": None, "birth_date": None}
        add("patients", woman.id, woman, **hidden)
    hers = Study.patient_id.in_(women)
    studies = session.scalars(select(Study).where(hers).order_by(Study.study_date, Study.id)).all()
    for study in studies:
        said_by = people.get(study.assessed_by_id or 0)
        add("studies", study.patient_id, study, study_uid=study.uid, assessed_by=said_by)
    by_id = {study.id: study for study in studies}
    for version in session.scalars(
        select(AssessmentVersion)
        .join(Study)
        .where(hers)
        .order_by(AssessmentVersion.study_id, AssessmentVersion.version)
    ):
        study = by_id[version.study_id]
        signed_by = people.get(version.signed_by_id or 0)
        add("assessments", study.patient_id, version, study_uid=study.uid, signed_by=signed_by)
    for image in session.scalars(select(Image).join(Study).where(hers).order_by(Image.id)):
        study = by_id[image.study_id]
        add("images", study.patient_id, image, study_uid=study.uid)
    speaking = set(
        session.scalars(latest_score_ids(model).join(Study, Study.id == Score.study_id).where(hers))
    )
    diagnoses: dict[int, date] = dict(
        session.execute(first_diagnoses().where(Event.patient_id.in_(women))).all()
    )
    trusts: dict[int, Trust] = {}
    newest: dict[int, Trust] = {}
    for score in session.scalars(select(Score).join(Study).where(hers).order_by(Score.id)):
        study = by_id[score.study_id]
        trust = trusts[score.id] = trust_of(
            score, on=study.study_date, diagnosed_on=diagnoses.get(study.patient_id)
        )
        if score.id in speaking:
            newest[study.id] = trust
        growth = dict(zip(_PROGRESSION, growth_of(score, trust), strict=True))
        silenced = _silenced(trust)
        said = {name: growth[name] if name in growth else getattr(score, name) for name in silenced}
        add(
            "scores", study.patient_id, score,
            study_uid=study.uid, study_date=study.study_date, speaks=int(score.id in speaking),
            trust_level=trust.level, trust_reason=trust.sentence, untrusted=said or None,
            **(growth | dict.fromkeys(silenced) | _density_of_views(score, trust)),
        )  # fmt: skip
    for event in session.scalars(
        select(Event).where(Event.patient_id.in_(women)).order_by(Event.event_date, Event.id)
    ):
        add("events", event.patient_id, event)
    for factors in session.scalars(
        select(RiskFactors).where(RiskFactors.patient_id.in_(women)).order_by(RiskFactors.recorded_on)
    ):
        add("risk_factors", factors.patient_id, factors)
    for measured, lesion, image, study in session.execute(
        select(Measurement, Lesion, Image, Study)
        .join(Lesion, Lesion.id == Measurement.lesion_id)
        .join(Image, Image.id == Measurement.image_id)
        .join(Study, Study.id == Image.study_id)
        .where(Lesion.patient_id.in_(women), Measurement.removed_at.is_(None))
        .order_by(Measurement.id)
    ):
        add(
            "measurements", lesion.patient_id, measured,
            lesion_id=lesion.id, lesion=lesion.label, kind=lesion.kind, laterality=lesion.laterality, node=lesion.node,
            organ=lesion.organ, lesion_status=lesion.status, lesion_note=lesion.note, study_uid=study.uid,
            study_date=study.study_date, sop_uid=image.sop_uid, view=measured.view_code,
            view_now=ViewName(image.laterality.value, image.view).code, measured_by=people.get(measured.measured_by_id or 0),
        )  # fmt: skip
    for alert in session.scalars(
        # Not those of what was corrected since.
        select(Alert)
        .join(Study, Study.id == Alert.study_id)
        .join(Score, Score.id == Alert.score_id)
        .where(Alert.patient_id.in_(women))
        .order_by(Alert.id)
    ):
        diagnosed_on = diagnoses.get(alert.patient_id)
        standing = alert_standing(
            alert.rule, diagnosed_on, trusts[alert.score_id], newest.get(alert.study_id)
        )
        withheld = standing is AlertStanding.WITHHELD
        message = "Raised by a score that is withheld." if withheld else alert.message
        by = people.get(alert.acknowledged_by_id or 0)
        add(
            "alerts", alert.patient_id, alert,
            study_uid=by_id[alert.study_id].uid, message=message, acknowledged_by=by,
        )  # fmt: skip
    by_mrn = {woman.mrn: woman.id for woman in women.values()}
    for row in session.scalars(select(Correction).where(Correction.mrn.in_(by_mrn)).order_by(Correction.id)):
        add(
            "corrections", by_mrn[row.mrn], row,
            correction=row.id, other_patient=row.other_mrn, **({} if names else {"says": None, "reason": None}),
            made_by=people.get(row.made_by_id or 0), undone_by=people.get(row.undone_by_id or 0),
        )  # fmt: skip
    return chunk


def _density_of_views(score: Score, trust: Trust) -> dict[str, Any]:
    """Return density as a model of single views says it, where the score may not tell its own; empty where none does."""
    shares = None if trust.tells_growth else densities_of(score, trust)
    if shares is None or score.density_of_views is None:
        return {"density_by": None}
    told = {f"density_{letter.lower()}": share for letter, share in shares.items()}
    return told | {"density_by": score.density_of_views["model"]}


def _silenced(trust: Trust) -> tuple[str, ...]:
    """Return which numbers of a score may not be said."""
    if trust.is_trusted:
        return ()
    return _OF_RISK if trust.tells_growth else _NUMBERS


def _plain(value: Any) -> Any:
    """Return what JSON can hold: dates and moments in ISO, enumerations by their value."""
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    if isinstance(value, bool):
        return int(value)
    return value.value if hasattr(value, "value") else value


def _write_tables(folder: Path, chunks: Iterator[Chunk]) -> dict[str, int]:
    rows = dict.fromkeys(TABLES, 0)
    with ExitStack() as open_files:
        writers = {}
        for table, columns in TABLES.items():
            file: IO[str] = open_files.enter_context(
                whole_file(folder / f"{table}.csv", text=True, newline="")
            )
            writers[table] = csv.DictWriter(file, ("patient", "simulated", *columns))
            writers[table].writeheader()
        for chunk in chunks:
            for table, some in chunk.items():
                writers[table].writerows({name: _cell(value) for name, value in row.items()} for row in some)
                rows[table] += len(some)
    return rows


def _cell(value: Any) -> Any:
    """Return a value as a CSV cell that no spreadsheet runs; numbers stay numbers."""
    if value is None:
        return ""
    if isinstance(value, (list, dict)):
        value = "; ".join(map(str, value)) if isinstance(value, list) else json.dumps(value)
    return harmless(value) if isinstance(value, str) else value


def _write_document(folder: Path, chunks: Iterator[Chunk]) -> dict[str, int]:
    """Write one JSON document, woman by woman, so that it is never in memory as a whole."""
    rows = dict.fromkeys(TABLES, 0)
    head = json.dumps({"statement": STATEMENT, "made_at": utc_now().isoformat()}, indent=1)
    with whole_file(folder / "document.json", text=True) as file:
        file.write(head.removesuffix("\n}") + ',\n "patients": [')
        first = True
        for chunk in chunks:
            by_woman: defaultdict[str, dict[str, list[dict[str, Any]]]] = defaultdict(
                lambda: defaultdict(list)
            )
            for table, some in chunk.items():
                rows[table] += len(some)
                for row in some:
                    if table != "patients":
                        short = {
                            key: value for key, value in row.items() if key not in ("patient", "simulated")
                        }
                        by_woman[row["patient"]][table].append(short)
            for woman in chunk["patients"]:
                record = woman | {"simulated": bool(woman["simulated"])}
                record |= {
                    table: by_woman[woman["patient"]][table] for table in TABLES if table != "patients"
                }
                file.write(
                    ("\n" if first else ",\n") + json.dumps(record, ensure_ascii=False, allow_nan=False)
                )
                first = False
        file.write("\n ]\n}\n")
    return rows


def _about(here: Installation, made: Exported, names: bool, deidentified: bool) -> dict[str, Any]:
    return {
        "statement": STATEMENT,
        "made_at": utc_now().isoformat(),
        "model_that_speaks": cards.speaking(here),
        "names": names and not deidentified,
        "deidentified": deidentified,
        "patients": {"simulated": made.simulated, "real": made.real},
        "rows": made.rows,
    }

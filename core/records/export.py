"""What is stored of patients, handed out as files: tables (CSV) or one document (JSON), with simulated women marked."""

from __future__ import annotations

import csv
import json
import shutil
import tarfile
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.deidentification import key_of, pseudonym_of, without_her
from core.files import sync_folder, whole_file, write_whole
from core.installation import Installation
from core.outages import outage
from core.people import audit
from core.people.needing import needs
from core.people.roles import Permission
from core.records import cards
from core.records.csv import harmless
from core.records.export_rows import NUMBERS, Chunk, Rows
from core.sealing import Key, Plain, SealError, sealed_into
from db.tables import Patient, User, utc_now

__all__ = ["TABLES", "ExportError", "Exported", "export"]

STATEMENT = "Research software, not for diagnosis. Rows with simulated = 1 are of simulated women; none of them is real."
EXPORTING = ".export-"
"""How the name of a folder begins in which an export is being made."""
_WOMEN_AT_ONCE = 200
TABLES: dict[str, tuple[str, ...]] = {
    "patients": ("name", "birth_date", "sex"),
    "studies": (
        "study_uid", "study_date", "modality", "description", "status", "refusal_reason", "bi_rads", "bi_rads_edition",
        "reader_density", "assessment_note", "assessed_by", "assessed_at", "read_in_part",
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
        *NUMBERS, "density_c_or_d", "density_by", "priors", "missing_views", "trust_level", "trust_reason", "trust_distance", "trust_limit", "untrusted",
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

An assessment is a row a version, the last of which stands and is told in `studies` too; with `read_in_part` it is of a
reading elsewhere that leaves something out. Scores that pages cover until a
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


@needs(Permission.ADMINISTER)
def export(
    here: Installation,
    out: Path,
    *,
    mrns: Sequence[str] = (),
    kind: Literal["csv", "json"] = "csv",
    names: bool = True,
    deidentified: bool = False,
    key: Key | None = None,
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
    key
        What it is sealed with (`core.sealing`): `out` is then one file, for ``csv`` a sealed tar archive of the tables, and
        nothing of it is ever there in clear.
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
    wanted = Wanted(out, mrns, kind, names, deidentified)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        # What is to be sealed is made where it lies in clear anyhow.
        half = Path(tempfile.mkdtemp(prefix=EXPORTING, dir=here.home if key else out.parent))  # mode 0700
    except OSError as error:
        if outage(error) is not None:
            raise  # it will pass, and the command can be repeated
        raise ExportError(f"{out} cannot be written: {error.strerror or error}.") from error
    try:
        made = _written(here, half, wanted, on_woman)
        # The entry comes first: no export lies about that the trail does not know.
        _note(here, made, wanted, sealed=key is not None)
        if key is not None:
            with whole_file(out) as file, sealed_into(file, key) as plain:
                _write_plain(half, kind, plain)
        elif kind == "csv":
            sync_folder(half)
            half.rename(out)
        else:
            (half / "document.json").replace(out)
        sync_folder(out.parent)
    except SealError as error:
        raise ExportError(str(error)) from error
    except OSError as error:
        if outage(error) is not None:
            raise  # it will pass, and the command can be repeated
        raise ExportError(f"{out} cannot be written: {error.strerror or error}.") from error
    finally:
        shutil.rmtree(half, ignore_errors=True)
    return made


def _write_plain(half: Path, kind: Literal["csv", "json"], plain: Plain) -> None:
    """Hand on what was written into a folder: its one document, or all its tables as a tar archive."""
    if kind == "json":
        with (half / "document.json").open("rb") as document:
            shutil.copyfileobj(document, plain)
        return
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.GNU_FORMAT) as archive:  # type: ignore[call-overload]
        for path in sorted(half.iterdir()):
            archive.add(path, path.name, recursive=False)


@dataclass(frozen=True)
class Wanted:
    """What is asked of an export; see `export`."""

    out: Path
    mrns: Sequence[str]
    kind: Literal["csv", "json"]
    names: bool
    deidentified: bool

    @property
    def tells_names(self) -> bool:
        """Whether anything of it says who a woman is."""
        return self.names and not self.deidentified


def _written(
    here: Installation, half: Path, wanted: Wanted, on_woman: Callable[[int, int], None]
) -> Exported:
    """Write what is asked for into a folder that is put in its place afterwards."""
    key = key_of(here) if wanted.deidentified else None
    with here.database.read() as session:
        women = _women(session, wanted.mrns)
        if key is not None:
            # Their order would tell of their numbers.
            women.sort(key=lambda woman: pseudonym_of(key, woman.mrn))
        chunks = _chunks(session, women, cards.speaking(here), wanted.names, on_woman)
        if key is not None:
            chunks = _without_them(key, chunks)
        rows = (_write_tables if wanted.kind == "csv" else _write_document)(half, chunks)
    simulated = sum(woman.simulated for woman in women)
    made = Exported(wanted.out, rows, simulated, len(women) - simulated)
    if wanted.kind == "csv":
        about = _about(here, made, wanted)
        write_whole(half / "export.json", json.dumps(about, indent=1, ensure_ascii=False) + "\n")
    return made


def _note(here: Installation, made: Exported, wanted: Wanted, *, sealed: bool) -> None:
    subject = f"patient:{wanted.mrns[0]}" if len(wanted.mrns) == 1 else "patients"
    with here.database.read() as session:
        ids = [woman.id for woman in _women(session, wanted.mrns)]
    detail = {
        "patients": made.simulated + made.real,
        "simulated": made.simulated,
        "names": wanted.tells_names,
        "deidentified": wanted.deidentified,
        "kind": wanted.kind,
        "sealed": sealed,
        "from": "command line",
    }
    audit.note(here, None, "exported", subject, detail, patients=ids)


def _women(session: Session, mrns: Sequence[str]) -> list[Patient]:
    wanted = list(dict.fromkeys(mrn.strip() for mrn in mrns))
    query = select(Patient).order_by(Patient.mrn)
    women = list(session.scalars(query.where(Patient.mrn.in_(wanted)) if wanted else query))
    unknown = sorted(set(wanted) - {woman.mrn for woman in women})
    if unknown:
        raise ExportError(f"There is no patient with the MRN {', '.join(unknown)}.")
    return women


def _chunks(
    session: Session, women: list[Patient], model: str, names: bool, on_woman: Callable[[int, int], None]
) -> Iterator[Chunk]:
    """Yield the tables' rows, some women at a time, each in a fixed number of queries."""
    people: dict[int, str] = dict(session.execute(select(User.id, User.display_name)).all())
    for start in range(0, len(women), _WOMEN_AT_ONCE):
        some = {woman.id: woman for woman in women[start : start + _WOMEN_AT_ONCE]}
        yield Rows(session, some, TABLES, model=model, people=people, names=names).all()
        on_woman(min(start + _WOMEN_AT_ONCE, len(women)), len(women))


def _without_them(key: bytes, chunks: Iterator[Chunk]) -> Iterator[Chunk]:
    for chunk in chunks:
        yield {table: [without_her(key, row) for row in rows] for table, rows in chunk.items()}


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


def _about(here: Installation, made: Exported, wanted: Wanted) -> dict[str, Any]:
    return {
        "statement": STATEMENT,
        "made_at": utc_now().isoformat(),
        "model_that_speaks": cards.speaking(here),
        "names": wanted.tells_names,
        "deidentified": wanted.deidentified,
        "patients": {"simulated": made.simulated, "real": made.real},
        "rows": made.rows,
    }

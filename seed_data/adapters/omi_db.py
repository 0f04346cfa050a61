"""OMI-DB (OPTIMAM Mammography Image Database): UK screening over years, with its episodes.

Layout as the database's own reader describes it (omidb, docs/structure): ``data/CLIENT/nbss_CLIENT.json`` and
``imagedb_CLIENT.json``, a JSON of DICOM tags for each image in ``data/CLIENT/STUDY/``, the images in
``images/CLIENT/STUDY/IMAGE.dcm``. imagedb: STUDIES → study → StudyDate, EpisodeID, series → image → marks with X1, Y1,
X2, Y2 and LinkedNBSSLesionNumber. nbss: episode → SCREENING, ASSESSMENT, BIOPSYFINE, BIOPSYWIDE, SURGERY, each with
left_opinion and right_opinion (OM malignant, OB benign, ON normal), and L and R with lesions and their DatePerformed
and Opinion; IntervalCancerDateOfDiagnosis (Halling-Brown et al., Radiology: AI 2021, 10.1148/ryai.2020200103).

Images For Processing are left aside: the same view is there For Presentation.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.rules.vocabulary import FINDINGS
from seed_data.adapters import terms
from seed_data.adapters.pictures import Unreadable, facts_of
from seed_data.adapters.public_set import Account, Box, ExamRow, PublicSet, WrongLayout
from seed_data.adapters.tables import folders_within

_PROVING = ("SURGERY", "BIOPSYWIDE", "BIOPSYFINE")
_JUDGING = ("ASSESSMENT", "SCREENING")
_SIDES = {"L": "left_opinion", "R": "right_opinion"}
_MALIGNANT = {"OM", "O MALIGNANT", "MALIGNANT", "B5", "C5", "CYT MALIG", "H5", "HIST MALIGNANT"}
_BENIGN = {"OB", "O BENIGN", "BENIGN", "B2", "C2", "CYT BENIGN", "H2", "HISTOL BENIGN"}
_NORMAL = {
    "ON",
    "O NORMAL",
    "NORMAL",
    "RN",
    "R NORMAL",
    "R1",
    "RAD NORMAL",
    "H1",
    "HISTOL NORMAL",
    "A1",
    "ASSESS NORMAL",
}
_WORSE = ("", *FINDINGS)
_UID = re.compile(r"[0-9.]+")
_LATERALITY, _VIEW, _INTENT, _AGE = "00200062", "00185101", "00080068", "00101010"


@dataclass
class _Episode:
    """What one episode says of each breast: its finding, its lesions' findings, and when a cancer was proven."""

    finding: dict[str, str] = field(default_factory=dict)
    lesions: dict[tuple[str, str], str] = field(default_factory=dict)
    proven: dict[str, str] = field(default_factory=dict)
    last: str = ""


def read(src: Path, out: Path, account: Account) -> Iterator[ExamRow]:
    """Yield a row for each image, or for each mark in it."""
    root = next(
        (one for one in folders_within(src, 3) if (one / "data").is_dir() and (one / "images").is_dir()), None
    )
    if root is None:
        raise WrongLayout(f"{src} has no folders data and images. Name the folder that holds both.")
    clients = sorted(
        one for one in (root / "data").iterdir() if one.is_dir() and not one.name.startswith(".")
    )
    if not clients:
        raise WrongLayout(f"{root / 'data'} holds no client folders such as optm1 or demd1.")
    for folder in clients:
        try:
            nbss, imagedb = _json(folder, "nbss"), _json(folder, "imagedb")
        except Unreadable as error:
            account.leave_out(f"data/{folder.name}", str(error), folder.name)
            continue
        yield from _client(root, folder, nbss, imagedb, account)


def _client(
    root: Path, folder: Path, nbss: dict[str, Any], imagedb: dict[str, Any], account: Account
) -> Iterator[ExamRow]:
    episodes = {name: _episode(said) for name, said in nbss.items() if isinstance(said, dict)}
    studies = _mapping(imagedb.get("STUDIES"))
    proven = sorted((on, side) for one in episodes.values() for side, on in one.proven.items() if on)
    cancer_date = proven[0][0] if proven else ""
    sides = {side for on, side in proven if on == cancer_date}
    if not proven and any("malignant" in one.finding.values() for one in episodes.values()):
        account.notes["cancers without a date"] += 1
    days = [terms.day(_text(_mapping(study).get("StudyDate"))) for study in studies.values()]
    last = max([*days, cancer_date, *(one.last for one in episodes.values())], default="")
    for study_uid, study in studies.items():
        study = _mapping(study)
        episode = episodes.get(_text(study.get("EpisodeID")), _Episode())
        for image_uid, marks in _images(study_uid, study):
            where = f"data/{folder.name}/{study_uid}/{image_uid}"
            on = terms.day(_text(study.get("StudyDate")))
            path = root / "images" / folder.name / study_uid / f"{image_uid}.dcm"
            if not path.is_file():
                account.leave_out(where, "its image file is missing", path.name)
                continue
            if not on:
                account.leave_out(where, "its study has no date", path.name)
                continue
            try:
                side, view, intent, age = _tags(folder / study_uid, image_uid, path)
            except Unreadable as error:
                account.leave_out(where, str(error), path.name)
                continue
            if "PROCESSING" in intent.upper():
                account.aside["images For Processing: the view is there For Presentation"] += 1
                continue
            for box, finding in _boxes(marks, side, episode) or [(None, episode.finding.get(side, ""))]:
                yield ExamRow(
                    where=where,
                    patient_id=folder.name,
                    path=path,
                    laterality=side,
                    view=view,
                    study_date=on,
                    age=age,
                    finding=finding,
                    roi=box,
                    cancer_date=cancer_date,
                    cancer_laterality=sides.copy().pop() if len(sides) == 1 else "",
                    last_followup_date=last,
                    more={"dates_known_to": "shifted"},
                )


def _json(folder: Path, kind: str) -> dict[str, Any]:
    path = next(
        (one for k in (kind, kind.upper()) if (one := folder / f"{k}_{folder.name}.json").is_file()), None
    )
    if path is None:
        raise Unreadable(f"its {kind}_….json is missing")
    try:
        said = json.loads(path.read_text("utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise Unreadable(f"its {kind}_….json cannot be read") from error
    if not isinstance(said, dict):
        raise Unreadable(f"its {kind}_….json cannot be read")
    return said


def _mapping(said: Any) -> dict[str, Any]:
    return said if isinstance(said, dict) else {}


def _text(said: Any) -> str:
    return "" if said is None or isinstance(said, (dict, list)) else str(said)


def _opinion(said: Any) -> str:
    word = _text(said).strip().upper()
    if word in _MALIGNANT:
        return "malignant"
    return "benign" if word in _BENIGN else "normal" if word in _NORMAL else ""


def _episode(said: dict[str, Any]) -> _Episode:
    """Read one episode: biopsy and surgery prove, assessment and screening only judge."""
    found = _Episode()
    days: list[str] = [terms.day(_text(said.get("EpisodeOpenedDate")))]
    interval = terms.day(_text(said.get("IntervalCancerDateOfDiagnosis")))
    for side, key in _SIDES.items():
        proven = judged = ""
        dates: list[str] = []
        for event in _PROVING:
            data = _mapping(said.get(event))
            of_event = _opinion(data.get(key))
            for lesion, details in _mapping(data.get(side)).items():
                details = _mapping(details)
                on, opinion = terms.day(_text(details.get("DatePerformed"))), _opinion(details.get("Opinion"))
                days.append(on)
                before = found.lesions.get((side, lesion), "")
                found.lesions[side, lesion] = max(before, opinion, key=_WORSE.index)
                if opinion == "malignant" or (of_event == "malignant" and not opinion):
                    dates.append(on)
                of_event = max(of_event, opinion, key=_WORSE.index)
            at = terms.day(_text(data.get("dateperformed")))
            days.append(at)
            if of_event == "malignant" and at:
                dates.append(at)
            proven = max(proven, of_event, key=_WORSE.index)
        for event in _JUDGING:
            data = _mapping(said.get(event))
            own = _mapping(data.get(side))
            days.append(terms.day(_text(own.get("DateTaken"))))
            judged = judged or _opinion(data.get(key)) or _opinion(own.get("Opinion"))
        if _mapping(_mapping(said.get("INTERVALCANCER")).get(side)):
            proven = "malignant"
        # An imaging opinion alone proves no cancer.
        found.finding[side] = proven or (judged if judged != "malignant" else "")
        if proven == "malignant":
            opened = terms.day(_text(said.get("EpisodeOpenedDate")))
            found.proven[side] = min(filter(None, dates), default="") or interval or opened
    found.last = max([*days, interval], default="")
    return found


def _images(study_uid: str, study: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    if not _UID.fullmatch(study_uid):
        return
    for series_uid, series in study.items():
        if not isinstance(series, dict) or not _UID.fullmatch(series_uid):
            continue
        for image_uid, marks in series.items():
            if _UID.fullmatch(image_uid):
                yield image_uid, _mapping(marks)


def _tags(folder: Path, image_uid: str, path: Path) -> tuple[str, str, str, str]:
    """Return side, view, presentation intent and age, from the JSON of tags or else from the image itself."""
    for name in (f"{image_uid}.json", f"{image_uid}.dcm.json"):
        if (folder / name).is_file():
            try:
                tags = _mapping(json.loads((folder / name).read_text("utf-8-sig")))
            except (OSError, ValueError, RecursionError):
                break
            side, view, intent, age = (_tag(tags, one) for one in (_LATERALITY, _VIEW, _INTENT, _AGE))
            if side and view:
                return terms.laterality(side), terms.view(view), intent, terms.age_years(age)
            break
    facts = facts_of(path)
    return facts.laterality, facts.view, facts.intent, facts.age


def _tag(tags: dict[str, Any], tag: str) -> str:
    values = _mapping(tags.get(tag)).get("Value")
    return _text(values[0]) if isinstance(values, list) and values else ""


def _boxes(marks: dict[str, Any], side: str, episode: _Episode) -> list[tuple[Box | None, str]]:
    boxes: list[tuple[Box | None, str]] = []
    for mark in marks.values():
        mark = _mapping(mark)
        try:
            x0, y0, x1, y1 = (float(mark[name]) for name in ("X1", "Y1", "X2", "Y2"))
        except (KeyError, TypeError, ValueError):
            continue
        if not (x1 > x0 and y1 > y0):
            continue
        linked = [one.strip().lstrip("0") for one in _text(mark.get("LinkedNBSSLesionNumber")).split(",")]
        known = [
            finding
            for (of_side, lesion), finding in episode.lesions.items()
            if of_side == side and lesion.lstrip("0") in linked and finding
        ]
        finding = max(known, key=_WORSE.index) if known else episode.finding.get(side, "")
        boxes.append(((x0, y0, x1, y1), "" if finding == "normal" else finding))
    if boxes and max(_WORSE.index(f) for _, f in boxes) < _WORSE.index(episode.finding.get(side, "")):
        boxes.append((None, episode.finding[side]))
    return boxes


SET = PublicSet(
    name="omi-db",
    title="OMI-DB (OPTIMAM Mammography Image Database)",
    source="Halling-Brown et al., Radiology: Artificial Intelligence 2021, 10.1148/ryai.2020200103",
    terms="By agreement with Cancer Research Horizons; research only.",
    layout="The folders data (nbss_CLIENT.json, imagedb_CLIENT.json, tags of each image) and images.",
    dates="Dates are shifted by the curators: intervals are right, calendar days are not.",
    findings=(
        "By biopsy and surgery of the episode: OM (B5, C5, H5) is malignant, OB (B2, C2, H2) benign, normal histology "
        "normal. Without these by screening and assessment: normal and benign count, suspicion stays empty."
    ),
    outcome=(
        "Cancer: the first biopsy or surgery that proved it, else the interval cancer's diagnosis, else the day the "
        "episode opened. Last follow-up: her last exam or procedure."
    ),
    more=("dates_known_to",),
    read=read,
)

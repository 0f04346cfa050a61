"""The Basic Profile of PS3.15 E.1 on one DICOM data set, with its options; pixels are cleaned elsewhere (`pixels`).

The table of attributes, its dummy values and the removal of private attributes are those of the library
dicom-anonymizer, which acts on the top level of a data set only: here it is asked for every item of every sequence. What
it leaves to others is done here: dates that are moved, UIDs that are keyed, words that are cleaned, and a last look
for her name and number where nobody expects them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any

from dicomanonymizer.dicomfields_selector import dicom_anonymization_database_selector
from dicomanonymizer.simpledicomanonymizer import anonymize_dataset, replace
from pydicom.datadict import dictionary_has_tag, keyword_for_tag, tag_for_keyword
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.multival import MultiValue
from pydicom.tag import BaseTag
from pydicom.uid import UID

from core.deidentification.identity import Identity
from core.deidentification.options import Options, clean_words, cleaned_keywords

__all__ = ["EDITION", "Removed", "deidentify_header"]

EDITION = "dicomfields_2026c"
"""The library's table: PS3.15 2026c, E.1-1."""

_MOVED = frozenset({"DA", "DT"})
_TEXTS = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT", "UN", "AE", "UR"})
_NEVER_MOVED = frozenset(
    tag_for_keyword(keyword) for keyword in ("PatientBirthDate", "PatientBirthTime", "GPSTimeStamp")
)
"""Dates and times that the option of modified dates leaves to the Basic Profile."""
_PSEUDONYMS = frozenset(tag_for_keyword(keyword) for keyword in ("PatientID", "PatientName"))
_OVERLAYS, _CURVES = 0x6000, 0x5000
_OLDEST_TOLD = 89
_SIMULATED = "SIMULATED"
_WHOLE_DAY = re.compile(r"(\d{4})\.?(\d{2})\.?(\d{2})(.*)", re.DOTALL)


@dataclass
class Removed:
    """What was done, by attribute and never by value: `actions` are (keyword with its place, what was done)."""

    actions: list[tuple[str, str]] = field(default_factory=list)

    def add(self, place: str, element: DataElement | BaseTag, action: str) -> None:
        """Note what was done to an element at a place."""
        tag = element.tag if isinstance(element, DataElement) else element
        name = keyword_for_tag(tag) or f"({tag.group:04x},{tag.element:04x})"
        self.actions.append((place + name, action))


@cache
def _table() -> tuple[dict[int, str], tuple[tuple[int, int, str], ...]]:
    """Return the table: the code of every tag, and of the repeating groups (value, mask, code)."""
    kinds = dicom_anonymization_database_selector(EDITION)
    single: dict[int, str] = {}
    masked: list[tuple[int, int, str]] = []
    for kind, tags in kinds.items():
        if kind == "ALL_TAGS":
            continue
        code = kind.removesuffix("_TAGS").replace("_", "/")
        for tag in tags:
            if len(tag) == 2:
                single[tag[0] << 16 | tag[1]] = code
            else:
                masked.append((tag[0] << 16 | tag[1], tag[2] << 16 | tag[3], code))
    return single, tuple(masked)


def code_of(tag: int) -> str | None:
    """Return the action code of the Basic Profile for a tag, such as ``X/Z/D``; None if the table does not name it."""
    single, masked = _table()
    if tag in single:
        return single[tag]
    return next((code for value, mask, code in masked if tag & mask == value & mask), None)


def deidentify_header(dataset: Dataset, identity: Identity, options: Options) -> Removed:
    """Take out of a data set, in place, all that tells who she is; return what was done.

    What it says of itself afterwards is what PS3.15 E.1 asks for: that identity was removed, how, and that dates were
    moved. Raises whatever pydicom does on a data set that cannot be read.
    """
    removed = Removed()
    known = _known_words(dataset)
    simulated = any(
        str(dataset.get(k) or "").upper().startswith(_SIMULATED) for k in ("PatientComments", "ImageComments")
    )
    age = _age_years(dataset)
    checks = identity.words(
        _first_script(dataset.get("PatientName")),
        str(dataset.get("PatientBirthDate") or ""),
        str(dataset.get("IssuerOfPatientID") or ""),
    )
    _clean(dataset, identity, options, removed, "")
    dataset.PatientID = dataset.PatientName = ""
    for place, item, tag in list(_residue(dataset, known)):
        removed.add(place, tag, "removed: it held her name or number")
        del item[tag]
    dataset.PatientID = identity.pseudonym
    dataset.PatientName = f"{identity.pseudonym}^{checks}".rstrip("^")[:64]
    removed.add("", dataset["PatientID"], "pseudonym")
    removed.add("", dataset["PatientName"], "pseudonym")
    _settle_age(dataset, options, removed, age)
    if simulated:
        dataset.PatientComments = _SIMULATED
    _say_so(dataset, options)
    _settle_meta(dataset)
    return removed


def _clean(dataset: Dataset, identity: Identity, options: Options, removed: Removed, place: str) -> None:
    """Clean one data set, then what is nested in it."""
    actions: dict[tuple[int, int], Callable[[Dataset, tuple[int, int]], None]] = {}
    for tag in list(dataset.keys()):
        if tag.is_private:
            removed.add(place, tag, "removed: private")
            continue
        if not place and tag in _PSEUDONYMS:
            continue
        done = _act(dataset, tag, identity, options)
        if done is None:
            continue
        words, action = done
        removed.add(place, tag, words)
        actions[tag.group, tag.element] = action
    # Its own table is replaced by what was settled for the elements that are there.
    anonymize_dataset(dataset, base_rules_gen=lambda: actions, delete_private_tags=True)
    for element in dataset:
        if element.VR == "SQ":
            for number, item in enumerate(element.value or []):
                _clean(item, identity, options, removed, f"{place}{_name(element.tag)}[{number}].")


def _name(tag: BaseTag) -> str:
    return keyword_for_tag(tag) or f"({tag.group:04x},{tag.element:04x})"


Action = Callable[[Dataset, tuple[int, int]], None]


def _act(dataset: Dataset, tag: BaseTag, identity: Identity, options: Options) -> tuple[str, Action] | None:
    """Return what is done to an element, in words and as the library asks for it; None for what stays."""
    code = code_of(tag)
    if tag.group & 0xFF00 in (_OVERLAYS, _CURVES) and not tag.group & 1:
        return "removed: overlay or curve", _remove  # without its data what describes it means nothing
    if tag.group < 8 or tag.element == 0 or not dictionary_has_tag(tag):
        return "removed: not of the standard", _remove
    element = dataset[tag]
    if element.VR in _MOVED | {"TM"} and tag not in _NEVER_MOVED and (code or element.VR != "TM"):
        return _dated(element, identity, options, code)
    if code is None or keyword_for_tag(tag) in options.keywords:
        return None
    if code == "U" or (element.VR == "UI" and code.startswith("X/Z/U")):
        return None if "uids" in options else ("new UID", _new_uid(identity))
    if element.VR == "SQ" and "U" in code:
        return None  # what it refers to gets its new UID within
    if "descriptions" in options and keyword_for_tag(tag) in cleaned_keywords():
        return "cleaned: known words stay", _cleaned
    return _by_code(code, element)


def _by_code(code: str, element: DataElement) -> tuple[str, Action]:
    """Return the Basic Profile's own action; of several that a code allows the one by which an image stays valid."""
    if code == "X" or (element.VR == "SQ" and code in ("X/D", "X/Z/D")):
        return "removed", _remove
    if code in ("Z", "X/Z"):
        return "emptied", _emptied
    return "replaced by a dummy", _dummy


def _dated(
    element: DataElement, identity: Identity, options: Options, code: str | None
) -> tuple[str, Action] | None:
    if "dates" not in options:
        # A day that no table names may tell of her as well.
        return _by_code(code or "X", element)
    if element.VR == "TM":
        return None
    return "moved by her days", _moved(identity)


def _remove(dataset: Dataset, tag: tuple[int, int]) -> None:
    del dataset[tag]


def _emptied(dataset: Dataset, tag: tuple[int, int]) -> None:
    dataset[tag].value = [] if dataset[tag].VR == "SQ" else None


def _dummy(dataset: Dataset, tag: tuple[int, int]) -> None:
    try:
        replace(dataset, tag)
    except (NotImplementedError, ValueError, TypeError, AttributeError):
        del dataset[tag]  # the library has no dummy for what it holds


def _cleaned(dataset: Dataset, tag: tuple[int, int]) -> None:
    words = clean_words(str(dataset[tag].value or ""))
    if words:
        dataset[tag].value = words
    else:
        del dataset[tag]


def _new_uid(identity: Identity) -> Action:
    def act(dataset: Dataset, tag: tuple[int, int]) -> None:
        value = dataset[tag].value
        if isinstance(value, (MultiValue, list)):
            dataset[tag].value = [identity.uid(str(one)) if one else "" for one in value]
        elif value:
            dataset[tag].value = identity.uid(str(value))

    return act


def _moved(identity: Identity) -> Action:
    def act(dataset: Dataset, tag: tuple[int, int]) -> None:
        value = dataset[tag].value
        several = list(value) if isinstance(value, (MultiValue, list)) else [value]
        dataset[tag].value = (
            [_moved_day(str(one or ""), identity) for one in several]
            if len(several) > 1
            else (_moved_day(str(several[0] or ""), identity))
        )

    return act


def _moved_day(text: str, identity: Identity) -> str:
    """Return a DA or DT moved by her days; one that names no day is emptied, whatever it says."""
    match = _WHOLE_DAY.fullmatch(text.strip())
    if match is None:
        return ""
    year, month, day, rest = match.groups()
    try:
        moved = identity.day(datetime(int(year), int(month), int(day)).date())
    except ValueError:
        return ""
    return f"{moved:%Y%m%d}".zfill(8) + (rest if re.fullmatch(r"[\d.+-]*", rest) else "")


def _first_script(name: Any) -> str:
    return next((part for part in str(name or "").split("=") if part.strip()), "")


def _known_words(dataset: Dataset) -> tuple[str, ...]:
    """Return what would give her away wherever it stood: parts of her names, her numbers, the accession number."""
    found: set[str] = set()
    for keyword in ("PatientName", "OtherPatientNames", "PatientBirthName", "PatientMotherBirthName"):
        found |= set(re.findall(r"\w{3,}", str(dataset.get(keyword) or "").casefold()))
    for keyword in ("PatientID", "AccessionNumber", "OtherPatientIDs", "StudyID"):
        value = str(dataset.get(keyword) or "").strip().casefold()
        if len(value) >= 4:
            found.add(value)
    return tuple(sorted(found))


def _residue(
    dataset: Dataset, known: tuple[str, ...], place: str = ""
) -> Iterator[tuple[str, Dataset, BaseTag]]:
    """Yield the elements of text that still hold one of the words, wherever they stand."""
    if not known:
        return
    words = re.compile(r"(?<!\w)(?:" + "|".join(re.escape(word) for word in known) + r")(?!\w)")
    for element in dataset:
        if element.VR == "SQ":
            for number, item in enumerate(element.value or []):
                yield from _residue(item, known, f"{place}{_name(element.tag)}[{number}].")
        elif element.VR in _TEXTS:
            value = element.value
            text = value.decode("latin-1") if isinstance(value, bytes) else str(value or "")
            if words.search(text.casefold()):
                yield place, dataset, element.tag


def _age_years(dataset: Dataset) -> int | None:
    """Return her age in whole years by the file's own age, else by birth date and study date."""
    said = re.fullmatch(r"(\d{3})Y", str(dataset.get("PatientAge") or "").strip())
    if said:
        return int(said[1])
    days = []
    for keyword in ("PatientBirthDate", "StudyDate"):
        match = _WHOLE_DAY.fullmatch(str(dataset.get(keyword) or "").strip())
        try:
            days.append(datetime(*(int(part) for part in match.groups()[:3])).date() if match else None)  # type: ignore[arg-type]
        except ValueError:
            return None
    born, on = days
    if born is None or on is None or on < born:
        return None
    return on.year - born.year - ((on.month, on.day) < (born.month, born.day))


def _settle_age(dataset: Dataset, options: Options, removed: Removed, age: int | None) -> None:
    """Keep her age where it may stay; the few who are 90 or more are told as one age."""
    if "characteristics" not in options or age is None:
        return
    dataset.PatientAge = f"{min(age, _OLDEST_TOLD + 1):03d}Y"
    if age > _OLDEST_TOLD:
        removed.add("", dataset["PatientAge"], "90 or more")


def _say_so(dataset: Dataset, options: Options) -> None:
    """Say in the data set what was done to it (PS3.15 E.1, PS3.3 C.7.1.1 and C.12.1)."""
    dataset.PatientIdentityRemoved = "YES"
    dataset.DeidentificationMethod = ["Longview", "PS3.15 2026c E.1-1 by dicom-anonymizer"]
    dataset.DeidentificationMethodCodeSequence = [_code(*code) for code in options.codes]
    dataset.LongitudinalTemporalInformationModified = "MODIFIED" if "dates" in options else "REMOVED"


def _code(value: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "DCM", meaning
    return item


def _settle_meta(dataset: Dataset) -> None:
    """Make the file's meta information anew: of the old one only class and transfer syntax stay."""
    old = dataset.file_meta
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = old.TransferSyntaxUID
    meta.MediaStorageSOPClassUID = UID(
        str(dataset.get("SOPClassUID") or old.get("MediaStorageSOPClassUID") or "")
    )
    meta.MediaStorageSOPInstanceUID = UID(str(dataset.get("SOPInstanceUID") or ""))
    dataset.file_meta = meta
    dataset.preamble = bytes(128)

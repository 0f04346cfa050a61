"""Whether what a file says of a person can be said of a known woman: compared as it is written, never by likeness.

Nothing here merges: where two words may mean two women they disagree, and a person decides.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from core.images import Header
from core.incoming.items import Statement
from core.rules.ages import years_between
from db.tables import Patient


@dataclass(frozen=True)
class Disagreement:
    """One fact that a file and a record state differently: `fact` by its name in the header, and both words."""

    fact: str
    file: str
    stored: str

    @property
    def sentence(self) -> str:
        """Return both words, for the person who decides."""
        return f"{_WORDS[self.fact]} {self.file} here, {self.stored} as stored."


_WORDS = {"patient_id_issuer": "Number given by", "patient_name": "Named", "sex": "Sex", "age_years": "Aged"}
_AGES_APART = 2.0
"""Years: an age is rounded down, and is that of the day on which she was registered."""


def names_agree(one: str, other: str) -> bool:
    """Tell whether two names can be one woman's: every part of one is among the other's parts.

    Case, accents, the order of the parts and what stands between them do not count, so a second given name or the
    other half of a double name may lack. A part is never likened to another one: an initial is not a name, and a name
    in another script or after a marriage is another name.

    >>> names_agree("Doe-Smith, Jané", "JANE DOE")
    True
    >>> names_agree("Doe, Jane", "Smith, Jane")
    False
    """
    mine, others = _parts(one), _parts(other)
    return bool(mine and others) and (mine <= others or others <= mine)


def _parts(name: str) -> frozenset[str]:
    # The accents of Latin, Greek and Cyrillic; the marks of other scripts make other letters.
    plain = re.sub("[\u0300-\u036f]", "", unicodedata.normalize("NFKD", name))
    return frozenset(re.findall(r"\w+", unicodedata.normalize("NFC", plain.casefold())))


def is_of(header: Header, mrn: str) -> bool:
    """Tell whether a file's patient ID is this one, or the file has none; one that cannot be used is neither."""
    return "patient_id" not in header.unusable and header.patient_id in (None, mrn)


def is_hers(header: Header, mrn: str, statement: Statement | None, patient: Patient | None) -> bool:
    """Tell whether a file may say what is not known of a woman: nothing in it names another one.

    It is compared with the MRN, with what a person says of her and with what is stored of her, where there is either.
    """
    if not is_of(header, mrn) or (patient is not None and disagreements(header, patient)):
        return False
    if statement is None:
        return True
    if statement.birth_date and header.birth_date and statement.birth_date != header.birth_date:
        return False
    names = [name for name in (header.patient_name, *header.other_names) if name]
    called = statement.name
    return not (called and names) or any(names_agree(called, name) for name in names)


def disagreements(header: Header, patient: Patient) -> list[Disagreement]:
    """Return where a file with a woman's own ID says another person; what either does not know says nothing.

    Birth dates are compared where they are settled (`core.incoming.keep.born_on`).
    """
    found = []
    issuer = header.unusable.get("patient_id_issuer") or header.patient_id_issuer
    if issuer and patient.mrn_issuer and issuer != patient.mrn_issuer:
        found.append(Disagreement("patient_id_issuer", issuer, patient.mrn_issuer))
    here = [name for name in (header.patient_name, *header.other_names) if name]
    stored = [name for name in (patient.name, *(patient.other_names or "").splitlines()) if name]
    if here and stored and not any(names_agree(one, other) for one in here for other in stored):
        found.append(Disagreement("patient_name", " = ".join(here), " = ".join(stored)))
    if header.sex and patient.sex and header.sex != patient.sex.value:
        found.append(Disagreement("sex", header.sex, patient.sex.value))
    # A file's birth date says more than its age, and the two of one file are compared where it is read.
    if header.age_years and header.study_date and patient.birth_date and header.birth_date is None:
        years = years_between(patient.birth_date, header.study_date)
        if abs(years - header.age_years) > _AGES_APART:
            known = f"{years:.0f} years (born {patient.birth_date})"
            found.append(Disagreement("age_years", f"{header.age_years:.0f} years", known))
    return found

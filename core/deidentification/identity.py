"""Who stands in a woman's place: her pseudonym, the days that her dates are moved by, and the UIDs in place of hers.

All are keyed hashes (HMAC-SHA256): with the same key the same woman is the same in every run, so her studies stay one
course and a file that comes again is known again; without the key nobody comes back from them.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import unicodedata
from dataclasses import dataclass
from datetime import date, timedelta

__all__ = ["PREFIX", "Identity", "is_pseudonym", "pseudonym_of", "uid_for"]

PREFIX = "P-"
_LENGTH = 16
_LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's: none is taken for another one
_MOST_DAYS = 365


def _digest(key: bytes, kind: str, what: str) -> bytes:
    return hmac.new(key, f"{kind}\0{what}".encode("utf-8", "surrogatepass"), hashlib.sha256).digest()


def pseudonym_of(key: bytes, mrn: str) -> str:
    """Return the name that stands for a woman's number, 70 bits long; a pseudonym of this key stands for itself."""
    mrn = mrn.strip()
    if is_pseudonym(key, mrn):
        return mrn
    number = int.from_bytes(_digest(key, "patient", mrn)[:10])
    letters = "".join(_LETTERS[(number >> (5 * place)) & 31] for place in range(_LENGTH - 2))
    return PREFIX + letters + _check(key, letters)


def is_pseudonym(key: bytes, mrn: str) -> bool:
    """Tell whether a number was made by this key: its last two letters are a keyed check of the others."""
    letters = mrn.removeprefix(PREFIX)
    return mrn.startswith(PREFIX) and len(letters) == _LENGTH and letters[-2:] == _check(key, letters[:-2])


def _check(key: bytes, letters: str) -> str:
    number = int.from_bytes(_digest(key, "check", letters)[:2])
    return _LETTERS[number & 31] + _LETTERS[(number >> 5) & 31]


def uid_for(key: bytes, uid: str) -> str:
    """Return the UID that stands for another one wherever that is named (PS3.5 B.2: 2.25 and a UUID as a number)."""
    number = int.from_bytes(_digest(key, "uid", uid.strip())[:16])
    # The bits of a random UUID (version 4, variant 1), as those under 2.25 are UUIDs.
    number = number & ~(0xF << 76) | 4 << 76
    number = number & ~(0x3 << 62) | 2 << 62
    return f"2.25.{number}"


@dataclass(frozen=True)
class Identity:
    """What stands in one woman's place; `shift_days` is never 0 and at most a year either way."""

    pseudonym: str
    shift_days: int
    key: bytes

    @classmethod
    def of(cls, key: bytes, mrn: str) -> Identity:
        """Return who stands in the place of the woman with this number, or of whom it is the pseudonym already."""
        pseudonym = pseudonym_of(key, mrn)
        drawn = int.from_bytes(_digest(key, "days", pseudonym)[:8]) % (2 * _MOST_DAYS)
        days = drawn - _MOST_DAYS if drawn < _MOST_DAYS else drawn - _MOST_DAYS + 1
        return cls(pseudonym, days, key)

    def words(self, name: str, birth_date: str = "", issuer: str = "") -> str:
        """Return a keyed word for each part of her name, her birth date and who gave her number.

        They tell two women under one number apart as the originals would (`core.incoming.identity`), and nothing else:
        the same name is other words for another woman.
        """
        plain = re.sub("[\u0300-\u036f]", "", unicodedata.normalize("NFKD", name)).casefold()
        parts = [f"name {part}" for part in re.findall(r"\w+", unicodedata.normalize("NFC", plain))]
        parts += [
            f"{kind} {what.strip()}" for kind, what in (("born", birth_date), ("by", issuer)) if what.strip()
        ]
        return " ".join(self._word(part) for part in sorted(set(parts)))

    def _word(self, part: str) -> str:
        number = int.from_bytes(_digest(self.key, f"word {self.pseudonym}", part)[:3])
        return "".join(_LETTERS[(number >> (5 * place)) & 31] for place in range(4))

    def day(self, day: date) -> date:
        """Return a day moved by hers; one that leaves the calendar stays at its end."""
        try:
            return day + timedelta(days=self.shift_days)
        except OverflowError:
            return date.min if self.shift_days < 0 else date.max

    def uid(self, uid: str) -> str:
        """Return the UID that stands for one of hers."""
        return uid_for(self.key, uid)

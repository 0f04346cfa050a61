"""The kinds of records that a table may hold and their fields, as `fields.toml` says them."""

from __future__ import annotations

import csv
import enum
import io
from functools import cache
from importlib.resources import files

from pydantic import model_validator

from core.rules import documents
from core.rules.documents import Document, Table, Words


class FieldType(enum.StrEnum):
    """How a cell is read (`core.sheets.cells`)."""

    MRN = "mrn"
    NAME = "name"
    TEXT = "text"
    DATE = "date"
    SEX = "sex"
    SIDE = "side"
    BMI = "bmi"
    COUNT = "count"
    YES_NO = "yes_no"
    EVENT = "event"
    RESULT = "result"
    BI_RADS = "bi_rads"
    DENSITY = "density"
    MANAGEMENT = "management"


class Field(Table):
    """One thing that a line may say."""

    key: Words
    words: Words
    type: FieldType
    required: bool = False
    synonyms: tuple[Words, ...] = ()


class Kind(Table):
    """One kind of records."""

    key: Words
    words: Words
    says: Words
    field: tuple[Field, ...]

    @property
    def fields(self) -> dict[str, Field]:
        """Return the fields by their keys, in their order."""
        return {one.key: one for one in self.field}

    @property
    def empty_table(self) -> bytes:
        """Return a CSV file with a column for each field and no line, as spreadsheets open it."""
        written = io.StringIO()
        csv.writer(written).writerow([one.words for one in self.field])
        return written.getvalue().encode("utf-8-sig")


class _Kinds(Document):
    kind: tuple[Kind, ...]

    @model_validator(mode="after")
    def _each_is_called_once(self) -> _Kinds:
        for kind in self.kind:
            names = [name for one in kind.field for name in {one.key.replace("_", " "), *one.synonyms}]
            twice = {name for name in names if names.count(name) > 1}
            if twice:
                raise ValueError(f"{kind.key}: two fields are called {', '.join(sorted(twice))}")
        return self


@cache
def kinds() -> dict[str, Kind]:
    """Return the kinds of records by their keys."""
    said = documents.read("fields.toml", _Kinds, folder=files("core.sheets"))
    return {one.key: one for one in said.kind}

"""The cohorts of an installation for a program or a notebook, to be read only: tables of women and visits, and selections.

>>> from core import cohorts
>>> with cohorts.open("var") as here:
...     frame = here.frame()
...     chosen = here.select(kind="simulated", density=("C", "D"))
...     print(chosen.sentence)

`Frame` and `Selection` hold single women. What is handed on goes through `core.cohorts.disclosure`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from sqlalchemy import event

from core.cohorts import stored
from core.cohorts.away.made import model_said
from core.cohorts.definition import Definition
from core.cohorts.frame import Frame
from core.cohorts.live import frame_of
from core.cohorts.selection import Selection, select
from core.installation import Installation
from core.people import asking
from core.people.needing import needs
from core.people.roles import Permission
from core.settings import Settings

__all__ = ["CannotOpen", "Cohorts", "open"]


class CannotOpen(ValueError):
    """The installation cannot be read; the message says why and what to do."""


class Cohorts:
    """An installation's cohorts, opened by `open`. The database takes no write from here.

    A program of this machine could read its files as well, so it asks as a command does, unless it says who asks.
    """

    @needs(Permission.SEE_COHORT)
    def __init__(self, here: Installation) -> None:
        self._here = here
        self._asks = asking.asker() or asking.SYSTEM
        self._frames: dict[str, Frame] = {}

    def frame(self, table: str = "") -> Frame:
        """Return all women with a mammogram and their visits as Polars tables; of a cohort that came as a table by its name.

        Read once, and the same again at the next call.
        """
        if table not in self._frames:
            with asking.asked_by(self._asks):
                self._frames[table] = (
                    stored.frame_of_table(self._here, table) if table else frame_of(self._here)
                )
        return self._frames[table]

    def select(
        self,
        definition: Definition | Mapping[str, Any] | str | bytes | Path | None = None,
        *,
        table: str = "",
        **choices: Any,
    ) -> Selection:
        """Return the women of a definition: one that was made, its JSON, a file of it, or its choices by name.

        Raises `DefinitionRefused` where it cannot be used.
        """
        if isinstance(definition, Path):
            definition = definition.read_bytes()
        if not isinstance(definition, Definition):
            definition = Definition.from_json(definition) if definition else Definition()
        return select(self.frame(table), definition.but(**choices) if choices else definition)

    def tables(self) -> list[stored.TableCohort]:
        """Return the cohorts that came as tables, without images."""
        with asking.asked_by(self._asks):
            return stored.tables(self._here)

    @property
    def model(self) -> str:
        """Name the model that speaks, with its weights."""
        with asking.asked_by(self._asks):
            return model_said(self._here)

    def close(self) -> None:
        """Let go of the database."""
        self._here.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()


def open(home: str | Path | None = None) -> Cohorts:
    """Open an installation's cohorts to be read: the one in a folder, or the one that the settings name.

    Raises `CannotOpen` where there is none, or it is of another release; nothing is made or migrated.
    """
    from db.migrate import lacking

    settings = Settings() if home is None else Settings(home=Path(home))
    if settings.url.startswith("sqlite:///") and not Path(settings.url.removeprefix("sqlite:///")).is_file():
        raise CannotOpen(
            f"There is no installation in {settings.root}. Set LONGVIEW_HOME, or name its folder."
        )
    here = Installation.open(settings, close_doors=False)
    here.database.before_commit = None
    event.listen(here.database.engine, "connect", _read_only(here.database.is_sqlite))
    if lacks := lacking(here.database):
        here.close()
        raise CannotOpen(
            f"The installation in {settings.root} is of another release ({', '.join(lacks)}). Start this release once: "
            "python -m core up."
        )
    with asking.asked_by(asking.asker() or asking.SYSTEM):
        return Cohorts(here)


def _read_only(sqlite: bool) -> Any:
    order = "PRAGMA query_only = ON" if sqlite else "SET default_transaction_read_only = on"

    def connected(connection: Any, _record: object) -> None:
        cursor = connection.cursor()
        cursor.execute(order)
        cursor.close()
        # PostgreSQL takes a setting back with the transaction in which it was made.
        connection.commit()

    return connected

"""Points of a picture, from a CSV file."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np

from core.images.registration.mapping import Points

__all__ = ["PointsError", "read_points"]

_MOST_BYTES = 20_000_000


class PointsError(ValueError):
    """The file of points cannot be used; the message says why, with the line."""


def read_points(path: Path, picture: str, shape: tuple[int, int]) -> Points:
    """Return the points (n, 2) of a CSV file, in its order.

    Its rows are ``x,y`` in pixels, origin top left; or it has a header that names the columns x and y among others. Where
    it has the columns ``visit`` and ``path`` (readers' landmarks of several pictures), only those of a prior, and of the
    file of this name where any is, are taken.

    Parameters
    ----------
    picture
        Name of the picture's file.
    shape
        Its rows and columns; a point outside it is an error.

    Raises
    ------
    PointsError
        If the file or one of its rows cannot be used.
    """
    rows = _rows(path)
    if not rows:
        raise PointsError(f"{path} holds no points.")
    header = [cell.strip().lower() for cell in rows[0][1]]
    columns = {name: at for at, name in enumerate(header)} if not _is_number(header[0]) else {"x": 0, "y": 1}
    if not {"x", "y"} <= set(columns):
        raise PointsError(
            f"{path}, line {rows[0][0]}: a header names the columns x and y. This one has {', '.join(header)}."
        )
    if not _is_number(header[0]):
        rows = _of_the_prior(rows[1:], columns, picture)
    if not rows:
        raise PointsError(f"{path} holds no points of the prior.")
    return np.array([_point(path, line, cells, columns, shape) for line, cells in rows], np.float64)


Rows = list[tuple[int, list[str]]]


def _rows(path: Path) -> Rows:
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise PointsError(f"{path} is too large for a list of points.")
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = csv.reader(file, strict=True)
            return [(lines.line_num, cells) for cells in lines if any(cell.strip() for cell in cells)]
    except OSError as error:
        raise PointsError(f"{path} cannot be opened: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        raise PointsError(f"{path} is no text: points are given as x,y, one a line.") from error
    except csv.Error as error:
        raise PointsError(f"{path}, line {lines.line_num}: {error}.") from error


def _is_number(cell: str) -> bool:
    try:
        return math.isfinite(float(cell))
    except ValueError:
        return False


def _of_the_prior(rows: Rows, columns: dict[str, int], picture: str) -> Rows:
    def cell(cells: list[str], name: str) -> str:
        at = columns.get(name, len(cells))
        return cells[at].strip() if at < len(cells) else ""

    if "visit" in columns:
        rows = [row for row in rows if cell(row[1], "visit").lower() == "prior"]
    if "path" in columns:
        rows = [row for row in rows if Path(cell(row[1], "path")).name == picture] or rows
    return rows


def _point(
    path: Path, line: int, cells: list[str], columns: dict[str, int], shape: tuple[int, int]
) -> tuple[float, float]:
    said = [cells[columns[name]].strip() if columns[name] < len(cells) else "" for name in ("x", "y")]
    if not all(_is_number(one) for one in said):
        raise PointsError(f"{path}, line {line}: {','.join(cells)[:80]!r} is not x,y: two numbers of pixels.")
    x, y = float(said[0]), float(said[1])
    if not (0 <= x <= shape[1] and 0 <= y <= shape[0]):
        raise PointsError(
            f"{path}, line {line}: the point {x:g},{y:g} lies outside the prior, which is {shape[1]} pixels wide and "
            f"{shape[0]} high."
        )
    return x, y

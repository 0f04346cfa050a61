"""How much history can tell at all, and how that moves with what the simulated women are made of.

Lives only, no pictures: which findings show is drawn from `seed_data.women.visibility`. For each case mix two perfect readers
(`core.evaluation.oracles`), one of the last visit and one of all visits, are fitted on some women and tried on others; the
difference of their AUCs is the gain of history. One constant is moved at a time, the others stay as in `CaseMix`.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import pandas as pd
from rich.table import Table

from core.evaluation import Gain, gain_of_history, reader_table, with_bounds
from core.files import AS_ASKED, whole_file, write_whole
from core.sets import true_breasts
from seed_data.women import lives
from seed_data.women.life import CaseMix
from seed_data.women.mechanisms import OF_2025, Mechanisms
from seed_data.women.processes import in_order
from seed_data.women.tables import truth_columns
from seed_data.women.visibility import MEASURED, Visibility, truth_without_pictures

__all__ = [
    "MOVED",
    "Setting",
    "in_words",
    "printed",
    "reader_tables",
    "sensitivity",
    "with_evaluations",
    "write_lives",
    "write_table",
]

CHUNK: Final = 250
MOVED: Final[dict[str, tuple[float, ...]]] = {
    "benign_per_woman": (0.2, 0.5, 0.9, 1.5, 2.5),
    "growth_speed": (0.5, 0.75, 1.0, 1.5, 2.0),
    "detection_noise": (0.0, 0.35, 0.7, 1.4),
}
"""The constants that are moved, with the values they take; the usual value is among them."""
HORIZONS: Final = (1, 2, 5)
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Setting:
    """One line of the table: what was moved where, and the gain of history by horizon in years."""

    moved: str
    value: float
    usual: bool
    women: int
    gains: dict[int, Gain]

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)


@dataclass(frozen=True)
class _Order:
    seed: int
    numbers: range
    mix: CaseMix
    model: Visibility
    mechanisms: Mechanisms = OF_2025


def _truth(order: _Order) -> list[dict[str, Any]]:
    return [
        row
        for number in order.numbers
        for row in truth_without_pictures(
            lives.draw_life(order.seed, number, order.mix, mechanisms=order.mechanisms), order.model
        )
    ]


def _table(order: _Order) -> pd.DataFrame:
    return reader_table(true_breasts(_truth(order)))


def _orders(
    women: int, seed: int, mix: CaseMix, model: Visibility, mechanisms: Mechanisms = OF_2025
) -> list[_Order]:
    return [
        _Order(seed, range(start, min(start + CHUNK, women + 1)), mix, model, mechanisms)
        for start in range(1, women + 1, CHUNK)
    ]


def reader_tables(
    women: int,
    seed: int,
    mix: CaseMix,
    *,
    model: Visibility = MEASURED,
    mechanisms: Mechanisms = OF_2025,
    jobs: int = 1,
) -> pd.DataFrame:
    """Return what the readers see of so many women (`core.evaluation.oracles.reader_table`), the same for the same seed."""
    return pd.concat(list(in_order(_table, _orders(women, seed, mix, model, mechanisms), jobs)))


def write_lives(
    path: Path,
    *,
    women: int,
    seed: int,
    mix: CaseMix,
    model: Visibility = MEASURED,
    mechanisms: Mechanisms = OF_2025,
    jobs: int = 1,
    on_women: Progress | None = None,
) -> None:
    """Write the truth table of women of whom no picture is made: for oracles to be fitted on."""
    orders = _orders(women, seed, mix, model, mechanisms)
    with whole_file(path, text=True, newline="", mode=AS_ASKED) as file:
        writer = csv.DictWriter(file, truth_columns(mechanisms), lineterminator="\n")
        writer.writeheader()
        for done, rows in enumerate(in_order(_truth, orders, jobs), start=1):
            writer.writerows(rows)
            if on_women:
                on_women(min(done * CHUNK, women), women)


def sensitivity(
    women: int,
    seed: int,
    *,
    mix: CaseMix | None = None,
    moved: dict[str, tuple[float, ...]] | None = None,
    model: Visibility = MEASURED,
    jobs: int = 1,
    times: int = 500,
    on_setting: Progress | None = None,
) -> list[Setting]:
    """Return the gain of history for each case mix.

    Parameters
    ----------
    women
        On whom each reader is fitted; half as many others, of the next seed, try it.
    seed
        Of the lives.
    mix
        What the women are made of but for the constant that is moved.
    moved
        Constants of `CaseMix` and the values each takes.
    model
        Which findings show.
    jobs
        Processes.
    times
        Bootstrap draws.
    on_setting
        Called with settings done and settings in all.
    """
    usual = mix or CaseMix()
    settings = [
        (name, value, replace(usual, **{name: value}))
        for name, values in (moved or MOVED).items()
        for value in values
    ]
    found: list[Setting] = []
    known: dict[CaseMix, dict[int, Gain]] = {}
    for name, value, made in settings:
        if made not in known:
            tables = partial(reader_tables, mix=made, model=model, jobs=jobs)
            fitted_on, tried = tables(women, seed), tables(max(women // 2, 1), seed + 1)
            known[made] = {
                horizon: gain_of_history(tried, horizon, fitted_on, times=times) for horizon in HORIZONS
            }
        found.append(Setting(name, value, made == usual, max(women // 2, 1), known[made]))
        if on_setting:
            on_setting(len(found), len(settings))
    return found


def with_evaluations(settings: Sequence[Setting], evaluated: Sequence[Path]) -> list[dict[str, Any]]:
    """Return rows for the table: the settings, each with the model's gain where a set of that mix was evaluated.

    `evaluated` are `metrics.json` of `python -m core evaluate`; those of other mixes get no row. Raises ValueError for
    a file that is none.
    """
    usual = CaseMix()
    by_mix: dict[str, dict[str, Any]] = {}
    for path in evaluated:
        try:
            said = json.loads(path.read_text("utf-8"))
            mix, gains = said["case_mix"], said["controls"]["last"]
        except (OSError, ValueError, KeyError) as error:
            raise ValueError(f"{path} is no metrics.json of simulated women: {error!r}.") from error
        by_mix[_key(mix)] = {"women": said["women"], "gains": gains}
    rows = []
    for setting in settings:
        model = by_mix.get(_key(asdict(replace(usual, **{setting.moved: setting.value}))))
        for horizon, gain in setting.gains.items():
            seen = (model or {}).get("gains", {}).get(str(horizon), {})
            rows.append(
                {
                    "moved": setting.moved, "value": setting.value, "usual": setting.usual, "horizon_years": horizon,
                    "women": setting.women, **asdict(gain), "model_women": (model or {}).get("women"),
                    "model_gain": seen.get("gain"), "model_gain_ci": seen.get("gain_ci"),
                }
            )  # fmt: skip
    return rows


def write_table(folder: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Write `sensitivity.json` and `sensitivity.csv` (intervals in two columns each) into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / "sensitivity.json", json.dumps(rows, indent=1) + "\n", mode=AS_ASKED)
    flat = []
    for row in rows:
        one = dict(row)
        for name in ("gain", "model_gain"):
            one[f"{name}_low"], one[f"{name}_high"] = one.pop(f"{name}_ci") or ("", "")
        flat.append(one)
    write_whole(folder / "sensitivity.csv", pd.DataFrame(flat).to_csv(index=False), mode=AS_ASKED)


def printed(rows: Sequence[dict[str, Any]]) -> Table:
    """Return the table for a terminal: a line for each case mix, a gain for each horizon."""
    table = Table("moved", "to", *(f"{horizon} year{'s' * (horizon > 1)}" for horizon in HORIZONS))
    lines: dict[tuple[str, float], list[dict[str, Any]]] = {}
    for row in rows:
        lines.setdefault((row["moved"], row["value"]), []).append(row)
    before = ""
    for (moved, value), gains in lines.items():
        if before and before != moved:
            table.add_section()
        name = moved.replace("_", " ") if before != moved else ""
        before = moved
        usual = " (usual)" if gains[0]["usual"] else ""
        table.add_row(name, f"{value:g}{usual}", *(in_words(one["gain"], one["gain_ci"]) for one in gains))
        if any(one["model_gain"] is not None for one in gains):
            table.add_row(
                "", "the model", *(in_words(one["model_gain"], one["model_gain_ci"]) for one in gains)
            )
    return table


def in_words(gain: float | None, interval: Sequence[float] | None) -> str:
    """Return a gain with its interval, or a dash where there is none."""
    if gain is None or interval is None:
        return "–"
    return with_bounds(gain, interval, sign=True)


def _key(mix: dict[str, Any]) -> str:
    usual = asdict(CaseMix())
    return json.dumps({name: mix.get(name, usual[name]) for name in sorted(usual)})

"""What history gives perfect readers, with and without each mechanism, beside what is published; nothing is fitted to it.

As in `seed_data.checks.sensitivity`: two readers, one of the last study and one of all, learn on some lives and are tried on
others; the difference of their AUCs is the gain, its interval by paired bootstrap over women. Published: a real model's
5-year AUC 0.74 (0.71-0.77) of the current study and 0.80 (0.78-0.83) with three years of earlier ones, in other women than
it learned on (Jiang 2024, JCO Clin Cancer Inform; 332 cancers in 18,360 women). Not all find so much: the Norwegian
Computing Center, with a strong model of one study, about 0.001 ("Analysing the effect of change in mammography screening
sequences", nr.no/en/publication/10421725).

Measured (`python -m seed_data sensitivity --mechanisms --women 8000 --out D`: readers of 8,000 women, tried on 4,000):

==========================================  =========  ========  ==========================
at work                                     AUC, last  all       gain at 5 years
==========================================  =========  ========  ==========================
edition 2025                                0.739      0.750     +0.012 (+0.002 to +0.021)
2025 without slower fall of density         0.719      0.734     +0.015 (+0.004 to +0.026)
2025 with early signs                       0.827      0.846     +0.019 (+0.010 to +0.028)
2025 with look-alikes                       0.711      0.735     +0.023 (+0.011 to +0.034)
edition 2026                                0.772      0.806     +0.034 (+0.024 to +0.045)
2026 without growth by population           0.807      0.839     +0.032 (+0.022 to +0.040)
2026 without in situ and non-progressive    0.771      0.800     +0.029 (+0.019 to +0.039)
2026 without texture                        0.781      0.815     +0.034 (+0.023 to +0.045)
2026 without early signs                    0.674      0.693     +0.019 (+0.007 to +0.030)
2026 without look-alikes                    0.792      0.818     +0.026 (+0.017 to +0.036)
2026 with slower fall of density            0.781      0.814     +0.034 (+0.023 to +0.044)
2026, a quarter of a sign is her own        0.777      0.791     +0.014 (+0.006 to +0.024)
2026, three quarters of a sign are her own  0.769      0.853     +0.084 (+0.070 to +0.097)
==========================================  =========  ========  ==========================

Edition 2026 once more, other women and more of them (`--mechanisms --only "edition 2026" --women 20000 --seed 9401`: readers
of 20,000, tried on 10,000; two and a quarter minutes of one core):

========  =======  ==========  =====  ==========================
within    cancers  AUC, last   all    gain
========  =======  ==========  =====  ==========================
1 year    779      0.879       0.904  +0.025 (+0.018 to +0.032)
2 years   1,113    0.854       0.881  +0.027 (+0.020 to +0.035)
5 years   2,409    0.782       0.811  +0.029 (+0.022 to +0.035)
========  =======  ==========  =====  ==========================

That is half of what is published (0.74 to 0.80), and its interval ends below.

So signs and look-alikes carry the gain, growth and density hardly move it, and what moves it most is an assumption: how
much of a healthy breast's look stays the same from study to study. That is the figure to look for in real studies.

How weights for women of edition 2026 would be made; but for the last line nothing of it has been done:

- `python -m seed_data simulate --mechanisms 2026 --patients 6000 --seed 20260 --out D`, and 4,000 women of seed 20261 that
  prove (`--out P`);
- `python -m core train longitudinal --data D/manifest.csv --out W`: the recipe of the shipped weights, which says its budget;
- `python -m seed_data lives --mechanisms 2026 --women 20000 --seed 9001 --out L.csv`, then
  `python -m core evaluate W --data P/manifest.csv --oracle-data L.csv --out R`: it prints the share of perfect readers' gain
  that the model reaches; 80 % of it is the target. `python -m core evaluate W` on women of edition 2025 stands beside;
- what a sequence of perfect vectors reaches, whatever the encoder: `python -m seed_data lives --mechanisms 2026 --out L.csv
  --vectors V.csv`, `python -m core train sequence --embeddings V.csv --cv 5x1 --out S`. Of 3,000 women of seed 9501, out of fold,
  at 5 years: all visits 0.798 (0.778 to 0.816), the last 0.793 (0.772 to 0.812), gain +0.005 (-0.001 to +0.011), 749 cancers
  in 2,716 women; before the larger LSTM 0.785 and 0.784. Much of perfect readers' gain is still lost in how a sequence is read.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

import pandas as pd
from rich.table import Table

from core.evaluation import Gain, gain_of_history
from core.files import AS_ASKED, write_whole
from seed_data.checks.sensitivity import HORIZONS, in_words, reader_tables
from seed_data.women.life import CaseMix
from seed_data.women.mechanisms import OF_2025, OF_2026, Mechanisms
from seed_data.women.visibility import MEASURED, Visibility

__all__ = ["PUBLISHED", "SETTINGS", "MechanismGain", "mechanism_gains", "printed", "rows_of", "write_table"]

HORIZON: Final = 5
PUBLISHED: Final = {"horizon_years": HORIZON, "auc_last": 0.74, "auc_history": 0.80, "gain": 0.06}
SETTINGS: Final[dict[str, Mechanisms]] = {
    "edition 2025": OF_2025,
    "2025 without slower fall of density": replace(OF_2025, slower_fall=False),
    "2025 with early signs": replace(OF_2025, early_signs=True),
    "2025 with look-alikes": replace(OF_2025, look_alikes=True),
    "edition 2026": OF_2026,
    "2026 without growth by population": replace(OF_2026, growth=False),
    "2026 without in situ and non-progressive": replace(OF_2026, in_situ=False),
    "2026 without texture": replace(OF_2026, texture=False),
    "2026 without early signs": replace(OF_2026, early_signs=False),
    "2026 without look-alikes": replace(OF_2026, look_alikes=False),
    "2026 with slower fall of density": replace(OF_2026, slower_fall=True),
    "2026, a quarter of a sign is her own": replace(OF_2026, sign_stable_share=0.25),
    "2026, three quarters of a sign are her own": replace(OF_2026, sign_stable_share=0.75),
}


@dataclass(frozen=True)
class MechanismGain:
    """One line: which mechanisms were at work, and the gain by horizon in years."""

    name: str
    women: int
    gains: dict[int, Gain]


def mechanism_gains(
    women: int,
    seed: int,
    *,
    settings: dict[str, Mechanisms] | None = None,
    model: Visibility = MEASURED,
    jobs: int = 1,
    times: int = 500,
    on_setting: Callable[[int, int], None] | None = None,
) -> list[MechanismGain]:
    """Return the gain of history for each set of mechanisms; readers learn on `women`, half as many others try them."""
    chosen, mix = SETTINGS if settings is None else settings, CaseMix()
    found = []
    for name, at_work in chosen.items():
        taught = reader_tables(women, seed, mix, model=model, mechanisms=at_work, jobs=jobs)
        tried = reader_tables(max(women // 2, 1), seed + 1, mix, model=model, mechanisms=at_work, jobs=jobs)
        gains = {horizon: gain_of_history(tried, horizon, taught, times=times) for horizon in HORIZONS}
        found.append(MechanismGain(name, max(women // 2, 1), gains))
        if on_setting:
            on_setting(len(found), len(chosen))
    return found


def rows_of(found: Sequence[MechanismGain]) -> list[dict[str, Any]]:
    """Return plain rows, one for each set of mechanisms and horizon."""
    return [
        {"mechanisms": one.name, "women": one.women, "horizon_years": horizon, **asdict(gain)}
        for one in found
        for horizon, gain in one.gains.items()
    ]


def write_table(folder: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Write `mechanisms.json` and `mechanisms.csv` into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    said = {"published": PUBLISHED, "simulated": list(rows)}
    write_whole(folder / "mechanisms.json", json.dumps(said, indent=1) + "\n", mode=AS_ASKED)
    flat = [{**row, "gain_low": row["gain_ci"][0], "gain_high": row["gain_ci"][1]} for row in rows]
    table = pd.DataFrame(flat).drop(columns="gain_ci")
    write_whole(folder / "mechanisms.csv", table.to_csv(index=False), mode=AS_ASKED)


def printed(found: Sequence[MechanismGain]) -> Table:
    """Return the table for a terminal, the published model's line last."""
    table = Table("at work", "5-year AUC, last", "all studies", *(_years(horizon) for horizon in HORIZONS))
    for one in found:
        five = one.gains[HORIZON]
        table.add_row(
            one.name, f"{five.auc_last:.3f}", f"{five.auc_history:.3f}",
            *(in_words(one.gains[horizon].gain, one.gains[horizon].gain_ci) for horizon in HORIZONS),
        )  # fmt: skip
    table.add_section()
    table.add_row(
        "published, a real model", f"{PUBLISHED['auc_last']:.2f}", f"{PUBLISHED['auc_history']:.2f}", "–", "–",
        f"+{PUBLISHED['gain']:.2f}",
    )  # fmt: skip
    return table


def _years(horizon: int) -> str:
    return f"gain, {horizon} year{'s' * (horizon > 1)}"

"""The cards that people read."""

import json
from pathlib import Path

import pytest

from core.installation import Installation
from core.records import cards
from core.settings import Settings
from models.store import registry

CARD = {
    "name": "longitudinal-sim",
    "title": "Longitudinal model",
    "trained_on": "simulated women.",
    "licence": "Apache-2.0",
    "intended_use": "Research.",
    "limits": "Real film looks different.",
    "metrics": {"auc_5y": {"value": 0.81, "ci": [0.79, 0.83]}, "women": 2000},
    "weights_sha256": "ab" * 32,
    "encoder_sha256": "cd" * 32,
    "calibration": "isotonic",
    "created": "2026-11-21",
    "files": {},
    "simulated_training": True,
}


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two models in a folder of their own."""
    monkeypatch.setattr(registry, "WEIGHTS", tmp_path)
    cards.forget()
    for name in ("another", "longitudinal-sim"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / registry.CARD).write_text(json.dumps({**CARD, "name": name}))
    return tmp_path


def test_the_model_that_speaks_comes_first(here: Installation, installed: Path) -> None:
    assert [(card.name, card.speaks) for card in cards.cards(here)] == [
        ("longitudinal-sim", True),
        ("another", False),
    ]


def test_under_every_score_stands_what_the_weights_learned_from(here: Installation, installed: Path) -> None:
    line = cards.footer(cards.card_of(here, "longitudinal-sim"), "longitudinal-sim")
    assert line == (
        "Research software. Not for diagnosis. Weights: longitudinal-sim, learned from simulated women only."
    )


def test_the_setting_may_name_a_models_folder(here: Installation, installed: Path, tmp_path: Path) -> None:
    folder = tmp_path / "elsewhere" / "model"
    folder.mkdir(parents=True)
    (folder / registry.CARD).write_text(json.dumps({**CARD, "name": "mine"}))
    own = Installation.open(Settings(home=here.home, model=str(folder), _env_file=None))
    assert cards.speaking(own) == "mine"
    assert cards.cards(own)[0].name == "mine"
    assert cards.card_of(own, "mine") is not None
    own.close()


def test_a_model_that_is_gone_is_said_so(here: Installation, installed: Path) -> None:
    assert cards.card_of(here, "no such model") is None
    assert "its card is not installed" in cards.footer(None, "no such model")

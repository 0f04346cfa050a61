"""Cards and the files they vouch for."""

import json

import pytest

from models.store.registry import cards, check_files, read_card, sha256_of, weights_folder

CARD = {
    "name": "n",
    "title": "t",
    "trained_on": "x",
    "licence": "x",
    "intended_use": "x",
    "limits": "x",
    "metrics": {},
    "weights_sha256": "",
    "encoder_sha256": "",
    "calibration": "none",
    "created": "2026-01-01",
    "simulated_training": True,
}


def test_a_file_that_was_changed_is_refused(tmp_path):
    (tmp_path / "w.bin").write_bytes(b"weights")
    files = {"w.bin": sha256_of(tmp_path / "w.bin")}
    (tmp_path / "card.json").write_text(json.dumps(CARD | {"files": files}))
    card = read_card(tmp_path)
    check_files(tmp_path, card)
    (tmp_path / "w.bin").write_bytes(b"Weights")
    with pytest.raises(ValueError, match="sha256"):
        check_files(tmp_path, card)
    (tmp_path / "w.bin").unlink()
    with pytest.raises(ValueError, match="lacks"):
        check_files(tmp_path, card)


def test_a_card_that_lacks_something_says_what(tmp_path):
    (tmp_path / "card.json").write_text(json.dumps({k: v for k, v in CARD.items() if k != "limits"}))
    with pytest.raises(ValueError, match="limits"):
        read_card(tmp_path)


def test_an_unknown_name_is_answered_with_the_known_ones():
    with pytest.raises(LookupError, match="No model is called"):
        weights_folder("../../etc")


def test_every_shipped_model_is_whole_and_small():
    for card in cards():
        folder = weights_folder(card.name)
        check_files(folder, card)
        assert sum(path.stat().st_size for path in folder.iterdir()) <= 20 * 1024**2

"""Cards and the files they vouch for."""

import json
import re

import pytest

from models.store.registry import cards, check_card_words, check_files, read_card, sha256_of, weights_folder

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


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"limits": 5}, "limits is 5, not text."),
        ({"metrics": [1]}, "metrics is [1], not an object of names and values."),
        ({"simulated_training": "no"}, 'simulated_training is "no", not true or false.'),
        ({"simulated_training": 0}, "simulated_training is 0, not true or false."),
        ({"files": {"w.bin": None}}, "files.w.bin is null, not text."),
        ({"title": ["x" * 500]}, "title is"),
    ],
)
def test_a_card_that_says_something_of_the_wrong_kind_says_what(tmp_path, values, says):
    (tmp_path / "card.json").write_text(json.dumps(CARD | {"files": {}} | values))
    with pytest.raises(ValueError, match=re.escape(says)) as raised:
        read_card(tmp_path)
    assert "pydantic" not in str(raised.value)
    assert len(str(raised.value)) < 300 + len(str(tmp_path))


@pytest.mark.parametrize("text", ["", "[]", "7", "{"])
def test_a_damaged_card_is_said_to_be_damaged(tmp_path, text):
    (tmp_path / "card.json").write_text(text)
    with pytest.raises(ValueError, match="is damaged"):
        read_card(tmp_path)


def test_a_card_in_another_encoding_is_said_to_be_damaged(tmp_path):
    (tmp_path / "card.json").write_bytes(
        json.dumps(CARD | {"title": "é"}, ensure_ascii=False).encode("latin-1")
    )
    with pytest.raises(ValueError, match="is damaged"):
        read_card(tmp_path)


def test_what_a_newer_card_says_beyond_is_left_aside(tmp_path):
    (tmp_path / "card.json").write_text(json.dumps(CARD | {"files": {}, "colour": "red"}))
    assert read_card(tmp_path).to_json() == CARD | {"files": {}, "settings": {}}


def test_a_shipped_card_is_written_as_it_was_read():
    for card in cards():
        assert card.to_json() == json.loads((weights_folder(card.name) / "card.json").read_text("utf-8"))


def test_words_for_a_card_are_checked_before_there_is_a_model():
    check_card_words({"title": "T", "simulated_training": True, "of no card": 1}, "words.json")
    with pytest.raises(ValueError, match=re.escape('words.json: simulated_training is "yes"')):
        check_card_words({"simulated_training": "yes"}, "words.json")


def test_an_unknown_name_is_answered_with_the_known_ones():
    with pytest.raises(LookupError, match="No model is called"):
        weights_folder("../../etc")


def test_every_shipped_model_is_whole_and_small():
    for card in cards():
        folder = weights_folder(card.name)
        check_files(folder, card)
        assert sum(path.stat().st_size for path in folder.iterdir()) <= 20 * 1024**2

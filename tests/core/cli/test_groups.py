"""Options in groups: what a verb offers, and what it is handed."""

from dataclasses import dataclass
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from core.__main__ import app
from core.cli.groups import in_groups

IMAGE_OPTIONS = (
    "--task --data --out --classes --backbone --weights --head --practice --density-from --about --turns --no-turns "
    "--outline --no-outline --gland --no-gland --rooted --no-rooted --recipe --beside --beside-weights --beside-epochs --beside-size --region --preprocessing --size --rotation --flip "
    "--no-flip --zoom --contrast --cv --budget-minutes --lesion-map --epochs --patience --seed --width "
    "--json --help"
)
LONGITUDINAL_OPTIONS = (
    "--data --out --budget-minutes --seed --backbone --weights --members --encoder-data --start-from --keep-encoder "
    "--base-rates --card --json --help"
)


@dataclass(frozen=True)
class Size:
    rows: Annotated[int, typer.Option(min=1)]
    columns: Annotated[int, typer.Option("--wide")] = 7

    def __post_init__(self):
        if self.columns > 100:
            raise ValueError("No picture is [so] wide.")


def run(verb, *words):
    made = typer.Typer()
    made.command()(in_groups(verb))
    return CliRunner().invoke(made, list(words))


def test_a_verb_is_handed_its_groups_whole():
    got = []

    def verb(size: Size, loud: Annotated[bool, typer.Option("--loud")] = False) -> None:
        """Say."""
        got.append((size, loud))

    assert run(verb, "--rows", "3").exit_code == 0
    assert run(verb, "--rows", "3", "--wide", "9", "--loud").exit_code == 0
    assert got == [(Size(3), False), (Size(3, 9), True)]


@pytest.mark.parametrize("words", [[], ["--rows", "0"], ["--rows", "x"]])
def test_what_a_field_does_not_take_is_wrong_use(words):
    def verb(size: Size) -> None:
        """Say."""

    assert run(verb, *words).exit_code == 2


def test_what_a_group_refuses_is_told_in_its_words():
    def verb(size: Size) -> None:
        """Say."""

    result = run(verb, "--rows", "3", "--wide", "101")
    assert result.exit_code == 2
    assert "No picture is [so] wide." in result.stderr


def test_one_option_in_two_groups_is_a_mistake_of_the_verb():
    def verb(one: Size, other: Size) -> None:
        """Say."""

    with pytest.raises(TypeError, match="rows"):
        in_groups(verb)


@pytest.mark.parametrize(
    ("verb", "options"), [("image", IMAGE_OPTIONS), ("longitudinal", LONGITUDINAL_OPTIONS)]
)
def test_training_keeps_its_options(verb, options):
    command = typer.main.get_command(app).commands["train"].commands[verb]
    with typer.Context(command) as context:
        offered = {name for one in command.get_params(context) for name in (*one.opts, *one.secondary_opts)}
    assert offered == set(options.split())

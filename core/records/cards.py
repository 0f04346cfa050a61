"""The cards of the models, for people: what a model learned from, what it is for, how well it did."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from core.installation import Installation
from core.people.needing import SIGNED_IN, needs
from core.rules.comparable import SaidBy
from models.store import registry


@dataclass(frozen=True)
class Card:
    """A model's card as the pages show it."""

    name: str
    title: str
    learned_from: str
    licence: str
    intended_use: str
    limits: str
    metrics: Mapping[str, Any]
    weights_sha256: str
    calibration: str
    created: str
    simulated_training: bool
    speaks: bool
    domain: Mapping[str, Any]
    """Which pictures it knows, as its card says: see `core.training.domain`; empty where that is not recorded."""
    of_single_images: bool
    settings: Mapping[str, Any]
    knows: str = ""
    """Of which pictures it speaks, and how many of others it turned away; empty where its card does not say."""


@lru_cache(maxsize=32)
def _card(name_or_folder: str) -> registry.ModelCard:
    folder = Path(name_or_folder)
    return registry.read_card(folder) if (folder / registry.CARD).is_file() else registry.card(name_or_folder)


def forget() -> None:
    """Read the cards anew at the next question: a model was installed or changed."""
    _card.cache_clear()


@needs(SIGNED_IN)
def speaking(here: Installation) -> str:
    """Return the name of the model that speaks, whose scores the pages show; the setting may name its folder."""
    card = _installed(here.settings.model)
    return card.name if card else here.settings.model


@needs(SIGNED_IN)
def settings_of(here: Installation, weights_sha256: str) -> Mapping[str, Any]:
    """Return the settings on the card of the model that speaks; empty where a score was made by other weights."""
    card = _installed(here.settings.model)
    return card.settings if card is not None and card.weights_sha256 == weights_sha256 else {}


@needs(SIGNED_IN)
def settings_behind(here: Installation, score: SaidBy) -> Mapping[str, Any]:
    """Return the settings on the card of the model that made a score; empty where its weights or calibration are others now."""
    card = card_of(here, score.model)
    if card is None or (card.weights_sha256, card.calibration) != (score.weights_sha256, score.calibration):
        return {}
    return card.settings


def _installed(name_or_folder: str) -> registry.ModelCard | None:
    try:
        return _card(name_or_folder)
    except (LookupError, ValueError):
        return None


def _shown(card: registry.ModelCard, speaking: str) -> Card:
    return Card(
        name=card.name,
        title=card.title,
        learned_from=card.trained_on,
        licence=card.licence,
        intended_use=card.intended_use,
        limits=card.limits,
        metrics=card.metrics,
        weights_sha256=card.weights_sha256,
        calibration=card.calibration,
        created=card.created,
        simulated_training=card.simulated_training,
        speaks=card.name == speaking,
        domain=_mapping(card.settings.get("domain")),
        of_single_images=card.of_single_images,
        settings=card.settings,
        knows=_knows(_mapping(card.settings.get("domain"))),
    )


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _knows(domain: Mapping[str, Any]) -> str:
    """Say the card's domain in one line; models of single images count cases, longitudinal ones studies."""
    unit = "cases" if "cases" in domain else "studies"
    if unit not in domain:
        return ""
    others = dict(domain.get("turned_away", {}))
    others = {f"{name} (left out)": one for name, one in domain.get("like", {}).items()} | others
    if "same_kind" in domain:
        others = {"unseen of the same kind": domain["same_kind"]} | others
    turned = ", ".join(f"{name} {one[f'{unit}_beyond']} of {one[unit]}" for name, one in others.items())
    own = {"cases": "pictures"}.get(unit, unit)
    return f"pictures like {domain[unit]} {own} of {domain['women']} women or groups. Turned away: {turned or 'not measured'}."


@needs(SIGNED_IN)
def cards(here: Installation) -> list[Card]:
    """Return the cards of all models that are installed, the one that speaks first."""
    found = {card.name: card for card in registry.cards()}
    own = _installed(here.settings.model)
    if own is not None:
        found[own.name] = own
    shown = [_shown(card, speaking(here)) for card in found.values()]
    return sorted(shown, key=lambda card: (not card.speaks, card.name))


@needs(SIGNED_IN)
def card_of(here: Installation, name: str) -> Card | None:
    """Return the card of one model, or None if it is not installed any more."""
    card = _installed(here.settings.model if name == speaking(here) else name)
    return _shown(card, speaking(here)) if card else None


def footer(card: Card | None, name: str) -> str:
    """Return the line that stands under every score."""
    if card is None:
        return f"Research software. Not for diagnosis. Weights: {name} (its card is not installed)."
    # How the data were made stands on the card; under a score it would hide what matters.
    source = "simulated women only" if card.simulated_training else card.learned_from.rstrip(".")
    return f"Research software. Not for diagnosis. Weights: {card.name}, learned from {source}."

"""How the pictures of a study look to the model: where they lie on the first axes of what its encoder learned.

The axes are those of the model's domain (`models.measures.Domain`), the directions in which the pictures that it learned from
differ most. What a shift on them comes from, no axis says: each is a mixture of all that the encoder sees.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.installation import Installation
from core.people.needing import SIGNED_IN, needs
from db.tables import Embedding, Image, Study
from models.measures import DOMAIN, Domain
from models.store import registry

__all__ = ["AXES", "AXIS_NAMES", "Looks", "known_by", "looks_of"]

AXES = 3
AXIS_NAMES = tuple(f"look_{number}" for number in range(1, AXES + 1))

Looks = Mapping[int, Sequence[NDArray[np.float64]]]


@needs(SIGNED_IN)
def known_by(here: Installation) -> str:
    """Say by which encoder and domain pictures are placed; empty where the model that speaks has none."""
    card = _card(here)
    return "" if card is None or DOMAIN not in card.files else f"{card.encoder_sha256}\n{card.files[DOMAIN]}"


def looks_of(here: Installation, session: Session, ids: Sequence[int]) -> Looks:
    """Return by study the places (k,) of its pictures that the model's encoder has read, of some women's mammograms.

    In standard deviations of the pictures that the model learned from, 0 their mean; nothing where it has no domain.
    """
    card = _card(here)
    if card is None or DOMAIN not in card.files:
        return {}
    domain = _domain(registry.folder_of(here.settings.model), card.files[DOMAIN])
    if domain is None:
        return {}
    query = (
        select(Image.study_id, Embedding.vector)
        .join(Image, Image.id == Embedding.image_id)
        .join(Study, Study.id == Image.study_id)
        .where(
            Study.patient_id.in_(ids), Study.modality == "MG", Embedding.encoder_sha256 == card.encoder_sha256
        )
        .order_by(Image.id)
    )
    size = 4 * len(domain.mean)
    read = [(study_id, vector) for study_id, vector in session.execute(query) if len(vector) == size]
    if not read:
        return {}
    vectors = np.frombuffer(b"".join(vector for _, vector in read), "<f4").reshape(len(read), -1)
    found: defaultdict[int, list[NDArray[np.float64]]] = defaultdict(list)
    for (study_id, _), place in zip(read, domain.along(vectors, AXES), strict=True):
        found[study_id].append(place)
    return found


def _card(here: Installation) -> registry.ModelCard | None:
    try:
        folder = registry.folder_of(here.settings.model)
        return _read_card(folder, (folder / registry.CARD).stat().st_mtime_ns)
    except (LookupError, ValueError, OSError):
        return None


@lru_cache(maxsize=8)
def _read_card(folder: Path, _changed_at: int) -> registry.ModelCard:
    return registry.read_card(folder)


@lru_cache(maxsize=2)
def _domain(folder: Path, _sha256: str) -> Domain | None:
    """Return the domain; None where its file is damaged: the worker says so, and rows are written without."""
    try:
        return Domain.load(folder / DOMAIN)
    except ValueError:
        return None

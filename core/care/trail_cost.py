"""What it costs to write every look down: of a page that is opened, and of the files that are taken in."""

from __future__ import annotations

import statistics
import time

from sqlalchemy import func, select

from core.care.benchmark import Measured
from core.installation import Installation
from core.people import Person, audit
from core.people.needing import SYSTEM_ONLY, needs
from core.trail import looking
from db.tables import AuditEntry, Image, Patient, Study

__all__ = ["count_entries", "of_a_page", "of_an_import"]

ROUNDS = 100
MOST_IMAGES = 8
"""How many images of hers a page fetches: two studies of four views."""


@needs(SYSTEM_ONLY)
def of_a_page(here: Installation, reader: Person, mrn: str) -> dict[str, Measured]:
    """Return what the trail costs when a woman's page is opened with its images: as waited for (median), and of processors."""
    hers = (
        select(Image.sop_uid).join(Study, Study.id == Image.study_id).join(Patient).where(Patient.mrn == mrn)
    )
    with here.database.read() as session:
        images = session.scalars(hers.limit(MOST_IMAGES)).all()
    waited = []
    used = time.process_time()
    for _ in range(ROUNDS):
        began = time.perf_counter()
        looking.opened(here, reader, "patient_opened", f"patient:{mrn}")
        for sop_uid in images:
            looking.images_seen(here, reader, sop_uid)
        waited.append(1000 * (time.perf_counter() - began))
    return {
        "trail_of_a_page": Measured(statistics.median(waited), "ms"),
        "trail_of_a_page_processor_time": Measured(1000 * (time.process_time() - used) / ROUNDS, "ms"),
    }


@needs(SYSTEM_ONLY)
def count_entries(here: Installation) -> int:
    """Return how many entries the trail has."""
    with here.database.read() as session:
        return session.scalar(select(func.count()).select_from(AuditEntry)) or 0


@needs(SYSTEM_ONLY)
def of_an_import(here: Installation, entries: int, processor_ms: float) -> dict[str, Measured]:
    """Return which share of an import's processor time (`processor_ms` in all) its entries cost, at most.

    Each is measured in a transaction of its own; an import writes most of them in those that it has anyway.
    """
    used = time.process_time()
    for number in range(ROUNDS):
        audit.note(here, None, "benchmark", None, {"entry": number})
    each = 1000 * (time.process_time() - used) / ROUNDS
    return {"trail_of_import": Measured(100 * entries * each / processor_ms, "%")}

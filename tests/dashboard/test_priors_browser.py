"""Fetching priors from a woman's page, against a real PACS: begun by a click, followed on the page, there afterwards."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect
from sqlalchemy import select

from core.installation import Installation
from core.people import Role, demo_accounts
from core.settings import Settings
from db.tables import Patient, Study
from tests import factories
from tests.core.network.conftest import Orthanc, mammogram
from tests.core.network.conftest import orthanc as orthanc
from tests.core.network.conftest import running_orthanc as running_orthanc
from tests.dashboard.conftest import Served, serve
from tests.dashboard.test_browser import browser as browser
from tests.dashboard.test_browser import pytestmark as in_a_browser
from tests.dashboard.test_browser import sign_in

pytestmark = in_a_browser


@pytest.fixture
def beside_pacs(
    tmp_path: Path, orthanc: Orthanc, monkeypatch: pytest.MonkeyPatch, migrated_database: Path
) -> Iterator[Served]:
    """A dashboard that knows a PACS."""
    monkeypatch.setenv("LONGVIEW_PACS_URL", orthanc.web)
    here = Installation.open(Settings(home=tmp_path / "var", demo=True, _env_file=None))
    here.migrate()
    factories.cohort(here, 2)
    demo_accounts.ensure_demo_accounts(here)
    with serve(here) as running:
        yield running


def test_her_priors_come_by_a_click_and_what_is_wrong_with_one_is_said(
    browser: Browser, beside_pacs: Served, orthanc: Orthanc
) -> None:
    here = beside_pacs.here
    with here.database.read() as session:
        woman = session.scalars(select(Patient).order_by(Patient.id)).first()
        before = len(session.scalars(select(Study).where(Study.patient_id == woman.id)).all())
    hers = {"mrn": woman.mrn, "PatientComments": "SIMULATED", "PatientName": woman.name or ""}
    hers["PatientBirthDate"] = f"{woman.birth_date:%Y%m%d}"
    orthanc.keep(
        mammogram(0, on="20080102", **hers),
        mammogram(1, on="20080102", **{**hers, "ViewPosition": None}),
    )
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    context.set_default_timeout(40_000)
    page = context.new_page()
    sign_in(page, beside_pacs, Role.STAFF)
    page.goto(f"{beside_pacs.url}/patient?patient={beside_pacs.key(woman.mrn)}")
    expect(page.locator(".st-key-course_more")).to_be_visible(timeout=40_000)
    page.get_by_role("button", name="Fetch priors").click()
    came = page.get_by_text(f"2 images of {woman.mrn} in the PACS, 1 new, 1 in quarantine.")
    expect(came).to_be_visible(timeout=40_000)
    expect(page.get_by_text("It is not known which view this is.")).to_be_visible()
    with here.database.read() as session:
        assert len(session.scalars(select(Study).where(Study.patient_id == woman.id)).all()) == before + 1
    page.get_by_role("button", name="Close").click()
    expect(came).to_be_hidden()
    page.get_by_role("button", name="Fetch priors").click()
    expect(page.get_by_text("is here already: 2 images.")).to_be_visible(timeout=40_000)
    context.close()

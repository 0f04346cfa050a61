"""Many studies at once in a real browser: fifty files of four women, five of them bad, over a line that breaks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Route, expect
from sqlalchemy import func, select

from core.installation import Installation
from core.people import Role, create_user
from core.settings import Settings
from db.tables import Image, ImportItem, Outcome, Study
from tests.core.bulk.brought import DAYS, WOMEN, fifty_files
from tests.dashboard.conftest import Served, serve
from tests.dashboard.test_browser import CHROMIUM, Page, browser, page

__all__ = ["browser", "page"]

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no browser at {CHROMIUM}: apt-get install chromium"),
]
STAFF, PASSWORD = "sam", "four films before noon"


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    here = Installation.open(Settings(home=tmp_path / "var", _env_file=None))
    here.migrate()
    create_user(here, STAFF, PASSWORD, Role.STAFF)
    with serve(here) as running:
        yield running


def stored(here: Installation, what: type[Image] | type[Study]) -> int:
    with here.database.read() as session:
        return session.scalar(select(func.count()).select_from(what)) or 0


def many_at_once(page: Page) -> None:
    page.get_by_test_id("stMain").get_by_text("Many at once").click()
    expect(page.get_by_text("Drop files, folders or ZIP archives here")).to_be_visible()


def test_fifty_files_are_seen_by_woman_and_day_before_they_are_added_and_each_is_answered(
    page: Page, served: Served, tmp_path: Path
) -> None:
    for name, data in fifty_files().items():
        (tmp_path / "stick" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "stick" / name).write_bytes(data)
    page.goto(served.url)
    page.fill("#username", STAFF)
    page.fill("#password", PASSWORD)
    page.click("button[type=submit]")
    many_at_once(page)

    broken: list[str] = []

    def breaks(route: Route) -> None:
        if route.request.method == "PATCH" and len(broken) < 3:
            broken.append(route.request.url)
            route.abort()
        else:
            route.continue_()

    page.route("**/arrive/*", breaks)
    page.set_input_files("input[aria-label=Folder]", str(tmp_path / "stick"))
    figures = page.locator(".lv-figures")
    expect(figures).to_contain_text("files50", timeout=60_000)
    expect(figures).to_contain_text("patients4")
    expect(figures).to_contain_text("studies12")
    assert len(broken) == 3
    assert stored(served.here, Image) == 0
    rows = page.locator("[class*='st-key-group_']")
    expect(rows).to_have_count(13)
    expect(rows.first).to_contain_text("5 files cannot be added")
    expect(rows.first).to_contain_text("The file is empty. Export it again.")
    expect(rows.nth(1)).to_contain_text("Adams, Ann")
    expect(rows.nth(1)).to_contain_text("2019-03-12")
    expect(rows.nth(1).locator(".lv-strip img")).to_have_count(4)
    seen = (
        rows.nth(1)
        .locator(".lv-strip img")
        .first.evaluate("async (one) => { await one.decode(); return one.naturalWidth > 0 }")
    )
    assert seen

    # A reload loses nothing: what has arrived waits on the server.
    page.reload()
    many_at_once(page)
    expect(rows).to_have_count(13, timeout=60_000)
    rows.nth(12).get_by_role("checkbox").uncheck(force=True)
    page.get_by_role("button", name="Add 44 files of 11 studies").click()
    expect(page.get_by_text("files of 11 studies added")).to_be_visible(timeout=60_000)
    assert stored(served.here, Study) == 11
    expect(rows).to_have_count(1)
    rows.first.get_by_role("checkbox").check(force=True)
    page.get_by_role("button", name="Add 1 file of 1 study").click()
    expect(page.get_by_text("45 files of 12 studies added")).to_be_visible(timeout=60_000)
    with page.expect_download() as downloading:
        page.get_by_role("button", name="Download the summary").click()
    lines = Path(downloading.value.path()).read_text(encoding="utf-8").splitlines()
    assert len(lines) == 51
    assert sum(",added," in line for line in lines) == 45
    assert sum("not taken" in line for line in lines) == 5

    with served.here.database.read() as session:
        ended = dict(
            session.execute(select(ImportItem.outcome, func.count()).group_by(ImportItem.outcome)).all()
        )
        studies = session.scalars(select(Study.study_date)).all()
    assert ended == {Outcome.ACCEPTED: 45, Outcome.QUARANTINED: 5}
    assert len(studies) == len(WOMEN) * len(DAYS)
    assert not list((served.here.home / "arrivals").glob("*/*/"))

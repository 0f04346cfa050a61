"""An account that is linked to the hospital's own sign-in, in a real browser: both shown once, then that sign-in alone."""

import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from core.installation import Installation
from core.people import Role, accounts, audit
from core.settings import Settings
from tests.dashboard.conftest import Served, serve
from tests.dashboard.test_browser import browser as browser
from tests.dashboard.test_browser import page as page
from tests.dashboard.test_browser import pytestmark as in_a_browser
from tests.dashboard.web import provider as providers
from tests.dashboard.web.provider import Provider

pytestmark = in_a_browser

PASSWORD = "correct horse battery"


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with providers.running() as running:
        yield running


@pytest.fixture(scope="module")
def beside_hospital(
    tmp_path_factory: pytest.TempPathFactory, migrated_database: Path, provider: Provider
) -> Iterator[Served]:
    """A dashboard without women, beside a hospital's own sign-in, with an admin who has a password here."""
    home = tmp_path_factory.mktemp("hospital") / "var"
    home.mkdir()
    shutil.copyfile(migrated_database, home / "longview.db")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            "ISSUER": provider.issuer,
            "CLIENT_ID": providers.CLIENT_ID,
            "CLIENT_SECRET": providers.CLIENT_SECRET,
            "ROLES": "radiology=oncologist",
            "NAME": "St Mary's",
        }.items():
            patch.setenv(f"LONGVIEW_OIDC_{name}", value)
        here = Installation.open(Settings(home=home, _env_file=None))
        accounts.create_user(here, "boss", PASSWORD, Role.ADMIN)
        with serve(here) as running:
            yield running


def sign_in_with_password(page: Page, username: str) -> None:
    page.fill("#username", username)
    page.fill("#password", PASSWORD)
    page.click("button[type=submit]")


def test_an_account_is_linked_and_its_person_comes_back_by_the_hospitals_sign_in(
    page: Page, beside_hospital: Served, provider: Provider
) -> None:
    url, here = beside_hospital.url, beside_hospital.here
    # Of her own at each try: who is linked stays so.
    username = f"ada-{secrets.token_hex(3)}"
    accounts.create_user(here, username, PASSWORD, Role.STAFF, display_name="Ada Lovelace")
    provider.claims = {
        "sub": username,
        "preferred_username": "another-name",
        "name": "Dr Lovelace",
        "roles": ["radiology"],
    }
    before = len(accounts.list_accounts(here))

    page.goto(f"{url}/sign-in")
    expect(page.get_by_role("link", name="Sign in with St Mary's")).to_be_visible()
    sign_in_with_password(page, username)
    expect(page.locator(".account .who")).to_contain_text("Ada Lovelace")
    page.goto(f"{url}/account?part=Password")
    expect(page.get_by_text("your password and second factor here open nothing any more")).to_be_visible()
    assert page.evaluate("() => document.documentElement.scrollWidth <= window.innerWidth")
    hers = page.get_by_label("Your password here")
    hers.fill("another password")
    page.get_by_role("button", name="Link my account").click()
    expect(page.get_by_text("not your password")).to_be_visible()
    hers.fill(PASSWORD)
    page.get_by_role("button", name="Link my account").click()
    asked = len(provider.asked)
    page.get_by_role("link", name="Go on at St Mary's").click()
    expect(page.get_by_text("You sign in with St Mary's.")).to_be_visible()
    assert [one.get("prompt") for one in provider.asked[asked:]] == ["login"]
    (account,) = [one for one in accounts.list_accounts(here) if one.username == username]
    assert (account.outside, account.role) == (True, Role.ONCOLOGIST)

    page.get_by_role("link", name="Sign out").click()
    expect(page.get_by_role("link", name="Sign in with St Mary's")).to_be_visible()
    sign_in_with_password(page, username)
    expect(page.get_by_role("alert")).to_be_visible()
    page.get_by_role("link", name="Sign in with St Mary's").click()
    expect(page.locator(".account .who")).to_contain_text("Lovelace")
    assert len(accounts.list_accounts(here)) == before, "she is the same person, by the same account"
    linked = audit.latest(here, action="account_linked")[0]
    assert linked.subject == f"user:{username}"

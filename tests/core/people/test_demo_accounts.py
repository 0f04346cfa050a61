"""The accounts of the demo: for simulated women on this machine, and closed for good by the first real patient."""

from collections.abc import Callable, Iterator
from datetime import date

import pytest
from sqlalchemy import select, update

from core.incoming import IncomingFile, Statement, take_in
from core.installation import Installation
from core.people import accounts, audit, demo_accounts, sign_ins
from core.people.accounts import NewAccount, Role
from core.people.demo_accounts import DEMO_ACCOUNTS, Closed, OwnAdminNeeded
from core.people.sign_ins import SignInRefused
from core.settings import Settings
from db.tables import AuditEntry, ImportBatch, ImportItem, Patient, SignIn, User
from tests.pictures import breast, dicom

PASSWORD = "correct horse battery"


@pytest.fixture
def demo(here: Installation) -> Iterator[Installation]:
    """The installation as `make run` serves it: the switch is on, and the accounts are made."""
    made = Installation.open(Settings(home=here.home, demo=True, _env_file=None))
    demo_accounts.ensure_demo_accounts(made)
    yield made
    made.close()


def enter(here: Installation, username: str, *, loopback: bool = True) -> sign_ins.NewSignIn:
    return sign_ins.sign_in(here, username, DEMO_ACCOUNTS[username][2], loopback=loopback)


def add(here: Installation, mrn: str = "R-1", *, simulated: bool = False, **how):
    """Take one image in, as a page does."""
    return take_in(
        here,
        [IncomingFile(f"{mrn}.dcm", dicom(breast("L", seed=len(mrn) + ord(mrn[-1]), rows=200, columns=150), SOPInstanceUID=f"1.2.{ord(mrn[-1])}"))],
        statement=Statement(mrn, date(2024, 5, 1), simulated=simulated),
        source="web",
        **how,
    )  # fmt: skip


def anna(here: Installation, **also) -> Callable[[], NewAccount]:
    return lambda: accounts.prepare_account(here, "anna", PASSWORD, **also)


def mrns(here: Installation) -> list[str]:
    with here.database.read() as session:
        return list(session.scalars(select(Patient.mrn)))


def test_they_are_made_once_and_open_nothing_from_elsewhere_or_without_the_switch(
    here: Installation, demo: Installation
) -> None:
    first, second = demo_accounts.ensure_demo_accounts(demo), demo_accounts.ensure_demo_accounts(demo)
    assert first == second
    assert {account.role for account in first} == set(Role)
    assert all(enter(demo, a.username).person.role is a.role for a in first)
    assert [a.username for a in demo_accounts.demo_accounts_to_show(demo)] == list(DEMO_ACCOUNTS)
    with pytest.raises(SignInRefused, match="this machine only"):
        enter(demo, "admin", loopback=False)
    with pytest.raises(SignInRefused, match="make run"):
        enter(here, "admin")
    assert demo_accounts.demo_accounts_to_show(here) == []
    token = enter(demo, "admin").token
    assert sign_ins.who(demo, token) is not None
    assert sign_ins.who(here, token) is None, (
        "what was opened in the demo is nobody's where the switch is off"
    )


def test_without_the_switch_they_are_nobody_who_could_sign_in(here: Installation, demo: Installation) -> None:
    assert accounts.has_accounts(demo)
    assert not accounts.has_accounts(here)


def test_the_first_real_patient_comes_with_an_admin_and_closes_them_for_good(demo: Installation) -> None:
    token = enter(demo, "staff")
    other = enter(demo, "oncologist")
    told: list[Closed] = []
    report = add(
        demo,
        person=token.person,
        own_admin=anna(demo, takes_over=token.token),
        on_closed=told.append,
    )
    assert report.count("accepted") == 1
    assert [closed.accounts for closed in told] == [tuple(DEMO_ACCOUNTS)]
    now = sign_ins.who(demo, token.token)
    assert now is not None
    assert (now, now.username, now.role) == (told[0].admin, "anna", Role.ADMIN)
    assert sign_ins.who(demo, other.token) is None
    assert sign_ins.sign_in(demo, "anna", PASSWORD).person == now
    for name in DEMO_ACCOUNTS:
        with pytest.raises(SignInRefused):
            enter(demo, name)
    trail = [(e.person, e.action, e.subject) for e in reversed(audit.latest(demo))]
    assert ("staff", "user_added", "user:anna") in trail
    assert [subject for _, action, subject in trail if action == "user_deactivated"] == [
        f"user:{name}" for name in DEMO_ACCOUNTS
    ]


def test_closed_for_good_means_that_nothing_opens_them_again(demo: Installation) -> None:
    add(demo, own_admin=anna(demo))
    assert demo_accounts.ensure_demo_accounts(demo) == []
    assert demo_accounts.demo_accounts_to_show(demo) == []
    for change in (
        lambda: accounts.set_active(demo, "admin", True),
        lambda: accounts.set_password(demo, "admin", PASSWORD),
        lambda: accounts.change_account(demo, "staff", role=Role.ADMIN),
    ):
        with pytest.raises(ValueError, match="closed for good"):
            change()
    with demo.database.write() as session:
        session.execute(update(User).values(active=True))  # not even by hand
    with pytest.raises(SignInRefused):
        enter(demo, "admin")


def test_without_an_admin_of_ones_own_no_real_patient_comes_in_by_any_way(demo: Installation) -> None:
    for how in ({}, {"own_admin": lambda: None}):
        with pytest.raises(OwnAdminNeeded, match="admin of your own"):
            add(demo, **how)
    assert mrns(demo) == []
    assert list(demo.images.keys()) == []
    assert enter(demo, "staff").person.username == "staff"
    with demo.database.read() as session:
        assert session.scalars(select(ImportItem)).all() == []
        assert all(batch.finished_at is not None for batch in session.scalars(select(ImportBatch)))


def test_simulated_patients_ask_nothing_and_close_nothing(demo: Installation) -> None:
    assert add(demo, "S-1", simulated=True).count("accepted") == 1
    assert len(demo_accounts.published_accounts(demo)) == 4


def test_a_batch_that_begins_with_simulated_women_stops_at_the_first_real_one(demo: Installation) -> None:
    files = [
        IncomingFile(
            mrn,
            dicom(breast("L", seed=n, rows=200, columns=150), SOPInstanceUID=f"1.2.{n}"),
            said=Statement(mrn, date(2024, 5, 1), simulated=simulated),
        )
        for n, (mrn, simulated) in enumerate([("S-1", True), ("R-1", False), ("S-2", True)])
    ]
    seen = []
    with pytest.raises(OwnAdminNeeded):
        take_in(demo, files, statement=None, source="cli", on_item=seen.append)
    assert mrns(demo) == ["S-1"]
    assert [item.outcome for item in seen] == ["accepted"]


def test_with_an_admin_of_ones_own_nothing_is_asked(demo: Installation) -> None:
    accounts.create_user(demo, "anna", PASSWORD, Role.ADMIN)

    def ask() -> NewAccount:
        raise AssertionError("nobody is to be asked")

    told: list[Closed] = []
    add(demo, own_admin=ask, on_closed=told.append)
    assert told == [Closed(tuple(DEMO_ACCOUNTS), None)]
    assert [a.username for a in accounts.list_accounts(demo) if a.active] == ["anna"]


def test_without_demo_accounts_nothing_is_asked(here: Installation) -> None:
    told: list[Closed] = []
    assert add(here, on_closed=told.append).count("accepted") == 1
    assert told == []


def test_a_demo_account_with_a_password_of_ones_own_is_ones_own(demo: Installation) -> None:
    accounts.set_password(demo, "admin", PASSWORD)
    add(demo)
    assert sign_ins.sign_in(demo, "admin", PASSWORD).person.role is Role.ADMIN
    assert [a.username for a in accounts.list_accounts(demo) if a.active] == ["admin"]


def test_an_account_of_ones_own_with_a_name_of_the_demo_stays(here: Installation) -> None:
    accounts.create_user(here, "admin", PASSWORD, Role.ADMIN)
    made = demo_accounts.ensure_demo_accounts(here)
    assert [(a.username, a.password is None) for a in made] == [
        ("oncologist", False),
        ("staff", False),
        ("analyst", False),
        ("admin", True),
    ]
    add(here)
    assert sign_ins.sign_in(here, "admin", PASSWORD).person.username == "admin"


def test_a_refused_file_makes_no_admin_and_closes_nothing(demo: Installation) -> None:
    bad = Statement("R-1", date(2024, 5, 1))
    report = take_in(
        demo, [IncomingFile("x", b"not a picture")], statement=bad, source="web", own_admin=anna(demo)
    )
    assert report.count("quarantined") == 1
    assert len(demo_accounts.published_accounts(demo)) == 4
    assert not any(account.username == "anna" for account in accounts.list_accounts(demo))


def test_patient_admin_closing_and_trail_are_one_transaction(
    demo: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = enter(demo, "staff").token
    with demo.database.read() as session:
        before = session.scalars(select(AuditEntry.action).order_by(AuditEntry.id)).all()

    def fails(*_: object, **__: object) -> None:
        raise RuntimeError("power cut")

    monkeypatch.setattr("core.incoming.keep.judge_study", fails)
    with pytest.raises(RuntimeError, match="power cut"):
        add(demo, own_admin=anna(demo, takes_over=token))
    assert mrns(demo) == []
    assert not any(account.username == "anna" for account in accounts.list_accounts(demo))
    staff = sign_ins.who(demo, token)
    assert staff is not None
    assert staff.username == "staff"
    with demo.database.read() as session:
        # That an import began is an act of its own, before any file of it.
        assert session.scalars(select(AuditEntry.action).order_by(AuditEntry.id)).all() == [
            *before,
            "import_begun",
        ]


def test_a_name_that_is_taken_meanwhile_takes_nothing_in(demo: Installation) -> None:
    ready = anna(demo)()
    accounts.create_user(demo, "anna", PASSWORD, Role.STAFF)
    with pytest.raises(OwnAdminNeeded, match="taken"):
        add(demo, own_admin=lambda: ready)
    assert mrns(demo) == []
    assert len(demo_accounts.published_accounts(demo)) == 4


def test_a_sign_in_of_the_demo_becomes_that_of_a_person_who_shows_who_she_is(demo: Installation) -> None:
    accounts.create_user(demo, "sam", PASSWORD, Role.STAFF)
    token = enter(demo, "staff").token
    with pytest.raises(SignInRefused, match="wrong"):
        sign_ins.sign_in(demo, "sam", "wrong password", takes_over=token)
    assert sign_ins.sign_in(demo, "sam", PASSWORD, takes_over=token).token == token
    sam = sign_ins.who(demo, token)
    assert sam is not None
    assert sam.username == "sam"
    with pytest.raises(SignInRefused, match="Reload"):  # hers now: it goes over to nobody else
        sign_ins.sign_in(demo, "sam", PASSWORD, takes_over=token)


def test_only_a_sign_in_of_the_demo_goes_over_to_a_new_admin(demo: Installation) -> None:
    accounts.create_user(demo, "sam", PASSWORD, Role.STAFF)
    token = sign_ins.sign_in(demo, "sam", PASSWORD).token
    add(demo, own_admin=anna(demo, takes_over=token))
    sam = sign_ins.who(demo, token)
    assert sam is not None
    assert sam.username == "sam"


def test_what_an_earlier_release_left_open_beside_real_patients_opens_nothing(demo: Installation) -> None:
    token = enter(demo, "admin").token
    with demo.database.write() as session:
        session.add(Patient(mrn="1", simulated=False))
    with pytest.raises(SignInRefused, match="real patients"):
        enter(demo, "admin")
    assert sign_ins.who(demo, token) is None
    assert demo_accounts.demo_accounts_to_show(demo) == []
    assert demo_accounts.ensure_demo_accounts(demo) == []
    with demo.database.read() as session:
        assert session.scalars(select(User.active)).all() == [False] * 4
        assert session.scalars(select(SignIn)).all() == []


def test_an_admin_of_the_demo_is_not_the_other_admin_whom_the_last_one_leaves_behind(
    demo: Installation,
) -> None:
    accounts.create_user(demo, "anna", PASSWORD, Role.ADMIN)
    with pytest.raises(ValueError, match="last admin"):
        accounts.set_active(demo, "anna", False)
    accounts.set_active(demo, "admin", False)

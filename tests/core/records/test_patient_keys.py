"""A woman's key says nothing of her, stays hers, and leads nowhere for who may not see her."""

from datetime import date

import pytest

from core.installation import Installation
from core.people import AccessDenied, Person, Role, asking
from core.records import key_of, keys_of, mrn_of
from db import migrate
from db.database import Database
from db.tables import Patient


def test_keys_are_random_and_lead_back_to_her(here: Installation) -> None:
    mrns = [f"{number:05d}" for number in range(600)]
    with here.database.write() as session:
        session.add_all(Patient(mrn=mrn, birth_date=date(1970, 1, 1)) for mrn in mrns)
    keys = keys_of(here, mrns)
    assert len(set(keys.values())) == len(mrns)
    assert all(mrn_of(here, keys[mrn]) == mrn for mrn in (mrns[0], mrns[-1]))
    assert key_of(here, mrns[7]) == keys[mrns[7]]
    assert (key_of(here, "nobody"), mrn_of(here, mrns[0])) == ("", None)


def test_a_corrected_mrn_leaves_the_key_as_it_is(here: Installation) -> None:
    with here.database.write() as session:
        session.add(Patient(mrn="17"))
    before = key_of(here, "17")
    with here.database.write() as session:
        session.query(Patient).one().mrn = "71"
    assert key_of(here, "71") == before


@pytest.mark.parametrize("ask", [lambda here: key_of(here, "17"), lambda here: mrn_of(here, "x" * 16)])
def test_an_analyst_learns_neither_from_the_other(here: Installation, ask) -> None:
    with asking.asked_by(Person(1, "a", "A", Role.ANALYST)), pytest.raises(AccessDenied):
        ask(here)


def test_women_of_before_are_given_keys(tmp_path) -> None:
    database = Database(f"sqlite:///{tmp_path}/longview.db")
    migrate.upgrade(database, "0026")
    with database.engine.begin() as connection:
        for number in range(3):
            connection.exec_driver_sql(
                f"INSERT INTO patient (id, mrn, simulated, created_at) VALUES ({number}, 'M{number}', 1, '2026-01-01')"
            )
    migrate.upgrade(database)
    with database.read() as session:
        keys = [patient.key for patient in session.query(Patient)]
    assert len({key for key in keys if len(key) == 16}) == 3
    database.close()

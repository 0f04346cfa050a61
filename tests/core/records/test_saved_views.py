"""Named worklists: each person's own, kept with what the address says."""

import pytest

from core.installation import Installation
from core.people import audit
from core.people.accounts import Role, create_user
from core.people.roles import AccessDenied
from core.records import delete_view, save_view, views_of

ADDRESS = {"show": "overdue", "q": "Ruiz", "order": "age-down"}


def test_a_view_is_kept_replaced_and_deleted_and_nobody_sees_anothers(here: Installation) -> None:
    ada, eve = (create_user(here, name, "a long password", Role.ONCOLOGIST) for name in ("ada", "eve"))
    save_view(here, ada, "  Late   ones ", ADDRESS)
    save_view(here, ada, "A", {})
    save_view(here, eve, "Late ones", {"show": "all"})
    assert [(view.name, view.address) for view in views_of(here, ada)] == [("A", {}), ("Late ones", ADDRESS)]
    save_view(here, ada, "Late ones", {"show": "to read"})
    assert views_of(here, ada)[1].address == {"show": "to read"}
    delete_view(here, eve, "A")
    assert len(views_of(here, ada)) == 2
    delete_view(here, ada, "Late ones")
    delete_view(here, ada, "Late ones")
    assert [view.name for view in views_of(here, ada)] == ["A"]
    assert [view.address for view in views_of(here, eve)] == [{"show": "all"}]
    assert len(audit.latest(here, action="view_deleted")) == 1


@pytest.mark.parametrize("name", ["", " \n\t", "a" * 65])
def test_a_name_that_is_none_is_refused(here: Installation, name: str) -> None:
    ada = create_user(here, "ada", "a long password", Role.ONCOLOGIST)
    with pytest.raises(ValueError, match="a name of 1 to 64"):
        save_view(here, ada, name, ADDRESS)
    assert views_of(here, ada) == []


def test_only_who_may_see_patients_keeps_views_of_them(here: Installation) -> None:
    ann = create_user(here, "ann", "a long password", Role.ANALYST)
    with pytest.raises(AccessDenied):
        save_view(here, ann, "mine", ADDRESS)
    with pytest.raises(AccessDenied):
        delete_view(here, ann, "mine")


def test_there_are_not_more_views_than_can_be_looked_through(here: Installation) -> None:
    ada = create_user(here, "ada", "a long password", Role.ONCOLOGIST)
    for number in range(50):
        save_view(here, ada, f"view {number}", {})
    with pytest.raises(ValueError, match="50 views already"):
        save_view(here, ada, "one more", {})
    save_view(here, ada, "view 1", ADDRESS)

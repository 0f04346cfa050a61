"""Drafts: what a person puts into a form, kept apart from what others write to the same thing meanwhile."""

from collections.abc import Mapping
from dataclasses import dataclass

import streamlit as st

NAMES = "drafts"
"""The names of the forms that were shown, those that were shown last at the end."""


@dataclass(frozen=True)
class Begun:
    """What a form showed when a person began with it: the value of each widget, by key, and which version that was."""

    values: Mapping[str, object]
    version: object
    told: str = ""


class Draft:
    """The draft in one form of keyed widgets, in this browser's session.

    `name` names the form, by what it is about and by whom it is filled in. Until the person changes something the
    widgets follow what is stored; from then on they keep what she put in, and `version` stays that of what she had
    before her, so that writing it can be refused if another one wrote meanwhile. `told` is why it was refused last.

    >>> draft = Draft("role_7")
    >>> draft.follow({"role": account.role}, account.role, pressed=bool(st.session_state.get("save")))
    """

    def __init__(self, name: str) -> None:
        self.name = f"draft_{name}"

    @property
    def _begun(self) -> Begun | None:
        return st.session_state.get(self.name)

    @property
    def changed(self) -> bool:
        """Whether the person has put in something other than what is stored."""
        begun, state = self._begun, st.session_state
        return begun is not None and any(
            key in state and state[key] != value for key, value in begun.values.items()
        )

    @property
    def version(self) -> object:
        """Return the version of what the form was begun from."""
        return self._begun.version if self._begun else None

    @property
    def told(self) -> str:
        """Return why writing the draft was refused; empty if it was not."""
        return self._begun.told if self._begun else ""

    def follow(self, values: Mapping[str, object], version: object, *, pressed: bool) -> None:
        """Show what is stored, unless the person has changed something; to be called before the widgets are made.

        `pressed` says that the button was pressed that writes the draft: what is written is what stood there then.
        """
        if self._begun is not None and (pressed or self.changed):
            return
        told = self.told if version == self.version else ""
        names: dict[str, None] = st.session_state.setdefault(NAMES, {})
        names.pop(self.name, None)
        names[self.name] = None
        st.session_state[self.name] = Begun(dict(values), version, told)
        for key, value in values.items():
            # Setting what is there already would wipe what is being typed and has not come from the browser yet.
            if key not in st.session_state or st.session_state[key] != value:
                st.session_state[key] = value

    def refused(self, values: Mapping[str, object], version: object, told: str) -> None:
        """Keep the draft, and that the person has now been shown what is stored in the meantime."""
        st.session_state[self.name] = Begun(dict(values), version, told)

    def forget(self) -> None:
        """Drop the draft: the form follows what is stored again."""
        st.session_state.pop(self.name, None)


def let_go(prefix: str, most: int) -> None:
    """Forget the forms whose name begins so, all but those that were shown last, and what their widgets showed.

    Where a person has put in something, or was refused, the form is kept, however many there are.
    """
    state = st.session_state
    names: dict[str, None] = state.get(NAMES, {})
    forms = [name for name in names if name.startswith(f"draft_{prefix}")]
    for name in forms[: max(0, len(forms) - most)]:
        draft = Draft(name.removeprefix("draft_"))
        if draft.changed or draft.told:
            continue
        begun: Begun | None = state.pop(name, None)
        for key in begun.values if begun else ():
            state.pop(key, None)
        names.pop(name)

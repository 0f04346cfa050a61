"""The reader's assessment of the chosen visit, in the order of a BI-RADS report."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import streamlit as st

from core.people import Permission, Person
from core.records import AssessedMeanwhile, Assessment, PatientRecord, Visit, record_assessment
from core.rules import highest_concern, managements, usual_management
from core.rules.vocabulary import BI_RADS, BI_RADS_EDITION, DENSITY_WORDS
from dashboard import look, outages, page_keys, session
from dashboard.drafts import Draft
from dashboard.house import here

FORMS = "assessment_"
"""With this the name of each form begins."""
NO_PRIOR = "none available"
BESIDE = ("findings", "comparison", "management", "note")
REASONS = (
    "Another judgement after the score was shown",
    "Mistake in the record",
    "Further images or information",
)


def show_assessment(record: PatientRecord, visit: Visit, person: Person) -> None:
    """Show the reader's assessment with its versions, and let an oncologist record it."""
    look.heading("Reader's assessment", beside=f"BI-RADS {BI_RADS_EDITION}", anchor=page_keys.ASSESSMENT)
    standing = visit.assessment
    if visit.bi_rads:
        show_standing(standing)
        show_versions(standing.versions)
    elif not person.may(Permission.ASSESS):
        look.show('<p class="lv-note">Not assessed yet.</p>')
    if not person.may(Permission.ASSESS):
        return
    priors = {one.study_uid: one.on for one in reversed(record.visits) if one.on < visit.on}
    if not standing.is_read:
        assess(visit, priors)
        return
    # Where another reader signed meanwhile, the draft that was refused stays in sight.
    refused = bool(Draft(fields_of(visit, person).name).told)
    with st.expander("Correct by a new version", expanded=refused):
        assess(visit, priors)


def show_standing(standing: Assessment) -> None:
    """Show the assessment that stands."""
    # The first line says the categories and the density already.
    told = {what: said for what, said in standing.told.items() if what in BESIDE}
    rows = "".join(
        f'<tr><td class="d lv-muted">{what}</td><td>{look.safe(said)}</td></tr>'
        for what, said in told.items()
    )
    if standing.in_part:
        look.show(
            f'<p class="lv-note" role="status"><b>{look.safe(standing.words)}</b>, as it was read elsewhere. It leaves something '
            f"out, so this study is still to be read here.<br>{look.safe(standing.note or '')}</p>"
        )
        return
    version = f" · version {standing.version}" if standing.version > 1 else ""
    shown = said_when(standing)
    look.show(
        f'<p class="lv-note" role="status"><b>{standing.words}</b><br>signed by {look.safe(standing.by or "")}, '
        f"{look.moment(standing.at)}{version}{f'<br>{shown}' if shown else ''}</p>"
        f'<table class="lv-table lv-told">{rows}</table>'
    )


def said_when(version: Assessment) -> str:
    """Say whether a version was recorded before its score was shown or after; empty where that is not known."""
    if version.covered:
        shown = version.revealed_at is not None
        return "recorded before the score was shown" if shown else "no score was shown then"
    if version.revealed_at is not None:
        return f"recorded after the score was shown at {look.moment(version.revealed_at)}"
    return ""


def show_versions(versions: Sequence[Assessment]) -> None:
    """List earlier versions: who, when, what each said or changed, and why."""
    if len(versions) < 2:
        return
    lines = []
    for before, version in zip([None, *versions], versions, strict=False):
        changes = (
            [f"{what} {was or '–'} → {now or '–'}" for what, was, now in version.changes_since(before)]
            if before
            else []
        )
        said = "; ".join(changes) if before else version.words
        why = f"<br>Why: {look.safe(version.reason)}" if version.reason else ""
        when = f'<br><span class="lv-muted">{said_when(version)}</span>' if said_when(version) else ""
        lines.append(
            f'<tr><td class="n">{version.version}</td><td>{look.safe(version.by or "")}<br>'
            f'<span class="lv-muted">{look.moment(version.at)}</span></td>'
            f"<td>{look.safe(said or 'nothing changed')}{why}{when}</td></tr>"
        )
    with st.expander(f"Versions {len(versions)}"):
        look.show(
            '<table class="lv-table"><tr><th>version</th><th>signed by</th><th>what it said or changed</th></tr>'
            f"{''.join(reversed(lines))}</table>"
        )


@dataclass(frozen=True)
class Fields:
    """The keys of the form's widgets: of one study, as one person fills it in."""

    name: str

    def of(self, what: str) -> str:
        """Return the key of the widget that asks for something."""
        return f"{self.name}_{what}"

    def values(self, stored: Assessment, priors: Mapping[str, date]) -> dict[str, str | None]:
        """Return what the widgets show where an assessment stands, or none yet, by their keys."""
        newest = next(iter(priors), NO_PRIOR)
        kept = stored.comparison_uid if stored.comparison_uid in priors else NO_PRIOR
        # A version of before breasts were told apart says nothing of either.
        return {
            self.of("density"): stored.density,
            self.of("findings"): stored.findings or "",
            self.of("comparison"): kept if stored.version else newest,
            self.of("right"): stored.right if stored.right in BI_RADS else None,
            self.of("left"): stored.left if stored.left in BI_RADS else None,
            self.of("management"): stored.management if stored.management in managements() else None,
            self.of("note"): stored.note or "",
            self.of("reason"): None,
        }


def fields_of(visit: Visit, person: Person) -> Fields:
    """Return the keys of the form of a visit, as one person fills it in."""
    return Fields(f"{FORMS}{visit.study_uid}_{person.user_id}")


@st.fragment
def assess(visit: Visit, priors: Mapping[str, date]) -> None:
    """Ask for an assessment; what is put in survives another visit being chosen, and another reader's writing."""
    # Not a form: what stands in one reaches the server, and outlives the form, only when it is sent.
    person = session.require(Permission.ASSESS)
    keys = fields_of(visit, person)
    draft = Draft(keys.name)
    stored = keys.values(visit.assessment, priors)
    draft.follow(stored, visit.assessed_at, pressed=bool(st.session_state.get(keys.of("sign"))))
    with st.container(gap="xxsmall", key="assessment_form"):
        ask(visit, priors, keys)
        if draft.told:
            look.show(f'<p class="lv-note alert" role="alert">{look.safe(draft.told)}</p>')
        pressed = buttons(visit, draft, keys)
    if not pressed:
        return
    said = {what: st.session_state.get(keys.of(what)) for what in ASKED}
    with outages.beside_the_act("The assessment is not recorded."):
        try:
            sign(person, visit, draft, said)
        except AssessedMeanwhile as meanwhile:
            draft.refused(keys.values(meanwhile.stored, priors), meanwhile.stored.at, str(meanwhile))
        except ValueError as error:
            st.warning(str(error))
            return
        else:
            draft.forget()
        st.rerun()


ASKED = ("right", "left", "density", "management", "findings", "comparison", "note", "reason")


def sign(person: Person, visit: Visit, draft: Draft, said: Mapping[str, str | None]) -> None:
    """Record what was put in as the next version."""
    instead_of = draft.version
    assert instead_of is None or isinstance(instead_of, datetime)
    record_assessment(
        here(),
        person,
        visit.study_uid,
        right=said["right"],
        left=said["left"],
        density=said["density"],
        management=said["management"],
        findings=said["findings"] or "",
        comparison=None if said["comparison"] == NO_PRIOR else said["comparison"],
        note=said["note"] or "",
        reason=said["reason"] or "",
        instead_of=instead_of,
    )


def ask(visit: Visit, priors: Mapping[str, date], keys: Fields) -> None:
    """Ask for the parts of a BI-RADS report, in its order."""
    look.show(
        '<div class="lv-line"><p class="lv-asked">Indication</p>'
        f'<p class="lv-given">{look.safe(visit.description or "not stated")}</p></div>'
    )
    choose("Density", DENSITY_WORDS, key=keys.of("density"))
    write("Findings", key=keys.of("findings"))
    compared = {uid: look.iso(on) for uid, on in priors.items()} | {NO_PRIOR: NO_PRIOR}
    choose("Comparison", compared, key=keys.of("comparison"), always=True)
    name, right, left = st.columns([2, 3, 3], gap="small", vertical_alignment="center", wrap=False)
    name.html('<p class="lv-asked">BI-RADS</p>')
    for side, place, key in (("right", right, keys.of("right")), ("left", left, keys.of("left"))):
        place.selectbox(
            f"BI-RADS, {side} breast",
            list(BI_RADS),
            index=None,
            format_func=BI_RADS.__getitem__,
            placeholder=side.capitalize(),
            label_visibility="collapsed",
            key=key,
            on_change=follow_categories,
            args=(keys,),
            persist_state="session",
        )
    choose("Management", managements(), key=keys.of("management"))
    write("Note", key=keys.of("note"))
    if visit.assessment.is_read:
        reason = st.session_state.get(keys.of("reason"))
        st.selectbox(
            "Reason of the change",
            [*REASONS, *([reason] if reason and reason not in REASONS else [])],
            index=None,
            placeholder="Choose, or write your own",
            accept_new_options=True,
            key=keys.of("reason"),
            persist_state="session",
        )


def follow_categories(keys: Fields) -> None:
    """Let the management follow the categories; it can be changed afterwards."""
    state = st.session_state
    state[keys.of("management")] = usual_management(
        highest_concern((state.get(keys.of("right")), state.get(keys.of("left"))))
    )


def buttons(visit: Visit, draft: Draft, keys: Fields) -> bool:
    """Show the buttons, and return whether it is to be signed."""
    label = "Sign a new version" if visit.assessment.is_read else "Sign"
    if draft.told:
        label = "Replace assessment"
    record, drop = st.columns([3, 2])
    if draft.changed or draft.told:
        drop.button("Drop my draft", key=keys.of("drop"), on_click=draft.forget, type="tertiary")
    return record.button(label, key=keys.of("sign"), type="primary")


def choose(label: str, words: Mapping[str, str], *, key: str, always: bool = False) -> None:
    """Ask for one of some categories, none of which is chosen for the reader unless one always is."""
    # Its label stands beside it by the page's CSS: a column for each would double what a page is made of.
    st.selectbox(
        label,
        list(words),
        index=0 if always else None,
        format_func=words.__getitem__,
        placeholder="Choose",
        key=key,
        persist_state="session",
    )


def write(label: str, *, key: str) -> None:
    """Ask for a text."""
    st.text_area(label, height=68, max_chars=10_000, key=key, persist_state="session")

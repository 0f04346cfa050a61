"""Records from a table: the file, which column says what, the lines as they would be kept, what is wrong, and undo."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import streamlit as st

from core import sheets
from core.files import private_folder, write_whole
from core.people import Person
from core.sheets import Checked, DateOrder, Kind, Mapping, Sheet, SheetRefused
from core.wording import counted
from dashboard import handing, look, outages
from dashboard.house import here
from dashboard.web import uploads

SHEET, CHECKED, KEPT, NUMBER = "table_sheet", "table_checked", "table_kept", "table_number"
MOST_SHOWN = 20
KEPT_SECONDS = 86_400.0
ORDERS = {
    DateOrder.DAY_FIRST: "day first: 03/04/2020 is 3 April",
    DateOrder.MONTH_FIRST: "month first: 03/04/2020 is March 4",
}


def from_table(person: Person) -> None:
    """Take a table, show what it would do, and do it."""
    kinds = {
        key: one for key, one in sheets.kinds().items() if person.may(sheets.permission_for(Mapping(one)))
    }
    kind = kinds[
        st.pills(
            "Kind of records",
            list(kinds),
            default=next(iter(kinds)),
            required=True,
            format_func=lambda key: kinds[key].words,
            label_visibility="collapsed",
            key="table_kind",
        )
        or next(iter(kinds))
    ]
    needed = ", ".join(one.words for one in kind.field if one.required)
    more = ", ".join(one.words for one in kind.field if not one.required)
    look.show(
        f'<p class="lv-note">{look.safe(kind.says)} A line needs: {look.safe(needed)}. It may say: {look.safe(more)}.</p>'
    )
    _how_to_write_one(kind)
    sheet = _sheet(person)
    if sheet is not None:
        _mapped(person, sheet, kind)
    kept = st.session_state.pop(KEPT, None)
    if kept:
        look.show(f'<p class="lv-note good" role="status">{look.safe(kept)}</p>')
    _past(person)


def _how_to_write_one(kind: Kind) -> None:
    """Say of each column what may stand in it, and hand out a table to fill in."""
    with st.expander("How to write one"):
        rows = [
            [one.words, "needed" if one.required else "", sheets.what_may_be_said(one.type)]
            for one in kind.field
        ]
        look.show(_table(["column", "", "what may stand in it"], rows))
        look.show(
            '<p class="lv-muted">Columns may have other names and stand in any order. You see what was found, what is wrong '
            "and the first lines as they would be kept, before anything is.</p>"
        )
        handing.download_button(
            "Empty table",
            data=kind.empty_table,
            file_name=f"{kind.key}.csv",
            mime="text/csv",
            icon=":material/download:",
        )


def _sheet(person: Person) -> Sheet | None:
    """Take the file, and return it as a table; None while there is none that can be read."""
    number = st.session_state.get(NUMBER, 0)
    upload = st.file_uploader("A CSV file, up to 100 MB", key=f"table_upload_{number}")
    if upload is None:
        st.session_state.pop(SHEET, None)
        return None
    known: tuple[str, Sheet] | None = st.session_state.get(SHEET)
    if known is not None and known[0] == upload.file_id and known[1].path.exists():
        return known[1]
    file = uploads.opened(upload)
    try:
        if file.refusal is not None:
            raise SheetRefused(file.refusal.text)
        folder = here().home / "sheets"
        private_folder(folder)
        _sweep(folder)
        path = folder / f"{person.user_id}-{time.time_ns()}.csv"
        write_whole(path, file.data, durable=False)
        sheet = sheets.open_sheet(path, file.name)
    except SheetRefused as refused:
        look.show(f'<p class="lv-note alert" role="alert">{look.safe(refused)}</p>')
        return None
    st.session_state[SHEET] = upload.file_id, sheet
    return sheet


def _sweep(folder: Path) -> None:
    """Drop the tables that nobody came back to."""
    for path in folder.glob("*.csv"):
        if time.time() - path.stat().st_mtime > KEPT_SECONDS:
            path.unlink(missing_ok=True)


def _mapped(person: Person, sheet: Sheet, kind: Kind) -> None:
    """Ask which column says what, then show what the table would do."""
    for notice in sheet.notices:
        look.show(f'<p class="lv-note alert">{look.safe(notice)}</p>')
    mapping = _columns(sheet, kind)
    if mapping.missing:
        look.show(
            f'<p class="lv-note alert">No column says: {look.safe(", ".join(mapping.missing))}. Choose it above.</p>'
        )
        return
    checked = _checked(person, sheet, mapping)
    if checked.order_asked:
        order = st.radio(
            "Dates in this table can be read in two ways. How are they written?",
            list(ORDERS),
            index=None,
            format_func=lambda one: ORDERS[one],
            key=f"table_order_{sheet.path.name}",
        )
        if order is None:
            return
        mapping = Mapping(kind, mapping.columns, order)
        checked = _checked(person, sheet, mapping)
    _show(mapping, checked)
    _keep(person, sheet, mapping, checked)


def _columns(sheet: Sheet, kind: Kind) -> Mapping:
    """Ask for each field which column says it; those that are called alike are chosen."""
    look.heading("Which column says what", beside=f"{len(sheet.columns)} columns in {sheet.name}")
    found = sheets.matched(sheet.columns, kind)
    chosen: dict[str, str] = {}
    places = st.columns(3, gap="small")
    for number, one in enumerate(kind.field):
        column = places[number % 3].selectbox(
            f"{one.words}{' (needed)' if one.required else ''}",
            sheet.columns,
            index=sheet.columns.index(found[one.key]) if one.key in found else None,
            format_func=look.plain,
            placeholder="no column",
            key=f"table_{kind.key}_{one.key}_{sheet.path.name}",
        )
        if column is not None:
            chosen[one.key] = column
    return Mapping(kind, chosen)


def _checked(person: Person, sheet: Sheet, mapping: Mapping) -> Checked:
    """Check the table, once for each way to read it."""
    asked = (sheet.path, mapping.kind.key, tuple(mapping.columns.items()), mapping.dates)
    known = st.session_state.get(CHECKED)
    if known is None or known[0] != asked:
        with st.spinner("Checking each line …"):
            st.session_state[CHECKED] = asked, sheets.check(here(), person, sheet, mapping)
    checked = st.session_state[CHECKED][1]
    assert isinstance(checked, Checked)
    return checked


def _show(mapping: Mapping, checked: Checked) -> None:
    """Show what would be kept, the first lines as they are read, and the bad ones first."""
    counts = {fate.value: n for fate, n in checked.fates.items()}
    look.figures(
        [
            ("new lines", f"{counts.get('new', 0)}", "", ""),
            ("filled in", f"{counts.get('filled in', 0)}", "", "What was not known is added"),
            ("there already", f"{counts.get('there already', 0)}", "", "Nothing to do"),
            ("bad lines", f"{checked.bad_lines}", "", "Each with its reason below"),
        ]
    )
    if checked.bad:
        look.show(_table(["line", "column", "why it cannot be kept"], _bad(checked), cls="bad"))
        more = checked.bad_lines - min(len(checked.bad), MOST_SHOWN)
        if more > 0:
            look.show(f'<p class="lv-muted">{more} more stand in the file.</p>')
        handing.download_button(
            "Download the bad lines",
            data=sheets.errors_csv(checked),
            file_name=f"bad-lines-{date.today()}.csv",
            mime="text/csv",
            icon=":material/download:",
        )
    if checked.preview:
        look.heading("As it would be kept", beside=f"the first {len(checked.preview)} good lines")
        fields = mapping.kind.fields
        keys = [key for key in checked.preview[0] if key in fields]
        heads = ["line", *(fields[key].words for key in keys), ""]
        look.show(
            f'<div class="lv-wide">{_table(heads, [[row["line"], *(row[key] for key in keys), row["fate"]] for row in checked.preview])}</div>'
        )


def _bad(checked: Checked) -> list[list[str]]:
    return [[str(one.line), one.column, one.reason] for one in checked.bad[:MOST_SHOWN]]


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]], *, cls: str = "") -> str:
    head = "".join(f"<th>{look.safe(one)}</th>" for one in heads)
    body = "".join(
        "<tr>"
        + "".join(
            f'<td class="{cls if n == len(row) - 1 else ""}">{look.safe(one)}</td>'
            for n, one in enumerate(row)
        )
        + "</tr>"
        for row in rows
    )
    return f'<table class="lv-table lv-files"><tr>{head}</tr>{body}</table>'


def _keep(person: Person, sheet: Sheet, mapping: Mapping, checked: Checked) -> None:
    """Offer to keep the table: all of it, or its good lines where a person chooses that."""
    only_good = bool(checked.bad_lines) and st.checkbox(
        f"Keep the {checked.to_keep} good lines without the {checked.bad_lines} bad ones.",
        key=f"table_only_good_{sheet.path.name}",
    )
    if not checked.to_keep:
        look.show('<p class="lv-note">There is nothing to keep.</p>')
        return
    words = f"Keep {checked.to_keep} line{'s' if checked.to_keep != 1 else ''}"
    if not st.button(words, type="primary", disabled=bool(checked.bad_lines) and not only_good):
        return
    with outages.beside_the_act("Nothing of the table is kept."):
        try:
            done = sheets.import_records(here(), person, sheet, mapping, only_good=only_good)
        except ValueError as error:
            look.show(f'<p class="lv-note alert" role="alert">{look.safe(error)}</p>')
            return
        kept = sum(n for fate, n in done.kept.items() if fate.value != "there already")
        st.session_state[KEPT] = (
            f"{counted(kept, 'line')} of {sheet.name} {'is' if kept == 1 else 'are'} kept, as table {done.number}. {done.note}".strip()
        )
        st.session_state[NUMBER] = st.session_state.get(NUMBER, 0) + 1
        sheet.path.unlink(missing_ok=True)
        st.session_state.pop(CHECKED, None)
        st.rerun()


def _past(person: Person) -> None:
    """Show the tables that were taken in, and let each be set aside again."""
    past = sheets.imports_of_records(here())
    if not past:
        return
    look.heading("Tables that were taken in")
    words = {key: one.words for key, one in sheets.kinds().items()}
    for one in past:
        what, when, undo = st.columns([3, 2, 1.2], vertical_alignment="center", gap="small")
        with what:
            look.show(
                f"<b>{look.safe(words.get(one.kind, one.kind))}</b> · {counted(one.rows, 'line')} · {look.safe(one.file_name)}"
                f'<br><span class="lv-muted">table {one.number}</span>'
            )
        with when:
            aside = f"<br>set aside {look.moment(one.set_aside_at)}" if one.set_aside_at else ""
            look.show(
                f'<span class="lv-muted">{look.moment(one.at)} · {look.safe(one.by or "command line")}{aside}</span>'
            )
        may = person.may(sheets.permission_for(Mapping(sheets.kinds()[one.kind])))
        if one.set_aside_at is None and may:
            with undo.popover("Set aside …"):
                look.show(
                    "<p>What this table made is taken out again, as far as nothing else stands on it. What it filled in "
                    "of others stays.</p>"
                )
                if st.button("Set this table aside", key=f"table_aside_{one.number}"):
                    _set_aside(person, one.number)


def _set_aside(person: Person, number: int) -> None:
    with outages.beside_the_act("The table is not set aside."):
        try:
            done = sheets.set_aside(here(), person, number)
        except ValueError as error:
            st.session_state[KEPT] = str(error)
        else:
            removed = sum(done.removed.values())
            stay = f" {done.kept} stay, as something else stands on them." if done.kept else ""
            st.session_state[KEPT] = (
                f"Table {number} is set aside: {counted(removed, 'record')} {'is' if removed == 1 else 'are'} taken out.{stay}"
            )
        st.rerun()

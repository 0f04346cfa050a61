"""One group of a batch on the page: whose, of when, of what kind, its pictures, what is wrong with it, what is asked."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import date

import streamlit as st

from core.bulk import Answer, Batch, Group, Looked, Need
from core.records import known
from core.rules.vocabulary import SIDE_WORDS, SIDES, VIEWS, flag_words
from dashboard import look, statement
from dashboard.house import here

MOST_PICTURES = 6
COLUMNS = (0.3, 2.4, 1.2, 3.2, 3.6)
CHOSEN_AT_FIRST = frozenset({Need.NOTHING, Need.ANSWER, Need.REFUSED})


def is_chosen(batch: Batch, group: Group) -> bool:
    """Return whether a group is to be added: what has something to check only when a person says so."""
    return group.need is not Need.HERE and batch.chosen.get(group.key, group.need in CHOSEN_AT_FIRST)


def show(batch: Batch, group: Group) -> None:
    """Show a group as a row, with its questions beneath."""
    with st.container(key=f"group_{_key(group)}"):
        tick, who, when, pictures, verdict = st.columns(COLUMNS, vertical_alignment="center", gap="small")
        with tick:
            _tick(batch, group)
        with who:
            look.show(_who(group))
        with when:
            kinds = sorted({_kind(one) for one in group.files})
            day = look.iso(group.on) if group.need is not Need.REFUSED else look.UNKNOWN
            look.show(f'<b>{day}</b><br><span class="lv-muted">{look.safe(", ".join(kinds))}</span>')
        with pictures:
            look.show(_strip(group.files))
        if group.need is Need.ANSWER:
            with st.container(key=f"asked_{_key(group)}"):
                _ask(batch, group)
        # Written last: it says what was answered beneath.
        with verdict:
            look.show(_verdict(batch, group))
        of = f"{len(group.files)} file{'s' if len(group.files) > 1 else ''}"
        opened = " open" if group.need is Need.REFUSED else ""
        look.show(
            f'<details class="lv-inside"{opened}><summary>{of}</summary>{_files(group.files)}</details>'
        )


def heads() -> None:
    """Show what stands in which column."""
    words = ("", "patient", "day, kind", "pictures", "verdict")
    for column, word in zip(st.columns(COLUMNS, gap="small"), words, strict=True):
        with column:
            look.show(f'<span class="lv-muted">{word}</span>')


def _key(group: Group) -> str:
    return hashlib.sha256(group.key.encode()).hexdigest()[:12]


def _tick(batch: Batch, group: Group) -> None:
    key = f"many_pick_{group.key}"

    def picked() -> None:
        batch.say(group.key, chosen=bool(st.session_state[key]))

    st.checkbox(
        look.plain(f"Add {group.mrn or 'these files'} {look.iso(group.on)}"),
        value=is_chosen(batch, group),
        disabled=group.need is Need.HERE,
        on_change=picked,
        label_visibility="collapsed",
        key=key,
    )


def _who(group: Group) -> str:
    if group.need is Need.REFUSED:
        return f"<b>{len(group.files)} file{'s' if len(group.files) > 1 else ''} cannot be added</b>"
    if group.mrn is None:
        place = group.files[0].folder
        return f'<b>Not known whose</b><br><span class="lv-muted">{look.safe(place or "no folder")}</span>'
    found = known(here(), group.mrn)
    name = found.name if found and found.name else group.name
    badge = look.badge(found.simulated if found else group.is_simulated)
    tag = "" if found else ' <span class="lv-new-here">new here</span>'
    born = (found.birth_date if found else None) or group.birth_date
    return (
        f"<b>{look.safe(name or 'no name')}</b>{badge}{tag}<br>"
        f'<span class="lv-muted">MRN {look.safe(group.mrn)} · born {look.iso(born) if born else "unknown"}</span>'
    )


def _kind(looked: Looked) -> str:
    modality = looked.header.modality
    if looked.examined.refusal is not None and looked.examined.header is None:
        return "not read"
    return "mammogram" if modality in (None, "MG") else modality


def _strip(files: Sequence[Looked]) -> str:
    cells = ""
    with_picture = sorted((one for one in files if one.has_picture), key=_as_hung)
    for one in with_picture[:MOST_PICTURES]:
        side, view = one.view
        words = f"{side or '–'} {view or '–'}" if side or view else "–"
        cells += (
            f'<span title="{look.safe(one.name)}"><img loading="lazy" src="/arrive/{one.arrival}/{one.number}.png" '
            f'alt="{look.safe(words)}"><small>{look.safe(words)}</small></span>'
        )
    more = len(with_picture) - MOST_PICTURES
    return f'<div class="lv-strip">{cells}{f"<em>{more} more</em>" if more > 0 else ""}</div>'


def _as_hung(looked: Looked) -> tuple[str, bool]:
    """Return where a picture stands in a row of them: as films are hung, CC before MLO, the right breast first."""
    side, view = looked.view
    return view or "", side != "R"


def _verdict(batch: Batch, group: Group) -> str:
    if group.need is Need.REFUSED:
        return (
            '<span class="lv-muted">Left ticked, they are kept in quarantine, each with its reason. Untick them to leave '
            "them out.</span>"
        )
    already = len(group.files) - len(group.new_files)
    here_already = f"{already} of {len(group.files)} already here" if already else ""
    if group.need is Need.HERE:
        return "<span>already here: nothing to do</span>"
    lines = [f'<li class="lv-bad">{look.safe(text)}</li>' for text in group.doubts]
    lacking = group.lacks(batch.answers.get(group.key))
    if lacking:
        lines.append(f'<li class="lv-ask">say {look.safe(", ".join(lacking))}</li>')
    flags = sorted({flag_words(flag) for one in group.new_files for flag in one.examined.quality_flags})
    remarks = [*flags, *([f"{group.studies} studies of this day"] if group.studies > 1 else [])]
    if here_already:
        remarks.append(here_already)
    if group.need is Need.CHECK:
        words = "Look at it; tick it if it is right as it is."
        lines.append(f'<li class="lv-ask">{words}</li>')
    elif not lacking:
        lines.insert(0, '<li class="lv-good">can be added</li>')
    lines += [f'<li class="lv-muted">{look.safe(text)}</li>' for text in remarks]
    return f'<ul class="lv-verdict">{"".join(lines)}</ul>'


def _files(files: Sequence[Looked]) -> str:
    rows = ""
    for one in files:
        side, view = one.view
        source = (
            f'<img loading="lazy" src="/arrive/{one.arrival}/{one.number}.png" alt="">'
            if one.has_picture
            else ""
        )
        refusal = one.refusal
        already = one.examined.duplicate_of
        words = (
            f"already here ({already.mrn}, {already.study_date})"
            if one.is_here and already
            else refusal.text
            if refusal
            else ", ".join(flag_words(flag) for flag in one.examined.quality_flags)
        )
        cls = "bad" if one.is_refused else "ask" if refusal else ""
        rows += (
            f'<tr><td class="pic">{source}</td><td>{look.safe(one.name)}</td><td>{SIDE_WORDS.get(side or "", look.UNKNOWN)}</td>'
            f'<td>{look.safe(view or look.UNKNOWN)}</td><td class="{cls}">{look.safe(words)}</td></tr>'
        )
    return (
        '<table class="lv-table lv-files"><tr><th>picture</th><th>file</th><th>side</th><th>view</th><th>remark</th></tr>'
        f"{rows}</table>"
    )


def _ask(batch: Batch, group: Group) -> None:
    """Ask what the files do not say; what is answered is kept with the batch, not with the page."""
    answer = batch.answers.get(group.key, Answer())
    left, right = st.columns([2, 1], gap="small") if not (group.mrn and group.on) else (None, None)
    if left is not None and group.mrn is None:
        mrn = left.text_input(
            "MRN of the patient", value=answer.mrn or "", max_chars=64, key=f"many_mrn_{group.key}"
        )
        answer = replace(answer, mrn=mrn.strip() or None)
        if answer.mrn:
            found = known(here(), answer.mrn)
            with left:
                look.show(
                    f'<p class="lv-muted">{look.safe((found.name or "no name") if found else "new here")}'
                    f"{f', born {look.iso(found.birth_date)}' if found and found.birth_date else ''}</p>"
                )
    if right is not None and group.on is None:
        on = right.date_input(
            "Day of the study",
            value=answer.on,
            min_value=statement.EARLIEST,
            max_value=date.today(),
            key=f"many_on_{group.key}",
        )
        answer = replace(answer, on=on)
    views = {one.key: _ask_view(one, answer) for one in group.asked_views()}
    checked = any(one.proposed for one in group.asked_views()) and st.checkbox(
        "I have compared side and view with each picture.",
        value=answer.checked,
        key=f"many_checked_{group.key}",
    )
    said = {key: view for key, view in views.items() if any(view)}
    batch.say(group.key, replace(answer, views=said, checked=bool(checked)))


def _ask_view(looked: Looked, answer: Answer) -> tuple[str | None, str | None]:
    pic, name, side_column, view_column = st.columns(
        [0.5, 2.5, 1, 1], vertical_alignment="center", gap="small"
    )
    said = answer.views.get(looked.key) or looked.view
    with pic:
        look.show(_strip([looked]))
    proposed = looked.proposed
    with name:
        hint = f" · its name says {' '.join(proposed)}" if proposed else ""
        look.show(f'<p class="lv-filename">{look.safe(looked.name)}{hint}</p>')
    said = said if any(said) else proposed or (None, None)
    side = side_column.selectbox(
        "Side",
        list(SIDES),
        index=SIDES.index(said[0]) if said[0] in SIDES else None,
        format_func=lambda key: SIDE_WORDS[key],
        placeholder="Side?",
        label_visibility="collapsed",
        key=f"many_side_{looked.key}",
    )
    view = view_column.selectbox(
        "View",
        list(VIEWS),
        index=VIEWS.index(said[1]) if said[1] in VIEWS else None,
        placeholder="View?",
        label_visibility="collapsed",
        key=f"many_view_{looked.key}",
    )
    return side, view

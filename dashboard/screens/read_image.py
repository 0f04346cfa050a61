"""Read an image: one mammogram or breast ultrasound image, what a model says of it, and of boxes drawn in it."""

import re

import streamlit as st

from core.desk import DeskClosed, OpenedImage, finding_models, speakers
from core.incoming import IncomingFile
from core.people import Permission, Person
from core.records import Card, FollowedLesion, KeptFinding, Place, cards, findings, lesions_of_patient
from core.refusals import Refusal
from core.rules.vocabulary import SIDE_WORDS, SIDES, VIEWS, FindingClass
from dashboard import addresses, components, keys, look, outages, session, statement
from dashboard.house import desk, here
from dashboard.web import uploads

OPEN, MODEL, NOTE, UPLOAD, ANSWERED = "read_open", "read_model", "read_note", "read_upload", "read_answered"
MODALITIES = {"MG": "mammogram", "US": "breast ultrasound"}


def open_what_is_asked(person: Person) -> tuple[OpenedImage | None, str | None]:
    """Return the image that address or upload ask for, opened once, or a sentence on why it is not open."""
    chosen = st.session_state.get(UPLOAD)
    if chosen is not None:
        wanted = str(chosen.file_id)
    elif asked := str(st.query_params.get(keys.IMAGE, "")):
        wanted = asked
    else:
        return None, None
    kept: tuple[str, str | None, str | None] = st.session_state.get(OPEN, ("", None, None))
    if kept[0] == wanted and kept[2]:
        return None, kept[2]
    if kept[0] == wanted and kept[1]:
        try:
            return desk().find(person, kept[1]), None
        except LookupError:
            pass  # opened so long ago that others took its place: it is opened again
    warm = desk().is_warm
    try:
        with st.spinner(
            "Opening the image …" if warm else "The models are being loaded. This takes a little …"
        ):
            if chosen is None:
                opened = desk().open_stored(here(), person, wanted)
            else:
                file = uploads.opened(chosen)
                if file.refusal is not None:
                    raise file.refusal
                opened = desk().open_file(person, file.data, file.name)
    except KeyError:
        return None, remember(wanted, "There is no such image here. Open it from the patient again.")
    except Refusal as refusal:
        return None, remember(wanted, refusal.text)
    except DeskClosed as closed:
        return None, str(closed)
    st.session_state[OPEN] = (wanted, opened.token, None)
    return opened, None


def remember(wanted: str, sentence: str) -> str:
    """Keep why an image was not opened, so that a rerun does not try again."""
    st.session_state[OPEN] = (wanted, None, sentence)
    return sentence


def forget_note() -> None:
    """Another image: what was said of the last one is over."""
    st.session_state.pop(NOTE, None)
    st.query_params.pop(keys.IMAGE, None)


def answered() -> None:
    """Count an answer to "Keep as finding": without a change to show, the box would go on saying "Keeping …"."""
    st.session_state[ANSWERED] = st.session_state.get(ANSWERED, 0) + 1


def choose_image() -> None:
    """Let a file be dropped."""
    st.file_uploader(
        "Mammogram or breast ultrasound: DICOM, PNG or JPEG",
        key=UPLOAD,
        on_change=forget_note,
        label_visibility="collapsed",
    )


def nothing_open(sentence: str | None) -> None:
    """Say what can be done here, or why the image was not opened."""
    if sentence:
        look.show(f'<p class="lv-note alert" role="alert">{look.safe(sentence)}</p>')
    look.show(
        '<div class="lv-empty"><b>Drop an image above</b>A mammogram or a breast ultrasound image: DICOM, PNG or JPEG. '
        "You see within a second what the model makes of it and where it looks; draw a box to ask about a region. "
        "Or open a patient and choose “Read this image” on one of her views.</div>"
    )


def choose_model(opened: OpenedImage) -> str | None:
    """Let the person choose which model says what is benign or malignant; None where there is no choice."""
    names = finding_models(here().settings, opened.modality)
    if not names:
        return None
    words = {name: said_by(opened, name) for name in names}
    return st.selectbox(
        "Who says what it shows", names, format_func=words.__getitem__, key=f"{MODEL}_{opened.modality}",
        label_visibility="collapsed",
    )  # fmt: skip


def said_by(opened: OpenedImage, name: str) -> str:
    """Say in plain words who answers where a model is chosen: its title, or what two read together, and from which pictures they learned."""
    card = cards.card_of(here(), name)
    if card is None:
        return name
    speak = (cards.card_of(here(), one) for one in speakers(here().settings, opened.modality, name))
    together = [one for one in speak if one is not None and one.settings.get("task") == "finding"]
    title = "Whole image and boxes" if len(together) > 1 else card.title
    return f"{title}, learned from {source(card)}" if card.of_single_images else title


def source(card: Card) -> str:
    """Say in few words which pictures a model learned from."""
    return (
        "simulated women" if card.simulated_training else re.split(r"[(:,;.]", card.learned_from)[0].strip()
    )


def known_pictures(name: str | None) -> str:
    """Say in one line which pictures a model speaks of, and that it says nothing of others; empty where there is none."""
    card = cards.card_of(here(), name) if name else None
    if card is None:
        return ""
    number = card.domain.get("cases", card.domain.get("studies"))
    if number is None:
        return "It is not recorded which pictures this model knows: no number of it is shown."
    what = "pictures" if "cases" in card.domain else "studies"
    return (
        f"Speaks of pictures like those it learned from ({source(card)}: {number} {what} of {card.domain['women']} women). "
        "Of others no number is shown."
    )


def about_the_models(opened: OpenedImage, model: str | None) -> None:
    """Show the cards of the models that speak on this image."""
    for name in speakers(here().settings, opened.modality, model):
        card = cards.card_of(here(), name)
        if card is None:
            continue
        look.heading(card.title)
        look.card_table(card)
    st.page_link(
        "screens/models.py", label="All models, with what was measured", icon=":material/arrow_forward:"
    )


def whose(opened: OpenedImage, place: Place | None) -> None:
    """Say what is open and whose it is."""
    size = f"{opened.image.columns} × {opened.image.rows} pixels"
    facts = [MODALITIES[opened.modality], size]
    facts.append(
        f"pixel {opened.image.pixel_spacing_mm:.3g} mm"
        if opened.image.pixel_spacing_mm
        else "pixel size not recorded"
    )
    if place:
        who = f"<b>{look.safe(place.label)}</b>{look.badge(place.simulated)}"
        facts.insert(0, f"{look.safe(place.view_name.words)}, study of {place.study_date}")
    else:
        who = f"<b>{look.safe(opened.name)}</b>"
        facts.insert(0, "not in a patient's record")
    beside = "".join(f'<span class="fact">{fact}</span>' for fact in facts)
    look.show(f'<div class="lv-identity"><span>{who}</span>{beside}</div>')


def entry(finding: KeptFinding) -> dict[str, object]:
    """Say a finding for the component."""
    malignant = finding.reading.get(FindingClass.MALIGNANT)
    return {
        "id": finding.finding_id,
        "label": finding.label,
        "box": [round(value) for value in finding.box],
        "size": look.millimetres(finding.diameter_mm),
        "said": f"malignant {look.percent(malignant)}" if malignant is not None else "",
    }


def keep(
    person: Person,
    opened: OpenedImage,
    place: Place,
    box: findings.Box,
    model: str | None,
    lesion: FollowedLesion | None = None,
) -> None:
    """Keep a box on the patient's study, with what the model says of it now; as one of her lesions, or as a new one."""
    answered()
    try:
        said = desk().region(opened, box, model).answer
        told = {name: share for name, share in (said["told"]["tumour"] or {}).items() if share is not None}
        reading = {"tumour": told, "model": said["model"], "spoke": said["spoke"]}
    except (Refusal, DeskClosed, ValueError):
        reading = None
    try:
        known = None if lesion is None else (lesion.lesion_id, lesion.version)
        kept = findings.keep(here(), person, place.sop_uid, box, reading=reading, lesion=known)
    except ValueError as error:
        st.session_state[NOTE] = ("alert", str(error), None)
        return
    size = look.millimetres(kept.diameter_mm) if kept.diameter_mm else "size unknown: pixel size not recorded"
    text = (
        f"{kept.label} is kept on {place.label}, study of {place.study_date}, {kept.view_name.words}, {size}."
    )
    st.session_state[NOTE] = ("good", text, kept.finding_id)


def take_back(person: Person, finding_id: int) -> None:
    """Take a finding back."""
    findings.remove(here(), person, finding_id)
    st.session_state[NOTE] = ("", "The finding is taken back. The audit trail keeps what it said.", None)


def may_be(place: Place) -> list[FollowedLesion]:
    """Return her lesions that this image may show: of that breast, and not measured on it."""
    return [
        lesion
        for lesion in lesions_of_patient(here(), place.mrn)
        if lesion.laterality == place.laterality
        and all(one.sop_uid != place.sop_uid for one in lesion.places)
    ]


@st.dialog("Keep as finding: which lesion is it?", width="medium", on_dismiss=answered)
def ask_which(
    opened: OpenedImage, place: Place, box: findings.Box, model: str | None, known: list[FollowedLesion]
) -> None:
    """Ask whether a box is one of her lesions seen again, or a new one; nothing is chosen for the reader."""
    person = session.require(Permission.ASSESS)  # now: the dialog runs by itself as long as it is open
    by_id = {lesion.lesion_id: lesion for lesion in known}
    chosen = st.radio(
        "Lesion",
        [*by_id, 0],
        index=None,
        format_func=lambda one: say_lesion(by_id[one]) if one else "A new lesion",
        key=f"read_which_{opened.token}",
        label_visibility="collapsed",
    )
    if st.button("Keep", type="primary", disabled=chosen is None):
        with outages.beside_the_act("The finding is not kept."):
            keep(person, opened, place, box, model, by_id.get(chosen or 0))
            st.rerun()


def say_lesion(lesion: FollowedLesion) -> str:
    """Say a lesion in one line, with where it was seen last."""
    last = lesion.places[-1]
    size = "gone" if last.long_mm == 0 else look.millimetres(last.long_mm)
    return look.plain(f"{lesion.label}: {size} on {last.view.words} of {last.on}")


@st.dialog("Keep as finding: whose image is it?", width="medium", on_dismiss=answered)
def ask_whose(opened: OpenedImage, box: findings.Box, model: str | None) -> None:
    """Put an image that is in nobody's record into a study, then keep the box on it."""
    person = session.require(Permission.ASSESS)  # now: the dialog runs by itself as long as it is open
    header = opened.image.header
    text = st.text_input("Patient", placeholder="Search MRN or name", key="read_whose")
    matches = {
        found.mrn: found for found in statement.search(text, if_nobody="Add her with “Add study” first.")
    }
    mrn = None
    if matches:
        mrn = st.radio(
            "Patient",
            list(matches),
            index=0 if len(matches) == 1 else None,
            format_func=lambda key: look.plain(
                f"{matches[key].name or 'no name'}, MRN {key}, born {look.iso(matches[key].birth_date)}"
            ),
            label_visibility="collapsed",
        )
    day, side_column, view_column = st.columns(3)
    with day:
        study_date = statement.ask_date([header], key=f"read_date_{opened.token}")
    side = side_column.selectbox(
        "Side", list(SIDE_WORDS), index=SIDES.index(header.laterality) if header.laterality in SIDES else None,
        format_func=SIDE_WORDS.__getitem__, placeholder="Side?",
    )  # fmt: skip
    view = view_column.selectbox(
        "View", VIEWS, index=VIEWS.index(header.view) if header.view in VIEWS else None, placeholder="View?"
    )
    contradictions = [(opened.name, text) for text in opened.image.contradictions]
    if mrn:
        contradictions += statement.disagreements(matches[mrn], [(opened.name, header)], study_date)
    confirmed = statement.is_confirmed(contradictions, mrn, study_date, images=1, key="read_confirmed")
    ready = bool(mrn and study_date and side and view and confirmed)
    if st.button("Add the image to her record and keep the finding", type="primary", disabled=not ready):
        assert mrn is not None
        assert study_date is not None
        assert side is not None
        assert view is not None
        with outages.beside_the_act("The finding is not kept. Try once more: no image is added twice."):
            file = IncomingFile(opened.name, opened.bytes())
            report = statement.take_in(matches[mrn], study_date, {opened.name: (side, view)}, [file], person)
            place = findings.place_of(here(), opened.sha256)
            if place is None or place.mrn != mrn:
                why = report.cut_short or report.items[0].text or "It was not added."
                look.show(f'<p class="lv-note alert">{look.safe(why)}</p>')
                return
            keep(person, opened, place, box, model)
            st.rerun()


def page(person: Person) -> None:
    """Open an image, show it with what is said of it, and do what was asked."""
    desk().warm_up()
    title, drop = st.columns([1, 4], vertical_alignment="center")
    with title:
        look.title("Read an image")
    with drop:
        choose_image()
    opened, sentence = open_what_is_asked(person)
    if opened is None:
        nothing_open(sentence)
        return
    place = findings.place_of(here(), opened.sha256)
    if place:
        session.note_look(person, "image_read", f"patient:{place.mrn}")
    head, pick, about = st.columns([4.4, 3.8, 1.6], vertical_alignment="center")
    with head:
        whose(opened, place)
    with pick:
        model = choose_model(opened)
    with about.popover("About the models", width="stretch"):
        about_the_models(opened, model)
    kind, text, just_kept = st.session_state.get(NOTE, ("", "", None))
    may = person.may(Permission.ASSESS)
    storable = place is not None or opened.modality == "MG"
    hint = "Keeping findings is for oncologists." if not may else ""
    if may and not storable:
        hint = (
            "Ultrasound images are not kept in patients' records yet, so a box cannot be kept as a finding."
        )
    asks = components.reading(
        {
            "token": opened.token,
            "name": place.view_name.words if place else opened.name,
            "rows": opened.image.rows,
            "columns": opened.image.columns,
            "in_record": place is not None,
            "spacing_mm": opened.image.pixel_spacing_mm,
            "model": model,
            "knows": known_pictures(model),
            "findings": [entry(one) for one in findings.of_image(here(), place.sop_uid)] if place else [],
            "can_keep": may and storable,
            "can_take_back": may,
            "keep_hint": hint,
            "note": {"kind": kind, "text": text, "finding": just_kept},
            "answered": st.session_state.get(ANSWERED, 0),
        }
    )
    foot, patient = st.columns([5, 1])
    with foot:
        look.footer("Research software. Not for diagnosis. It supports a reader and never replaces one.")
    if place:
        patient.page_link(
            "screens/patient.py",
            label="Open the patient",
            icon=":material/arrow_forward:",
            query_params=addresses.query_of(place.mrn, **{keys.VISIT: place.study_uid}),
        )
    if asks.keep and may:
        if place:
            known = may_be(place)
            if known:
                ask_which(opened, place, asks.keep, model, known)
            else:
                with outages.beside_the_act("The finding is not kept."):
                    keep(person, opened, place, asks.keep, model)
                st.rerun()
        else:
            ask_whose(opened, asks.keep, model)
    if asks.take_back is not None and may:
        with outages.beside_the_act("The finding is not taken back."):
            take_back(person, asks.take_back)
            st.rerun()


page(session.require(Permission.SEE_PATIENTS))

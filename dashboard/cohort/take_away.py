"""What can be taken away of a cohort: the report of all figures, the definition, and rows of single women by permission."""

from __future__ import annotations

import io
import json
import tempfile
import zipfile
from datetime import date
from pathlib import Path

import streamlit as st

from core.cohorts import Selection, disclosure
from core.cohorts.away import bcrbench, manifest, report
from core.cohorts.away.told import sha256_of
from core.people import Permission, Person, may_now
from core.people.roles import AccessDenied
from dashboard import handing, look, session
from dashboard.cohort import source
from dashboard.house import here

DEFINITION_FILE = "longview-cohort.json"


def show(selection: Selection) -> None:
    """Show what can be taken away, each with what it is."""
    left, right = st.columns(2)
    with left, st.container(border=True):
        _report(selection)
    with right, st.container(border=True):
        _definition(selection)
    with st.container(border=True):
        _rows(selection)


def _report(selection: Selection) -> None:
    look.heading("Report")
    look.show(
        "<p>Every figure of this page with its numbers, as one HTML page that needs no network, and each table as CSV and "
        "Parquet. It names definition, model, release and day.</p>"
    )
    table = source.name()
    handing.download_button(
        "Make the report",
        lambda: _zipped(selection, table),
        file_name="longview-cohort-report.zip",
        mime="application/zip",
        icon=":material/download:",
        key="download_report",
        on_click="ignore",
        help="It takes half a minute.",
    )
    look.footer("The same report by a command, to be made again:")
    option = f" --table {table}" if table else ""
    st.code(
        f"python -m core cohort report --definition {DEFINITION_FILE}{option} --date {date.today()} --out report",
        language=None,
        wrap_lines=True,
    )


def _zipped(selection: Selection, table: str) -> bytes:
    """Return the report's folder as a ZIP archive."""
    with tempfile.TemporaryDirectory(prefix="longview-report-") as folder:
        made = report.make_report(
            selection.definition, Path(folder, "report"), date.today(), table, home=here().home
        )
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for name in made.files:
                archive.write(made.path / name, f"longview-cohort-report/{name}")
        return file.getvalue()


def _definition(selection: Selection) -> None:
    document = selection.definition.to_json()
    look.heading("Definition")
    look.show(f"<p>{look.safe(selection.sentence)}</p>")
    st.code(json.dumps(document, ensure_ascii=False, indent=1), language=None, wrap_lines=True)
    handing.download_button(
        "Definition as a file",
        json.dumps(document, ensure_ascii=False, indent=1) + "\n",
        file_name=DEFINITION_FILE,
        mime="application/json",
        icon=":material/download:",
        key="download_definition_file",
        on_click="ignore",
    )
    look.footer(f"SHA-256 {sha256_of(document)[:16]}…: the same definition has the same.")


def _rows(selection: Selection) -> None:
    look.heading("Rows of single women")
    person = session.person()
    if not person.may(Permission.SEE_SINGLE_COURSES):
        look.show(
            "<p>Files with a row an exam or an image tell of single women. An admin can grant that to you: "
            "<code>python -m core user grant</code>, or on the page Admin. The trail keeps who took what.</p>"
        )
        return
    left, right = st.columns(2)
    with left:
        look.show(
            "<p><b>Scores with outcomes</b>, a row an exam, in the form of BCRBench (<code>model_results.json</code>), so that its "
            "figures can be set beside these. No name, number or day is in it.</p>"
        )
        if selection.said_by:
            handing.download_button(
                "Scores as JSON",
                lambda: _scores(selection, person),
                file_name="model_results.json",
                mime="application/json",
                icon=":material/download:",
                key="download_scores",
                on_click="ignore",
            )
        else:
            look.footer("None of these visits has a score that may be told.")
    with right:
        look.show(
            "<p><b>Images with an exam manifest</b>, as training and evaluation take them. De-identified: pseudonyms, moved days, "
            "ages in place of birth dates, clean pictures.</p>"
        )
        _manifest(selection, person)
        look.footer("Or written on the machine itself, by a command:")
        st.code(
            f"python -m core cohort manifest --definition {DEFINITION_FILE} --deidentified --out images",
            language=None,
            wrap_lines=True,
        )


def _manifest(selection: Selection, person: Person) -> None:
    """Offer the images with their manifest to who may see images, where they are not very many."""
    many = manifest.images_of(selection)
    if not many:
        look.footer("This cohort came as a table, without images.")
    elif not person.may(Permission.SEE_PATIENTS):
        look.footer("Your role sees no images: whoever does, or runs the machine, hands them on.")
    elif many > manifest.MOST_ZIPPED:
        look.footer(
            f"About {disclosure.rounded(many):,} images are too many for one file: let the command write them."
        )
    else:
        handing.download_button(
            "Images and manifest as ZIP",
            lambda: _zipped_images(selection, person),
            file_name="longview-cohort-images.zip",
            mime="application/zip",
            icon=":material/download:",
            key="download_manifest",
            on_click="ignore",
            help="It takes about a second an image.",
        )


def _zipped_images(selection: Selection, person: Person) -> bytes:
    """Return the images with their manifest; the trail has it that they went out."""
    _still_may(person)
    return manifest.zipped(here(), person, selection)


def _scores(selection: Selection, person: Person) -> bytes:
    """Return the scores as a file, after the trail has it that they went out."""
    _still_may(person)
    return bcrbench.taken_by(here(), person, bcrbench.scores_of(selection))


def _still_may(person: Person) -> None:
    """Raise `AccessDenied` where an admin has taken the right back since the page was drawn."""
    if not may_now(here(), person, Permission.SEE_SINGLE_COURSES):
        raise AccessDenied("You may no longer take rows of single women away. Ask your admin.")

"""What other systems get: a FHIR bundle that validates and refers to itself, DICOM that other readers open."""

import io
import json
import shutil
import subprocess

import highdicom
import numpy as np
import pydicom
import pytest
from fhir.resources.R4B.bundle import Bundle
from sqlalchemy import select

from core.people import Role
from core.records import findings
from core.reports import Format, ReportError, write
from core.reports.codes import assessment_code, density_code
from core.rules.vocabulary import BI_RADS, DENSITIES
from db.tables import Embedding, Image
from tests import factories
from tests.core.reports.test_reports import DAYS, made_of, person_of, plans
from tests.factories import VisitPlan


def bundle_of(made):
    return json.loads(made.data)


def of_kind(bundle, kind):
    return [entry["resource"] for entry in bundle["entry"] if entry["resource"]["resourceType"] == kind]


def sr_of(made):
    return highdicom.sr.srread(io.BytesIO(made.data))


def words_of(dataset):
    return "\n".join(
        str(one.value) for one in dataset.iterall() if one.VR not in ("SQ", "OB", "OW", "UI", "TM")
    )


def references(node):
    if isinstance(node, dict):
        if isinstance(node.get("reference"), str):
            yield node["reference"]
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def test_fhir_validates_survives_a_round_trip_and_every_reference_resolves(here):
    factories.woman(here, "00017", plans(bi_rads="4A"), name="Sim-0017")
    bundle = bundle_of(made_of(here, "00017", Format.FHIR))
    again = json.loads(Bundle.model_validate(bundle).model_dump_json())
    assert again == bundle
    known = {entry["fullUrl"] for entry in bundle["entry"]}
    assert len(known) == len(bundle["entry"])
    assert set(references(bundle)) <= known
    kinds = {entry["resource"]["resourceType"] for entry in bundle["entry"]}
    assert kinds == {"Patient", "ImagingStudy", "Observation", "RiskAssessment", "DiagnosticReport"}
    (risk,) = of_kind(bundle, "RiskAssessment")
    told = [(one["probabilityDecimal"], one["whenPeriod"]["end"]) for one in risk["prediction"]]
    assert [value for value, _ in told] == pytest.approx([0.66, 1.32, 1.98, 2.64, 3.3])
    assert [end for _, end in told] == [f"{2024 + year}-05-03" for year in range(1, 6)]
    assert "5e5e" in risk["method"]["text"]
    assert {one["meta"]["security"][0]["code"] for one in (e["resource"] for e in bundle["entry"])} == {
        "HTEST"
    }
    (report,) = of_kind(bundle, "DiagnosticReport")
    assert "BI-RADS 4A · low suspicion" in report["conclusion"]
    assert "Not for diagnosis" in report["text"]["div"]


def test_the_same_study_keeps_its_names_at_every_making(here):
    factories.woman(here, "1", plans(), simulated=False)
    first, second = (bundle_of(made_of(here, "1", Format.FHIR)) for _ in range(2))
    assert [one["fullUrl"] for one in first["entry"]] == [one["fullUrl"] for one in second["entry"]]
    assert "HTEST" not in json.dumps(first)


def test_a_study_that_nobody_has_read_and_no_model_scored_is_no_result(here):
    factories.woman(here, "1", [VisitPlan(DAYS[0], None)])
    bundle = bundle_of(made_of(here, "1", Format.FHIR))
    (risk,), (report,) = of_kind(bundle, "RiskAssessment"), of_kind(bundle, "DiagnosticReport")
    assert "prediction" not in risk
    assert (risk["status"], report["status"]) == ("registered", "partial")
    assert of_kind(bundle, "Observation") == []


def test_every_category_has_a_code_of_dicoms_own_lists_or_ours():
    for category in BI_RADS:
        code = assessment_code(category)
        assert (code.scheme == "SCT") is (category in "01235")
        assert len(code.meaning) <= 120
    assert len({density_code(letter).value for letter in DENSITIES}) == 4
    assert density_code("C+D").scheme != "SCT"
    assert density_code("C+D").meaning.startswith("C or D")


def test_the_structured_report_opens_elsewhere_and_says_the_same(here, tmp_path):
    factories.woman(here, "00017", plans(bi_rads="4A"), name="Ελένη, Sim")
    with here.database.read() as session:
        sop_uid = session.scalar(select(Image.sop_uid).where(Image.study_id == 3))
    findings.keep(here, person_of(here, Role.ONCOLOGIST), sop_uid, (10, 20, 60, 50))
    made = made_of(here, "00017", Format.SR)
    plain = pydicom.dcmread(io.BytesIO(made.data))
    assert (plain.PatientID, plain.StudyInstanceUID, plain.Modality) == ("00017", "2.25.1.3", "SR")
    assert str(plain.PatientName) == "Ελένη, Sim"
    assert "not for diagnosis (simulated)" in plain.SeriesDescription
    assert "no real woman" in plain.PatientComments
    report = sr_of(made)
    evaluations = {
        one.name.meaning: one.value.meaning
        for group in report.content.get_image_measurement_groups()
        for one in group.get_qualitative_evaluations()
    }
    assert evaluations["Assessment Category"] == "BI-RADS 4A · low suspicion"
    assert evaluations["Mammography breast density"] == "Scattered fibroglandular densities"
    told = {
        one.name.meaning: one.value
        for group in report.content.get_image_measurement_groups()
        for one in group.get_measurements()
    }
    assert told["cancer within 5 years"] == pytest.approx(3.3)
    (lesion,) = report.content.get_planar_roi_measurement_groups()
    (length,) = lesion.get_measurements()
    assert (length.name.meaning, length.value) == ("Long axis", pytest.approx(14.0))
    assert {uid for _, _, uid, _ in report.get_evidence()} >= {sop_uid}
    assert "Research software. Not for diagnosis." in words_of(plain)
    if shutil.which("dsrdump"):
        path = tmp_path / "r.dcm"
        path.write_bytes(made.data)
        subprocess.run(["dsrdump", str(path)], check=True, capture_output=True)


def test_class_and_series_of_the_images_come_from_their_files(here):
    from tests.pictures import dicom

    factories.woman(here, "1", plans((DAYS[0],)))
    file = dicom(SeriesInstanceUID="1.2.3.77")
    with here.database.write() as session:
        image = session.scalars(select(Image)).first()
        image.sha256 = here.images.put(file)
        sop_uid = image.sop_uid
    found = {
        uid: (series, kind) for _, series, uid, kind in sr_of(made_of(here, "1", Format.SR)).get_evidence()
    }
    assert found[sop_uid] == ("1.2.3.77", pydicom.dcmread(io.BytesIO(file)).SOPClassUID)
    assert len({series for series, _ in found.values()}) == 2


def test_a_study_whose_images_are_gone_has_no_structured_report(here):
    factories.woman(here, "1", [VisitPlan(DAYS[0], None, views=())])
    with pytest.raises(ReportError):
        made_of(here, "1", Format.SR)


@pytest.fixture
def seen(here):
    """A woman whose pictures a network has seen: one hot place in each."""
    factories.woman(here, "1", plans((DAYS[0],)))
    heat = np.zeros((32, 26), np.float16)
    heat[8:10, 12:14] = 1.0
    with here.database.write() as session:
        for image in session.scalars(select(Image)):
            transform = {
                "flipped": False,
                "x0": 0,
                "y0": 0,
                "x1": 512,
                "y1": 640,
                "scale": 0.8,
                "source_columns": 512,
            }
            session.add(
                Embedding(
                    image_id=image.id, encoder_sha256="ab" * 32, dimensions=0, vector=b"", finding={}, density={}, heat_map=heat.tobytes(),
                    heat_map_shape=list(heat.shape), transform=transform,
                )
            )  # fmt: skip


def test_heat_maps_are_secondary_captures_with_the_hot_place_in_colour(here, seen, tmp_path):
    made = write(here, "1", None, Format.SR, tmp_path / "r.dcm", heat_maps=tmp_path / "maps")
    files = sorted((tmp_path / "maps").glob("*.dcm"))
    assert [file.name for file in files] == [
        f"heat-map-{view}.dcm" for view in ("L-CC", "L-MLO", "R-CC", "R-MLO")
    ]
    capture = pydicom.dcmread(files[0])
    assert capture.StudyInstanceUID == made.report.study_uid
    assert "not for diagnosis (simulated)" in capture.SeriesDescription
    assert capture.BurnedInAnnotation == "YES"
    pixels = capture.pixel_array.astype(int)
    colour = np.ptp(pixels, axis=2)
    row, column = np.unravel_index(colour.argmax(), colour.shape)
    # Around the corner between cells (8, 12) and (9, 13), 16 network pixels each, at 0.8 to a pixel of the image.
    assert (row, column) == (pytest.approx(9 * 16 / 0.8, abs=24), pytest.approx(13 * 16 / 0.8, abs=24))


def test_no_heat_map_leaves_where_the_score_is_withheld(here, seen, tmp_path):
    factories.another_score(here, "2.25.1.1", trust_level="withheld", trust_doubt="unlike_pictures")
    with pytest.raises(ReportError, match="unlike those"):
        write(here, "1", None, Format.SR, tmp_path / "r.dcm", heat_maps=tmp_path / "maps")
    assert list(tmp_path.glob("*.dcm")) == []
    assert not (tmp_path / "maps").exists()

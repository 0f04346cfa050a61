"""A report as a FHIR R4 bundle: Patient, ImagingStudy, Observation, RiskAssessment, DiagnosticReport.

Only elements that R4 and R4B share are used, and the whole is validated before it is handed out. Ids come from the
MRN and the study's UID: the report of one study names the same things at every making.
"""

from __future__ import annotations

import html
import json
import unicodedata
import uuid
from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from typing import Any

from core.reports import codes
from core.reports.codes import Code
from core.reports.content import NOT_ASSESSED, RESEARCH, SIMULATED, Breast, Measured, Probability, Report
from core.rules.trends import add_months
from core.rules.vocabulary import density_words
from core.wording import interval, percent

__all__ = ["imaging_study", "patient_resource", "render_fhir", "resources_of"]

Resource = dict[str, Any]

_SYSTEMS = {
    "SCT": "http://snomed.info/sct",
    "LN": "http://loinc.org",
    "DCM": "http://dicom.nema.org/resources/ontology/DCM",
}
_TERMS = "http://terminology.hl7.org/CodeSystem"
_UNITS = "http://unitsofmeasure.org"
_GENDERS = {"F": "female", "M": "male", "O": "other"}


def render_fhir(report: Report) -> bytes:
    """Return the bundle as JSON, UTF-8; raises `pydantic.ValidationError` if it were not valid FHIR."""
    from fhir.resources.R4B.bundle import Bundle

    document = json.dumps(_bundle(report), default=_number, ensure_ascii=False)
    return (Bundle.model_validate_json(document).model_dump_json(indent=1) + "\n").encode()


def _number(value: Decimal) -> float:
    return float(value)


def resources_of(report: Report) -> list[Resource]:
    """Return what the bundle holds: each resource with its id, references between them as ``urn:uuid:``."""
    studies = [_study(report, report.study_uid, report.on, report.indication, len(report.images))]
    if report.prior is not None:
        prior = report.prior
        studies.append(_study(report, prior.study_uid, prior.on, prior.description or "", len(prior.images)))
    observations = list(_observations(report))
    risk = _risk(report)
    resources = [_patient(report), *studies, *observations, risk]
    resources.append(_diagnostic_report(report, observations))
    if report.simulated:
        for resource in resources:
            resource["meta"] = {"security": [_test_data()]}
    return resources


def _bundle(report: Report) -> Resource:
    return {
        "resourceType": "Bundle",
        "type": "collection",
        "identifier": {"system": "urn:ietf:rfc:3986", "value": f"urn:uuid:{uuid.uuid4()}"},
        "timestamp": _instant(report),
        "entry": [{"fullUrl": f"urn:uuid:{one['id']}", "resource": one} for one in resources_of(report)],
    }


def _id(of: str, *what: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_OID, "|".join(("longview", of, *what))))


def _reference(of: str, *what: str) -> Resource:
    return {"reference": f"urn:uuid:{_id(of, *what)}"}


def _subject(report: Report) -> Resource:
    return _reference(report.mrn, "patient")


def _instant(report: Report) -> str:
    return report.made_at.astimezone().isoformat(timespec="seconds")


def _text(words: str) -> str:
    """Return words from outside as FHIR may hold them: no control characters."""
    kept = "".join(
        letter for letter in words if letter in "\n\t" or unicodedata.category(letter) not in ("Cc", "Cs")
    )
    return kept.strip() or "–"


def _coded(*coded: Code, text: str = "") -> Resource:
    """Return a concept with its codes; one of our own scheme is told in words only."""
    known = [
        {"system": _SYSTEMS[one.scheme], "code": one.value, "display": one.meaning}
        for one in coded
        if one.scheme in _SYSTEMS
    ]
    words = text or (coded[0].meaning if coded else "")
    return ({"coding": known} if known else {}) | ({"text": _text(words)} if words else {})


def _test_data() -> Resource:
    return {"system": f"{_TERMS}/v3-ActReason", "code": "HTEST", "display": "test health data"}


def _patient(report: Report) -> Resource:
    return patient_resource(report.mrn, report.name, report.birth_date, report.sex)


def patient_resource(mrn: str, name: str | None, birth_date: date | None, sex: str | None) -> Resource:
    """Return a woman as a Patient."""
    patient: Resource = {
        "resourceType": "Patient",
        "id": _id(mrn, "patient"),
        "identifier": [
            {
                "type": {"coding": [{"system": f"{_TERMS}/v2-0203", "code": "MR"}]},
                "value": _text(mrn),
            }
        ],
        "gender": _GENDERS.get(sex or "", "unknown"),
    }
    if name:
        patient["name"] = [{"text": _text(name)}]
    if birth_date:
        patient["birthDate"] = birth_date.isoformat()
    return patient


def _study(report: Report, uid: str, on: date, description: str, images: int) -> Resource:
    return imaging_study(report.mrn, uid, on, report.modality, description, images)


def imaging_study(mrn: str, uid: str, on: date, modality: str, description: str, images: int) -> Resource:
    """Return a study of a woman as an ImagingStudy."""
    study = {
        "resourceType": "ImagingStudy",
        "id": _id(uid, "study"),
        "identifier": [{"system": "urn:dicom:uid", "value": f"urn:oid:{uid}"}],
        "status": "available",
        "subject": _reference(mrn, "patient"),
        "started": on.isoformat(),
        "modality": [{"system": _SYSTEMS["DCM"], "code": modality}],
        "numberOfInstances": images,
    }
    if description:
        study["description"] = _text(description)
    return study


def _observation(report: Report, *what: str, **more: Any) -> Resource:
    return {
        "resourceType": "Observation",
        "id": _id(report.study_uid, *what),
        "status": "final",
        "category": [{"coding": [{"system": f"{_TERMS}/observation-category", "code": "imaging"}]}],
        "subject": _subject(report),
        "effectiveDateTime": report.on.isoformat(),
        "derivedFrom": [_reference(report.study_uid, "study")],
    } | more


def _observations(report: Report) -> Iterable[Resource]:
    """Return what readers and the model observed; of the model only what may be told."""
    for breast in report.assessment.breasts:
        yield _of_breast(report, breast)
    if report.density is not None:
        by = report.density_by
        yield _observation(
            report,
            "density",
            code=_coded(codes.DENSITY),
            valueCodeableConcept=_coded(
                codes.density_code(report.density), text=f"{density_words(report.density)} ({by})"
            ),
            performer=[{"display": _text(_who(report, by))}],
        )
    for one in report.said.probabilities:
        if one.laterality is not None or one.key == "progression":
            yield _of_model(report, one)
    for lesion in report.lesions:
        for number, measured in enumerate(lesion.measured):
            if measured.long_mm is not None:
                yield _of_lesion(report, lesion.label, lesion.laterality, number, measured)


def _who(report: Report, by: str) -> str:
    return report.assessment.by or "a reader" if by == "reader" else report.said.model or "model"


def _of_breast(report: Report, breast: Breast) -> Resource:
    assessment = report.assessment
    code = codes.assessment_code(breast.category)
    found = _observation(
        report,
        "assessment",
        breast.laterality or "both",
        code=_coded(codes.ASSESSMENT, text=f"BI-RADS assessment ({assessment.edition})"),
        valueCodeableConcept=_coded(code, text=breast.words),
        bodySite=_coded(codes.BREAST[breast.laterality], text=breast.side),
        performer=[{"display": _text(assessment.by or "a reader")}],
    )
    if assessment.at is not None:
        found["issued"] = assessment.at.isoformat(timespec="seconds")
    if assessment.note:
        found["note"] = [{"text": _text(assessment.note)}]
    return found


def _of_model(report: Report, one: Probability) -> Resource:
    """Return a probability that may be told, in per cent, with its interval where it is known."""
    code = _coded(codes.PROBABILITY_OF_CANCER, text=one.what) if one.laterality else {"text": one.what}
    found = _observation(
        report,
        "model",
        one.key,
        code=code,
        valueQuantity=_quantity(100 * one.value, "%"),
        performer=[{"display": _text(report.said.model)}],
        note=[{"text": _text(report.said.statement)}],
    )
    if one.laterality:
        found["bodySite"] = _coded(codes.BREAST[one.laterality])
    if one.low is not None and one.high is not None:
        found["component"] = [
            {
                "code": {"text": f"{end} end of the 90 % interval"},
                "valueQuantity": _quantity(100 * value, "%"),
            }
            for end, value in (("lower", one.low), ("upper", one.high))
        ]
    return found


def _of_lesion(report: Report, label: str, laterality: str, number: int, measured: Measured) -> Resource:
    assert measured.long_mm is not None
    found = _observation(
        report,
        "lesion",
        label,
        laterality,
        str(number),
        code=_coded(codes.LONG_AXIS, text=f"{label}: long axis on {measured.view}"),
        valueQuantity=_quantity(measured.long_mm, "mm"),
        bodySite=_coded(codes.BREAST[laterality]),
        performer=[{"display": _text(measured.by or "a reader")}],
    )
    found["effectiveDateTime"] = measured.on.isoformat()
    known = {report.study_uid} | ({report.prior.study_uid} if report.prior else set())
    if measured.study_uid in known:
        found["derivedFrom"] = [_reference(measured.study_uid, "study")]
    else:
        del found["derivedFrom"]
    if measured.short_mm is not None:
        found["component"] = [
            {"code": _coded(codes.SHORT_AXIS), "valueQuantity": _quantity(measured.short_mm, "mm")}
        ]
    return found


def _quantity(value: float, unit: str) -> Resource:
    return {"value": _rounded(value), "unit": unit, "system": _UNITS, "code": unit}


def _rounded(value: float) -> Decimal:
    return Decimal(f"{value:.4g}")


def _risk(report: Report) -> Resource:
    """Return the risk of cancer by horizon; where it may not be told, no prediction, and a note that says why."""
    said = report.said
    told = [one for one in said.probabilities if one.key.startswith("risk_")]
    never = not said.model
    risk: Resource = {
        "resourceType": "RiskAssessment",
        "id": _id(report.study_uid, "risk"),
        "status": "final" if told else ("registered" if never else "cancelled"),
        "code": {"text": "Risk of breast cancer from her mammograms so far"},
        "subject": _subject(report),
        "occurrenceDateTime": report.on.isoformat(),
        "basis": [_reference(report.study_uid, "study")],
        "note": [{"text": _text(said.statement)}],
    }
    if report.prior is not None:
        risk["basis"].append(_reference(report.prior.study_uid, "study"))
    if said.model:
        weights = f"{said.model}, weights sha256 {said.weights_sha256}, calibration: {said.calibration}"
        risk["method"] = {"text": _text(weights)}
        risk["performer"] = {"display": _text(said.model)}
    if told:
        risk["prediction"] = [_prediction(report, one) for one in told]
    for why in (said.why_not, said.rank and f"Cancer within 5 years: {said.rank}", said.needed):
        if why:
            risk["note"].append({"text": _text(why)})
    return risk


def _prediction(report: Report, one: Probability) -> Resource:
    assert one.years is not None
    prediction = {
        "outcome": _coded(codes.BREAST_CANCER, text=one.what),
        # R4: decimal values are percentages, at most 100.
        "probabilityDecimal": _rounded(100 * one.value),
        "whenPeriod": {
            "start": report.on.isoformat(),
            "end": add_months(report.on, 12 * one.years).isoformat(),
        },
    }
    if one.low is not None and one.high is not None:
        prediction["rationale"] = f"90 % interval {interval(one.low, one.high)} %"
    return prediction


def _diagnostic_report(report: Report, observations: list[Resource]) -> Resource:
    assessment = report.assessment
    is_screening = report.modality == "MG" and "screening" in report.indication.lower()
    coded = (codes.SCREENING_REPORT,) if is_screening else (codes.MAMMOGRAPHY,)
    studies = [_reference(report.study_uid, "study")]
    if report.prior is not None:
        studies.append(_reference(report.prior.study_uid, "study"))
    made: Resource = {
        "resourceType": "DiagnosticReport",
        "id": _id(report.study_uid, "report"),
        "text": {"status": "generated", "div": _narrative(report)},
        "status": "final" if assessment.breasts else "partial",
        "category": [{"coding": [{"system": f"{_TERMS}/v2-0074", "code": "RAD"}]}],
        "code": _coded(*(coded if report.modality == "MG" else ()), text="Breast imaging report"),
        "subject": _subject(report),
        "effectiveDateTime": report.on.isoformat(),
        "issued": _instant(report),
        "imagingStudy": studies,
        "conclusion": _text(_conclusion(report)),
    }
    if observations:
        made["result"] = [{"reference": f"urn:uuid:{one['id']}"} for one in observations]
    if assessment.by:
        made["resultsInterpreter"] = [{"display": _text(assessment.by)}]
    if assessment.breasts:
        made["conclusionCode"] = [
            _coded(codes.assessment_code(one.category), text=f"{one.words}, {one.side}")
            for one in assessment.breasts
        ]
    return made


def _conclusion(report: Report) -> str:
    assessment = report.assessment
    if not assessment.breasts:
        return f"{NOT_ASSESSED} {RESEARCH}"
    parts = [f"{one.words}, {one.side}." for one in assessment.breasts]
    parts.append(f"Management: {assessment.management}." if assessment.management else "")
    return " ".join(part for part in (*parts, RESEARCH) if part)


def _narrative(report: Report) -> str:
    """Return the report in words, in the order of BI-RADS, as XHTML; every word from outside is escaped."""
    told = report.said.probabilities
    model = "; ".join(
        f"{one.what} {percent(one.value)} {interval(one.low, one.high)}".strip() for one in told
    )
    parts = (
        ("Indication", report.indication),
        ("Composition", report.composition),
        ("Findings", report.findings),
        ("Comparison", report.comparison),
        ("Assessment", report.assessment.in_short),
        ("Management", report.assessment.management or "Not recorded."),
        ("What the model said", model or report.said.rank or report.said.why_not),
        ("Statement", report.said.statement + (f" {SIMULATED}" if report.simulated else "")),
        ("This view", report.link),
    )
    rows = "".join(f"<p><b>{what}:</b> {html.escape(_text(said))}</p>" for what, said in parts if said)
    return f'<div xmlns="http://www.w3.org/1999/xhtml">{rows}</div>'

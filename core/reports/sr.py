"""A report as a DICOM structured report (TID 1500, Measurement Report): what was measured and how it was assessed.

BI-RADS per breast and density are qualitative evaluations, lesions of this study planar regions with their lengths, and
what may be told of the model's probabilities measurements in per cent. Words of the reader stand as comments.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from highdicom import UID
from highdicom.sr import (
    AlgorithmIdentification,
    CodedConcept,
    ComprehensiveSR,
    DeviceObserverIdentifyingAttributes,
    FindingSite,
    ImageRegion,
    Measurement,
    MeasurementReport,
    MeasurementsAndQualitativeEvaluations,
    ObservationContext,
    ObserverContext,
    PersonObserverIdentifyingAttributes,
    PlanarROIMeasurementsAndQualitativeEvaluations,
    QualitativeEvaluation,
    RelationshipTypeValues,
    SourceImageForMeasurementGroup,
    SourceImageForRegion,
    TextContentItem,
    TrackingIdentifier,
)
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes as dicom
from pydicom.uid import generate_uid

from core.reports import codes
from core.reports.codes import Code
from core.reports.content import NOT_ASSESSED, SIMULATED, Breast, Measured, Probability, Report
from core.reports.dicom_objects import (
    MANUFACTURER,
    file_of,
    long_string,
    mark,
    quietly,
)

__all__ = ["render_sr"]


def render_sr(report: Report, evidence: Sequence[Dataset]) -> bytes:
    """Return the report as a DICOM file; `evidence` are the headers of the images that it refers to."""
    with quietly():
        content = MeasurementReport(
            observation_context=_observers(report),
            procedure_reported=_concept(codes.MAMMOGRAPHY),
            imaging_measurements=_groups(report, evidence),
            title=dicom.DCM.ImagingMeasurementReport,
        )
        content[0].ContentSequence.extend(_comments(report))
        made = ComprehensiveSR(
            evidence=evidence,
            content=content[0],
            series_instance_uid=UID(),
            series_number=9001,
            sop_instance_uid=UID(),
            instance_number=1,
            manufacturer=MANUFACTURER,
            is_complete=bool(report.assessment.breasts),
            series_description="",
        )
        mark(made, report, "Longview report")
    return file_of(made)


def _concept(code: Code) -> CodedConcept:
    return CodedConcept(code.value, code.scheme, code.meaning[:64])


def _observers(report: Report) -> ObservationContext:
    person = None
    if report.assessment.by:
        attributes = PersonObserverIdentifyingAttributes(name=long_string(report.assessment.by))
        person = ObserverContext(dicom.DCM.Person, attributes)
    device = DeviceObserverIdentifyingAttributes(
        uid=generate_uid(entropy_srcs=["longview", report.said.weights_sha256]),
        name=MANUFACTURER,
        model_name=long_string(report.said.model) or None,
    )
    return ObservationContext(
        observer_person_context=person, observer_device_context=ObserverContext(dicom.DCM.Device, device)
    )


Groups = list[MeasurementsAndQualitativeEvaluations | PlanarROIMeasurementsAndQualitativeEvaluations]


def _groups(report: Report, evidence: Sequence[Dataset]) -> Groups:
    """Return what was assessed of each breast and the study, then the model's, then the lesions of this study."""
    sources = [SourceImageForMeasurementGroup(one.SOPClassUID, one.SOPInstanceUID) for one in evidence]
    found: Groups = [_of_breast(breast, sources) for breast in report.assessment.breasts]
    if report.density is not None:
        density = QualitativeEvaluation(_concept(codes.DENSITY), _concept(codes.density_code(report.density)))
        found.append(_group(f"density, {report.density_by}", None, sources, evaluations=[density]))
    for side in ("R", "L", None):
        told = [one for one in report.said.probabilities if one.laterality == side]
        if told:
            found.append(_of_model(report, side, told, sources))
    by_uid = {one.SOPInstanceUID: one for one in evidence}
    for lesion in report.lesions:
        for measured in lesion.measured:
            image = by_uid.get(measured.sop_uid)
            if image is not None:
                found.append(_of_lesion(lesion.label, lesion.laterality, measured, image))
    # A measurement report holds one group at least: the study itself, of which nothing was measured or assessed.
    return found or [_group("study, nothing measured or assessed", None, sources)]


def _group(
    name: str,
    side: str | None,
    sources: Sequence[SourceImageForMeasurementGroup],
    *,
    evaluations: Sequence[QualitativeEvaluation] = (),
    measurements: Sequence[Measurement] = (),
    algorithm: AlgorithmIdentification | None = None,
) -> MeasurementsAndQualitativeEvaluations:
    return MeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(uid=UID(), identifier=name),
        finding_sites=[FindingSite(_concept(codes.BREAST[side]))],
        algorithm_id=algorithm,
        measurements=measurements or None,
        qualitative_evaluations=evaluations or None,
        source_images=sources,
    )


def _of_breast(
    breast: Breast, sources: Sequence[SourceImageForMeasurementGroup]
) -> MeasurementsAndQualitativeEvaluations:
    code = codes.assessment_code(breast.category)
    evaluation = QualitativeEvaluation(_concept(codes.ASSESSMENT), _concept(code))
    return _group(f"BI-RADS, {breast.side}", breast.laterality, sources, evaluations=[evaluation])


def _of_model(
    report: Report,
    side: str | None,
    told: Sequence[Probability],
    sources: Sequence[SourceImageForMeasurementGroup],
) -> MeasurementsAndQualitativeEvaluations:
    said = report.said
    algorithm = AlgorithmIdentification(name=said.model, version=said.weights_sha256[:16])
    measurements = [
        Measurement(
            name=CodedConcept(one.key, codes.OWN, one.what),
            value=float(f"{100 * one.value:.4g}"),
            unit=dicom.UCUM.Percent,
        )
        for one in told
    ]
    name = f"model, {codes.BREAST[side].meaning.lower()}"
    return _group(name, side, sources, measurements=measurements, algorithm=algorithm)


def _of_lesion(
    label: str, laterality: str, measured: Measured, image: Dataset
) -> PlanarROIMeasurementsAndQualitativeEvaluations:
    """Return a lesion with the box that it was measured in; its lengths are given where the pixel size is known."""
    x0, y0, x1, y1 = measured.box
    corners = np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1), (x0, y0)], dtype=np.float64)
    lengths = ((codes.LONG_AXIS, measured.long_mm), (codes.SHORT_AXIS, measured.short_mm))
    measurements = [
        Measurement(name=_concept(code), value=float(f"{value:.4g}"), unit=dicom.UCUM.Millimeter)
        for code, value in lengths
        if value is not None
    ]
    return PlanarROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(uid=UID(), identifier=label),
        referenced_region=ImageRegion(
            "POLYLINE", corners, SourceImageForRegion(image.SOPClassUID, image.SOPInstanceUID)
        ),
        finding_sites=[FindingSite(_concept(codes.BREAST[laterality]))],
        measurements=measurements or None,
    )


def _comments(report: Report) -> list[Any]:
    """Return what is said in words: the reader's text, why there is no number, what this is not for."""
    assessment, said = report.assessment, report.said
    words = (
        f"Indication: {report.indication}",
        f"Composition: {report.composition}",
        f"Findings: {report.findings}",
        f"Comparison: {report.comparison}",
        f"Assessment: {assessment.in_short}" if assessment.breasts else NOT_ASSESSED,
        " ".join(report.response),
        f"Management: {assessment.management}" if assessment.management else "",
        f"Note: {assessment.note}" if assessment.note else "",
        f"No risk is given as a number. {said.why_not}" if said.why_not else "",
        f"Cancer within 5 years: {said.rank}" if said.rank else "",
        said.statement,
        SIMULATED if report.simulated else "",
        f"This view: {report.link}" if report.link else "",
    )
    return [
        TextContentItem(dicom.DCM.Comment, text, RelationshipTypeValues.CONTAINS) for text in words if text
    ]

"""What calls answer, as OpenAPI describes it: a module a resource. Probabilities are 0..1, lengths millimetres, moments UTC.

Null is not known. Names are those of the command line's ``--json``.
"""

from dashboard.api.shapes.cohorts import CohortSummary, SavedCohort, SavedCohorts, Table
from dashboard.api.shapes.corrections import (
    Correction,
    CorrectionMade,
    CorrectionPreview,
    Corrections,
    CorrectionsPage,
    StudyNamed,
)
from dashboard.api.shapes.models import Classified, ClassifiedFilm, ClassifiedStudy, Model, ModelCard, Models
from dashboard.api.shapes.people import Me, Patient, Patients
from dashboard.api.shapes.problems import ProblemShape
from dashboard.api.shapes.records import (
    Alert,
    Alerts,
    Event,
    Events,
    Finding,
    Findings,
    Lesion,
    LesionActUndone,
    Lesions,
    LesionSize,
    Measurement,
)
from dashboard.api.shapes.studies import (
    Assessment,
    Course,
    Image,
    Probability,
    Refusal,
    Score,
    Studies,
    Study,
    Trust,
)
from dashboard.api.shapes.work import Import, ImportItem, Job

__all__ = [
    "Alert",
    "Alerts",
    "Assessment",
    "Classified",
    "ClassifiedFilm",
    "ClassifiedStudy",
    "CohortSummary",
    "Correction",
    "CorrectionMade",
    "CorrectionPreview",
    "Corrections",
    "CorrectionsPage",
    "Course",
    "Event",
    "Events",
    "Finding",
    "Findings",
    "Image",
    "Import",
    "ImportItem",
    "Job",
    "Lesion",
    "LesionActUndone",
    "LesionSize",
    "Lesions",
    "Me",
    "Measurement",
    "Model",
    "ModelCard",
    "Models",
    "Patient",
    "Patients",
    "Probability",
    "ProblemShape",
    "Refusal",
    "SavedCohort",
    "SavedCohorts",
    "Score",
    "Studies",
    "Study",
    "StudyNamed",
    "Table",
    "Trust",
]

"""The HTTP API for programs (/api/v1), FHIR reads (/fhir) and DICOMweb reads (/dicom-web), beside the pages and behind the same gate.

`dashboard.api.door` is what the application mounts; a module a resource, each call through `dashboard.api.routing`.
"""

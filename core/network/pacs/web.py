"""A PACS asked by DICOMweb: QIDO-RS for what it has, WADO-RS for the objects, each as the PACS keeps it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

import requests
from dicomweb_client import DICOMwebClient
from requests.adapters import HTTPAdapter

from core.logs import log_of
from core.network.multipart import NotReadable, Parts
from core.network.pacs.remote import PacsFailed, RemoteObject, query_of
from core.network.peek import uid
from core.settings import Settings

__all__ = ["WebPacs"]

log = log_of(__name__)

_CONNECT_SECONDS, _SILENT_SECONDS = 10.0, 60.0
_CHUNK_BYTES = 1 << 16
_AS_KEPT = 'multipart/related; type="application/dicom"; transfer-syntax=*'
"""Without the parameter a PACS unpacks what it has (PS3.18 8.7.3.5.2)."""


_PLAIN_IN_QUERIES = {f"%{ord(character):02X}": character for character in "?/:@!$'()*,;"}


class _Patiently(HTTPAdapter):
    """Asks with an end to its patience, which `requests` has not by itself, and in the plainest words.

    What may stand in a query as it is (RFC 3986, 3.4) does: some archives take an escaped sign for another one.
    """

    def send(self, request: Any, **options: Any) -> Any:  # type: ignore[override]
        """Send a request."""
        path, mark, query = str(request.url).partition("?")
        for escaped, plain in _PLAIN_IN_QUERIES.items():
            query = query.replace(escaped, plain)
        request.url = path + mark + query
        options["timeout"] = options.get("timeout") or (_CONNECT_SECONDS, _SILENT_SECONDS)
        return super().send(request, **options)


class WebPacs:
    """A PACS at a DICOMweb address."""

    def __init__(self, settings: Settings) -> None:
        assert settings.pacs_url
        self._url = settings.pacs_url.rstrip("/")
        self.name = self._url.split("//")[-1]
        self._most_bytes = settings.max_file_mb * 1_000_000
        self._session = requests.Session()
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, _Patiently())
        if settings.pacs_token is not None:
            self._session.headers["Authorization"] = f"Bearer {settings.pacs_token.get_secret_value()}"

    def search(self, mrn: str, modalities: Sequence[str]) -> Iterator[RemoteObject]:
        """Yield the objects of these modalities that it has under an MRN."""
        with self._telling():
            client = DICOMwebClient(self._url, session=self._session)
            client.set_http_retry_params(retry=False)
            studies = client.search_for_studies(
                search_filters={"PatientID": query_of(mrn)},
                fields=["PatientID", "IssuerOfPatientID", "StudyDate"],
            )
            for study in studies:
                for series in client.search_for_series(_text(study, "0020000D"), fields=["Modality"]):
                    if _text(series, "00080060") not in modalities:
                        continue
                    yield from _objects(client, study, series)

    def fetch(self, wanted: Sequence[RemoteObject]) -> Iterator[tuple[str, bytes | None]]:
        """Yield each object that comes; one that the PACS does not give is passed over."""
        for one in wanted:
            with self._telling():
                path = f"studies/{one.study_uid}/series/{one.series_uid}/instances/{one.sop_uid}"
                data = self._object(f"{self._url}/{quote(path)}")
            if data is not None:
                yield one.sop_uid, data

    def _object(self, address: str) -> bytes | None:
        with self._session.get(address, headers={"Accept": _AS_KEPT}, stream=True) as answer:
            if answer.status_code in (404, 406, 410):
                log.warning("the PACS does not give an object", status=answer.status_code)
                return None
            answer.raise_for_status()
            parts = Parts(answer.headers.get("content-type", ""), most_bytes=self._most_bytes)
            for chunk in answer.iter_content(_CHUNK_BYTES):
                for part in parts.feed(chunk):
                    return None if part.too_large else part.data
            parts.end()
            return None

    @contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except requests.HTTPError as error:
            status = error.response.status_code if error.response is not None else "?"
            lacks = " Check LONGVIEW_PACS_TOKEN." if status in (401, 403) else ""
            raise PacsFailed(f"The PACS {self.name} refuses the question (HTTP {status}).{lacks}") from error
        except requests.RequestException as error:
            raise PacsFailed(
                f"The PACS {self.name} cannot be reached. Check that it runs, then repeat."
            ) from error
        except (NotReadable, KeyError, TypeError, ValueError) as error:
            raise PacsFailed(
                f"The PACS {self.name} answers in a way that is no DICOMweb. Check LONGVIEW_PACS_URL."
            ) from error


def _objects(
    client: DICOMwebClient, study: Mapping[str, Any], series: Mapping[str, Any]
) -> Iterator[RemoteObject]:
    study_uid, series_uid = _text(study, "0020000D"), _text(series, "0020000E")
    for instance in client.search_for_instances(study_uid, series_uid):
        sop_uid = uid(_text(instance, "00080018"))
        if sop_uid is None:
            continue
        yield RemoteObject(
            patient_id=_text(study, "00100020"),
            issuer=_text(study, "00100021"),
            study_uid=study_uid,
            study_date=_text(study, "00080020"),
            series_uid=series_uid,
            modality=_text(series, "00080060"),
            sop_uid=sop_uid,
            sop_class=_text(instance, "00080016"),
        )


def _text(document: Mapping[str, Any], tag: str) -> str:
    """Return the first value of an element of a DICOM JSON document as text, "" without (PS3.18 annex F)."""
    values = document.get(tag, {}).get("Value") or [""]
    return str(values[0]).strip()

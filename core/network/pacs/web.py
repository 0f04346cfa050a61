"""A PACS asked by DICOMweb: QIDO-RS for what it has, WADO-RS for the objects, each as the PACS keeps it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any
from urllib.parse import quote

import requests
from dicomweb_client import DICOMwebClient
from requests.adapters import HTTPAdapter
from requests.auth import HTTPBasicAuth

from core.logs import log_of
from core.network.multipart import NotReadable, Parts
from core.network.pacs.remote import PacsFailed, RemoteObject, is_wanted, query_of
from core.network.peek import uid
from core.network.tls import peer_certificates
from core.settings import Settings

__all__ = ["WebPacs"]

log = log_of(__name__)

_CONNECT_SECONDS, _SILENT_SECONDS = 10.0, 60.0
_CHUNK_BYTES = 1 << 16
_PAGE = 100
"""How many answers are asked for at once."""
_STUDY, _SERIES, _INSTANCE = "0020000D", "0020000E", "00080018"
"""Where the UID of each stands in an answer."""
_AS_KEPT = 'multipart/related; type="application/dicom"; transfer-syntax=*'
"""Without the parameter a PACS unpacks what it has (PS3.18 8.7.3.5.2)."""


_PLAIN_IN_QUERIES = {f"%{ord(character):02X}": character for character in "?/:@!$'()*,;"}


class _Patiently(HTTPAdapter):
    """Asks with an end to its patience, which `requests` has not by itself, and in the plainest words.

    What may stand in a query as it is (RFC 3986, 3.4) does: some archives take an escaped sign for another one.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self._believed, self._shown = peer_certificates(settings)

    def send(self, request: Any, **options: Any) -> Any:  # type: ignore[override]
        """Send a request."""
        path, mark, query = str(request.url).partition("?")
        for escaped, plain in _PLAIN_IN_QUERIES.items():
            query = query.replace(escaped, plain)
        request.url = path + mark + query
        options["cert"] = self._shown
        if self._believed is not True:
            # Said here: of a session `requests` takes it only where REQUESTS_CA_BUNDLE is not set.
            options["verify"] = self._believed
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
            self._session.mount(scheme, _Patiently(settings))
        self._session.auth = _credentials(settings)

    def search(self, mrn: str, modalities: Sequence[str]) -> Iterator[RemoteObject]:
        """Yield the objects of these modalities that it has under an MRN."""
        with self._telling():
            client = DICOMwebClient(self._url, session=self._session)
            client.set_http_retry_params(retry=False)
            studies = partial(
                client.search_for_studies,
                search_filters={"PatientID": query_of(mrn)},
                fields=["PatientID", "IssuerOfPatientID", "StudyDate", "StudyDescription"],
            )
            for study in every(studies, _STUDY):
                fields = ["Modality", "BodyPartExamined", "SeriesDescription"]
                series = partial(client.search_for_series, _text(study, _STUDY), fields=fields)
                for one in every(series, _SERIES):
                    modality, part, of_series = (
                        _text(one, tag) for tag in ("00080060", "00180015", "0008103E")
                    )
                    described = of_series, _text(study, "00081030")
                    if is_wanted(modality, part, described, modalities=modalities):
                        yield from _objects(client, study, one)

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
            lacks = (
                " Check LONGVIEW_PACS_TOKEN, or LONGVIEW_PACS_USER and LONGVIEW_PACS_PASSWORD."
                if status in (401, 403)
                else ""
            )
            raise PacsFailed(f"The PACS {self.name} refuses the question (HTTP {status}).{lacks}") from error
        except requests.exceptions.SSLError as error:
            raise PacsFailed(
                f"The PACS {self.name} cannot be reached over TLS. Check that LONGVIEW_TLS_CA signed its certificate, which "
                "names the host in LONGVIEW_PACS_URL, and that it knows LONGVIEW_TLS_CERTIFICATE."
            ) from error
        except requests.RequestException as error:
            raise PacsFailed(
                f"The PACS {self.name} cannot be reached. Check that it runs, then repeat."
            ) from error
        except (NotReadable, KeyError, TypeError, ValueError) as error:
            raise PacsFailed(
                f"The PACS {self.name} answers in a way that is no DICOMweb. Check LONGVIEW_PACS_URL."
            ) from error


def every(search: Callable[..., list[Mapping[str, Any]]], key: str) -> Iterator[Mapping[str, Any]]:
    """Yield all that a search finds, page by page (PS3.18 8.3.4.4), each once by its UID, which stands under `key`.

    A PACS may give fewer at once than it is asked for, so only a page with nothing new in it is the last one: an empty
    one, or the first one again from a PACS that knows no pages.
    """
    seen: set[str] = set()
    offset = 0
    while page := search(limit=_PAGE, offset=offset):
        new = [one for one in page if _text(one, key) not in seen]
        if not new:
            return
        seen.update(_text(one, key) for one in new)
        yield from new
        offset += len(page)


def _credentials(settings: Settings) -> requests.auth.AuthBase | None:
    if settings.pacs_token is not None:
        return _Bearer(settings.pacs_token.get_secret_value())
    if settings.pacs_user is not None:
        password = settings.pacs_password.get_secret_value() if settings.pacs_password else ""
        return HTTPBasicAuth(settings.pacs_user.encode(), password.encode())
    return None


class _Bearer(requests.auth.AuthBase):
    """A token as an authority gave it (RFC 6750); `requests` lets go of it where it is sent on to another host."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Add it to a request."""
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


def _objects(
    client: DICOMwebClient, study: Mapping[str, Any], series: Mapping[str, Any]
) -> Iterator[RemoteObject]:
    study_uid, series_uid = _text(study, _STUDY), _text(series, _SERIES)
    for instance in every(partial(client.search_for_instances, study_uid, series_uid), _INSTANCE):
        sop_uid = uid(_text(instance, _INSTANCE))
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

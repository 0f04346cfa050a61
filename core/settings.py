"""Typed settings: every value can be set by an environment variable ``LONGVIEW_…`` or in a `.env` file."""

import ipaddress
from functools import cached_property
from pathlib import Path
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from db.images import StoreUnavailable, bucket_of
from db.tables import Role

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Settings(BaseSettings):
    """What one installation is set to. All it keeps lies under `home`."""

    model_config = SettingsConfigDict(env_prefix="LONGVIEW_", env_file=".env", extra="ignore")

    home: Path = Field(default=Path("var"), description="Folder with database, images, quarantine and logs.")
    database_url: str | None = Field(default=None, description="SQLAlchemy URL; default: SQLite in `home`.")
    image_store: str | None = Field(
        default=None, description="s3://bucket/prefix for images and quarantine; default: folders in `home`."
    )
    queue_url: str | None = Field(default=None, description="The database's URL, or unset: it is the queue.")
    model: str = Field(default="longitudinal-sim", description="Name of the model that speaks.")
    address: str = Field(default="127.0.0.1", description="Address the dashboard listens at.")
    port: int = Field(default=8501, gt=0, lt=65536, description="Port the dashboard listens at.")
    trusted_proxies: str = Field(
        default="",
        description="Addresses or networks of the proxies in front, several by commas: only from them X-Forwarded-For and "
        "-Proto are believed. Unset: from nobody.",
    )
    demo: bool = Field(
        default=False,
        description="Let the demo accounts sign in on this machine; `core up --demo` sets it for what it starts.",
    )
    read_first: bool = Field(
        default=True,
        description="Cover the scores of an unread study on the pages until its assessment is recorded.",
    )
    cohort_smallest_group: int = Field(
        default=5, ge=1, description="Women that a group must have for the cohort page to tell of it."
    )
    deidentify_incoming: bool = Field(
        default=False,
        description="De-identify every file before anything of it is stored; to be set before the first study comes in.",
    )
    api_calls_a_minute: int = Field(
        default=600,
        gt=0,
        description="Calls of the HTTP API that one token may make in a minute, by each web process.",
    )
    session_hours: float = Field(
        default=12.0, gt=0, description="How long a sign-in lasts, whatever is done in it."
    )
    idle_minutes: float = Field(
        default=30.0, gt=0, description="How long a sign-in lasts in which nobody does anything."
    )
    second_factor: str = Field(
        default="",
        description="Roles that sign in with a second factor, several by commas: admin,oncologist; others may.",
    )
    second_factor_key_file: Path | None = Field(
        default=None,
        description="File with the key that second factors are kept under; default: made in `home`. In no backup.",
    )
    oidc_issuer: str | None = Field(
        default=None,
        description="Address of the hospital's own sign-in (OpenID Connect); unset: people sign in here only.",
    )
    oidc_client_id: str | None = Field(default=None, description="What Longview is called there.")
    oidc_client_secret: SecretStr | None = Field(
        default=None, description="Its secret there; or OIDC_CLIENT_SECRET_FILE."
    )
    oidc_client_secret_file: Path | None = Field(
        default=None, description="File with the secret, for its owner alone."
    )
    oidc_scopes: str = Field(default="openid profile email", description="What is asked of it, by spaces.")
    oidc_role_claim: str = Field(
        default="roles", description="Claim that says a person's roles or groups; a.b for one within another."
    )
    oidc_roles: str = Field(
        default="",
        description="Which value of it is which role here, the first that fits: lv-admins=admin,radiology=oncologist.",
    )
    oidc_name: str = Field(
        default="your hospital", description="What the sign-in page calls it: Sign in with …."
    )
    oidc_only: bool = Field(
        default=False, description="Let nobody but admins sign in with a password that is kept here."
    )
    max_file_mb: int = Field(default=200, gt=0, description="Largest file that is read.")
    max_pixels: int = Field(
        default=60_000_000, gt=0, description="Most pixels of one image (rows x columns)."
    )
    reader_memory_mb: int = Field(
        default=1500, gt=0, description="Memory limit of the process that decodes files."
    )
    reader_seconds: float = Field(default=30.0, gt=0, description="Time limit for decoding one file.")

    listen_port: int | None = Field(
        default=None,
        gt=0,
        lt=65536,
        description="Port at which studies are received from the DICOM network; unset: `core up` receives none.",
    )
    listen_address: str = Field(default="127.0.0.1", description="Address the DICOM port is opened at.")
    listen_aet: str = Field(default="LONGVIEW", description="AE title of this installation.")
    listen_callers: str = Field(
        default="*@127.0.0.0/8,*@::1",
        description="Who may send: AETITLE@ADDRESS or AETITLE@NETWORK/BITS, with :PORT where it listens itself; "
        "several by commas, * for any AE title.",
    )
    listen_seconds: float = Field(
        default=60.0, gt=0, description="How long a sender may be silent before it is cut off."
    )
    listen_associations: int = Field(default=8, gt=0, description="Most senders at once.")
    listen_tls: bool = Field(
        default=False, description="Receive over TLS only; senders need a certificate where TLS_CA is set."
    )
    tls_certificate: Path | None = Field(
        default=None,
        description="PEM file with this installation's certificate for the DICOM network and the PACS, its chain behind it.",
    )
    tls_key: Path | None = Field(
        default=None, description="PEM file with the certificate's key, without a password."
    )
    tls_ca: Path | None = Field(
        default=None,
        description="PEM file with the authorities that sign senders' certificates and the PACS's; unset: the machine's own.",
    )
    pacs_url: str | None = Field(
        default=None, description="DICOMweb address of the PACS that priors are fetched from (QIDO, WADO)."
    )
    pacs_token: SecretStr | None = Field(default=None, description="Bearer token for the PACS's DICOMweb.")
    pacs_user: str | None = Field(
        default=None, description="User for the PACS's DICOMweb, with PACS_PASSWORD (basic authentication)."
    )
    pacs_password: SecretStr | None = Field(default=None, description="Password for the PACS's DICOMweb.")
    pacs_aet: str | None = Field(
        default=None, description="AE title of the PACS, where priors are fetched by C-FIND."
    )
    pacs_host: str | None = Field(default=None, description="Address of the PACS's DICOM port.")
    pacs_port: int = Field(default=104, gt=0, lt=65536, description="The PACS's DICOM port.")
    pacs_retrieve: Literal["get", "move"] = Field(
        default="get",
        description="How the PACS hands priors over after C-FIND: on the same connection (get), or to LISTEN_PORT (move).",
    )
    pacs_tls: bool = Field(
        default=False,
        description="Ask the PACS's DICOM port over TLS; PACS_HOST is the name in its certificate.",
    )
    pacs_modalities: str = Field(
        default="MG,US,MR", description="Modalities of the priors that are fetched, several by commas."
    )

    @model_validator(mode="after")
    def _images_are_kept_where_they_can_be(self) -> Self:
        if self.image_store:
            try:
                bucket_of(self.image_store)
            except StoreUnavailable as error:
                raise ValueError(f"LONGVIEW_IMAGE_STORE cannot be met: {error}") from error
        return self

    @model_validator(mode="after")
    def _queue_is_the_database(self) -> Self:
        if self.queue_url and self.queue_url != self.url:
            raise ValueError(
                "LONGVIEW_QUEUE_URL names no queue of Longview: the studies in the database are the queue, which all "
                "workers share that have the same LONGVIEW_DATABASE_URL. Unset LONGVIEW_QUEUE_URL."
            )
        return self

    @model_validator(mode="after")
    def _roles_are_known(self) -> Self:
        try:
            _ = self.second_factor_roles
        except ValueError as error:
            raise ValueError(
                f"LONGVIEW_SECOND_FACTOR is {self.second_factor!r}: it names roles, several by commas, of "
                f"{', '.join(Role)}."
            ) from error
        return self

    @model_validator(mode="after")
    def _outside_is_whole(self) -> Self:
        if self.oidc_issuer is None:
            return self
        try:
            address = urlsplit(self.oidc_issuer)
            host = address.hostname or ""
        except ValueError:
            address, host = urlsplit(""), ""
        if not host or (address.scheme != "https" and host not in {"localhost", "127.0.0.1", "::1"}):
            raise ValueError(
                f"LONGVIEW_OIDC_ISSUER is {self.oidc_issuer!r}: it is an address that begins with https://."
            )
        if not self.oidc_client_id:
            raise ValueError(
                "LONGVIEW_OIDC_ISSUER needs LONGVIEW_OIDC_CLIENT_ID: what Longview is called there."
            )
        try:
            roles = self.roles_outside
        except ValueError:
            roles = ()
        if not roles:
            raise ValueError(
                f"LONGVIEW_OIDC_ROLES is {self.oidc_roles!r}: it says which role there is which here, as "
                f"lv-admins=admin,radiology=oncologist. Roles here are {', '.join(Role)}."
            )
        return self

    @cached_property
    def roles_outside(self) -> tuple[tuple[str, Role], ...]:
        """Return which value of the claim is which role here, the first that fits first; raises `ValueError`."""
        pairs = (pair.rpartition("=") for pair in self.oidc_roles.split(",") if pair.strip())
        return tuple((value.strip(), Role(role.strip())) for value, _, role in pairs)

    @cached_property
    def second_factor_roles(self) -> frozenset[Role]:
        """Return the roles that sign in with a second factor."""
        return frozenset(Role(name.strip()) for name in self.second_factor.split(",") if name.strip())

    @field_validator("trusted_proxies")
    @classmethod
    def _proxies_are_networks(cls, named: str) -> str:
        _networks(named)
        return named

    @cached_property
    def proxies(self) -> tuple[Network, ...]:
        """Return the networks whose word on where a request came from is believed."""
        return _networks(self.trusted_proxies)

    @cached_property
    def root(self) -> Path:
        """Return `home` as an absolute path."""
        return self.home.expanduser().resolve()

    @property
    def url(self) -> str:
        """Return the database URL in force."""
        return self.database_url or f"sqlite:///{self.root / 'longview.db'}"


def _networks(named: str) -> tuple[Network, ...]:
    try:
        return tuple(ipaddress.ip_network(one.strip()) for one in named.split(",") if one.strip())
    except ValueError as error:
        raise ValueError(
            f"{error}. LONGVIEW_TRUSTED_PROXIES names the proxies like 127.0.0.1, 10.0.4.0/24, fd00::7."
        ) from None

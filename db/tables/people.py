"""Who may come in, how, and what a person has kept for herself."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    ForeignKey,
    Index,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from db.tables.columns import Base, String, Text, utc_now
from db.tables.kinds import Role


class User(Base):
    """A person with an account here. The password is kept as an argon2id hash.

    `demo` marks an account of the demo that still has its published password, or had it when it was closed for good.
    `granted` holds what an admin lets her do beside her role (`core.people.roles.Permission`). `password_to_change` says
    that somebody else chose her password. `totp_secret` is sealed (`core.people.second_factor`), `totp_step` the time step
    of the last code that was taken. `subject` names a person whom the hospital's own sign-in answers for, and who has no
    password here.
    """

    __tablename__ = "user"

    id: Mapped[int] = mapped_column(primary_key=True)
    username: Mapped[str] = mapped_column(String(64), unique=True)
    display_name: Mapped[str] = mapped_column(String(128))
    password_hash: Mapped[str] = mapped_column(String(256))
    role: Mapped[Role]
    active: Mapped[bool] = mapped_column(default=True)
    demo: Mapped[bool] = mapped_column(default=False)
    granted: Mapped[list[Any]] = mapped_column(default=list)
    password_to_change: Mapped[bool] = mapped_column(default=False)
    totp_secret: Mapped[str | None] = mapped_column(Text)
    totp_step: Mapped[int | None] = mapped_column(BigInteger)
    subject: Mapped[str | None] = mapped_column(String(512), unique=True, index=True)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)


class RecoveryCode(Base):
    """A code that stands once for the second factor of a person who has lost hers: its sha256, never the code itself."""

    __tablename__ = "recovery_code"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"), index=True)
    code_sha256: Mapped[str] = mapped_column(String(64))


class KnownBrowser(Base):
    """A browser in which a person has signed in: the sha256 of what its cookie holds for that, never that itself."""

    __tablename__ = "known_browser"

    token_sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"), primary_key=True)
    signed_in_at: Mapped[datetime] = mapped_column(default=utc_now)


class SignIn(Base):
    """A signed-in browser: the sha256 of its cookie's token, never the token itself.

    `lacks` is what the person has still to do before it opens anything (`core.people.steps.Step`), `offer` the sealed
    second factor that she is setting up meanwhile. `seen_at` is when she did something last; `browser` is told in words.
    `session_outside` is what the hospital's own sign-in calls her session there, `linking_until` until when it may say whose
    account this is (`core.people.linking`).
    """

    __tablename__ = "sign_in"

    token_sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    expires_at: Mapped[datetime]
    seen_at: Mapped[datetime] = mapped_column(default=utc_now)
    address: Mapped[str | None] = mapped_column(String(64))
    browser: Mapped[str | None] = mapped_column(String(64))
    lacks: Mapped[str | None] = mapped_column(String(16))
    offer: Mapped[str | None] = mapped_column(Text)
    session_outside: Mapped[str | None] = mapped_column(String(255))
    linking_until: Mapped[datetime | None]

    user: Mapped[User] = relationship()


class SignOutSeen(Base):
    """A word of the hospital's own sign-in that somebody was signed out there, which was heard: it is heard once."""

    __tablename__ = "sign_out_seen"

    word_sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    until: Mapped[datetime]


class ServiceToken(Base):
    """What a program shows in the place of a sign-in: the sha256 of its token, never the token itself.

    `permissions` are what it may do (`core.people.roles.Permission`). One that has ended stays, with `revoked_at`.
    """

    __tablename__ = "service_token"
    __table_args__ = (Index("ix_service_token_name", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(64))
    token_sha256: Mapped[str] = mapped_column(String(64), unique=True)
    permissions: Mapped[list[Any]] = mapped_column(default=list)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    expires_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class PersonalToken(Base):
    """What a program shows to act for a person (`core.people.own_tokens`): the sha256 of its token, never the token itself.

    `scopes` are what of her rights it may use (`core.people.own_tokens.Scope`). One that was ended stays, with `ended_at`.
    """

    __tablename__ = "personal_token"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"), index=True)
    label: Mapped[str] = mapped_column(String(64))
    token_sha256: Mapped[str] = mapped_column(String(64), unique=True)
    scopes: Mapped[list[Any]] = mapped_column(default=list)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    expires_at: Mapped[datetime]
    last_used_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]


class OnceRequest(Base):
    """A change that a program asked for under an idempotency key, and how it was answered; no answer while it is at work.

    `request_sha256` is of its method, address and body: the same key with another request is refused.
    """

    __tablename__ = "once_request"

    user_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"), primary_key=True)
    key: Mapped[str] = mapped_column(String(128), primary_key=True)
    request_sha256: Mapped[str] = mapped_column(String(64))
    status: Mapped[int | None]
    answer: Mapped[dict[str, Any]] = mapped_column(default=dict)
    begun_at: Mapped[datetime] = mapped_column(default=utc_now, index=True)


class ApiJob(Base):
    """Long work that a program asked for, and what came of it; `seen_at` moves while a process is at it.

    An act that a program can take back is a row too, of a kind of its own.
    """

    __tablename__ = "api_job"

    key: Mapped[str] = mapped_column(String(32), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"), index=True)
    kind: Mapped[str] = mapped_column(String(32))
    state: Mapped[str] = mapped_column(String(16))
    result: Mapped[dict[str, Any]] = mapped_column(default=dict)
    begun_at: Mapped[datetime] = mapped_column(default=utc_now)
    seen_at: Mapped[datetime] = mapped_column(default=utc_now)
    ended_at: Mapped[datetime | None]


class SavedView(Base):
    """A worklist that a person has named: `address` holds its search, group, filters and order as the page's address does."""

    __tablename__ = "saved_view"
    __table_args__ = (UniqueConstraint("user_id", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(64))
    address: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = mapped_column(default=utc_now)


class SavedCohort(Base):
    """A cohort that a person has named: its definition as JSON (`core.cohorts.Definition`); `shared` shows it to all analysts.

    `key` is what a link says in its place.
    """

    __tablename__ = "saved_cohort"
    __table_args__ = (UniqueConstraint("user_id", "name"), UniqueConstraint("key"))

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(32))
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(64))
    definition: Mapped[dict[str, Any]]
    shared: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)


class AskedCohort(Base):
    """A definition of a cohort that a person was shown (`core.cohorts.asked`); `user_id` is null for the command line.

    `source` names the table that the women came as, empty for those stored here. `definition` is JSON as text, keys in order.
    """

    __tablename__ = "asked_cohort"
    __table_args__ = (Index("ix_asked_cohort_user_id_source", "user_id", "source", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"))
    source: Mapped[str] = mapped_column(String(64))
    definition: Mapped[str] = mapped_column(Text)
    asked_at: Mapped[datetime] = mapped_column(default=utc_now)


class SignInAttempt(Base):
    """One try to sign in, written before its password is looked at: until it has succeeded it counts as failed.

    `name_sha256` is of the name as it was typed, whether there is such an account or not: people type passwords into
    that field too. `address` is the client's, or its network's; null where there is none. `familiar` says that this name
    had been signed in from this address before, or in this browser; then `browser_sha256` is of the known one's token.
    """

    __tablename__ = "sign_in_attempt"
    __table_args__ = (
        Index("ix_sign_in_attempt_name", "name_sha256", "at"),
        Index("ix_sign_in_attempt_address", "address", "at"),
        Index("ix_sign_in_attempt_at", "at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(default=utc_now)
    name_sha256: Mapped[str] = mapped_column(String(64))
    address: Mapped[str | None] = mapped_column(String(64))
    browser_sha256: Mapped[str | None] = mapped_column(String(64))
    familiar: Mapped[bool] = mapped_column(default=False)
    succeeded: Mapped[bool] = mapped_column(default=False)

"""Keep tries to sign in as rows of their own, and know the accounts of the demo by a mark.

What was counted on the account itself (failures, lock) goes: a lock lasts an hour at most. An account is marked as one
of the demo if it has the name and still the password that are published for it.

Revision: 0004, after 0003.
"""

import sqlalchemy as sa
from alembic import op
from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

PUBLISHED = {name: f"longview-demo-{name}" for name in ("oncologist", "staff", "analyst", "admin")}


def upgrade() -> None:
    op.create_table(
        "sign_in_attempt",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.Column("name_sha256", sa.String(length=64), nullable=False),
        sa.Column("address", sa.String(length=64), nullable=True),
        sa.Column("familiar", sa.Boolean(), nullable=False),
        sa.Column("succeeded", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sign_in_attempt")),
    )
    op.create_index("ix_sign_in_attempt_name", "sign_in_attempt", ["name_sha256", "at"])
    op.create_index("ix_sign_in_attempt_address", "sign_in_attempt", ["address", "at"])
    op.create_index("ix_sign_in_attempt_at", "sign_in_attempt", ["at"])
    # Both engines change a table in place here; rebuilding it would lose SQLite's check of the role.
    op.add_column("user", sa.Column("demo", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.drop_column("user", "failed_sign_ins")
    op.drop_column("user", "locked_until")
    _mark_demo_accounts()


def downgrade() -> None:
    op.add_column("user", sa.Column("locked_until", sa.DateTime(), nullable=True))
    op.add_column("user", sa.Column("failed_sign_ins", sa.Integer(), nullable=False, server_default="0"))
    op.drop_column("user", "demo")
    op.drop_table("sign_in_attempt")


def _mark_demo_accounts() -> None:
    user = sa.table("user", *(sa.column(name) for name in ("id", "username", "password_hash", "demo")))
    connection = op.get_bind()
    found = connection.execute(
        sa.select(user.c.id, user.c.username, user.c.password_hash).where(user.c.username.in_(PUBLISHED))
    ).all()
    for number, username, password_hash in found:
        try:
            PasswordHasher().verify(password_hash, PUBLISHED[username])
        except (Argon2Error, InvalidHashError):
            continue
        connection.execute(sa.update(user).where(user.c.id == number).values(demo=sa.true()))

"""Second factors, passwords that somebody else chose, known browsers, sign-ins that say from where and when last.

Nobody has to change a password that she has, and whoever is signed in stays so: seen last as this runs.

Revision: 0030, after 0029.
"""

import sqlalchemy as sa
from alembic import op

from db.tables import UtcDateTime, utc_now

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # In place: rebuilding the table would lose SQLite's check of the role.
    op.add_column(
        "user", sa.Column("password_to_change", sa.Boolean(), nullable=False, server_default=sa.false())
    )
    op.add_column("user", sa.Column("totp_secret", sa.Text(), nullable=True))
    op.add_column("user", sa.Column("totp_step", sa.BigInteger(), nullable=True))
    op.add_column("user", sa.Column("subject", sa.String(512), nullable=True))
    op.create_index(op.f("ix_user_subject"), "user", ["subject"], unique=True)
    op.create_table(
        "recovery_code",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("code_sha256", sa.String(64), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["user.id"], name=op.f("fk_recovery_code_user_id_user"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recovery_code")),
    )
    op.create_index(op.f("ix_recovery_code_user_id"), "recovery_code", ["user_id"])
    op.create_table(
        "known_browser",
        sa.Column("token_sha256", sa.String(64), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("signed_in_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["user.id"], name=op.f("fk_known_browser_user_id_user"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("token_sha256", "user_id", name=op.f("pk_known_browser")),
    )
    with op.batch_alter_table("sign_in") as sign_in:
        sign_in.add_column(sa.Column("seen_at", sa.DateTime(), nullable=True))
        sign_in.add_column(sa.Column("address", sa.String(64), nullable=True))
        sign_in.add_column(sa.Column("browser", sa.String(64), nullable=True))
        sign_in.add_column(sa.Column("lacks", sa.String(16), nullable=True))
        sign_in.add_column(sa.Column("offer", sa.Text(), nullable=True))
    table = sa.table("sign_in", sa.column("seen_at", UtcDateTime()))
    op.execute(table.update().values(seen_at=utc_now()))
    with op.batch_alter_table("sign_in") as sign_in:
        sign_in.alter_column("seen_at", existing_type=sa.DateTime(), nullable=False)
    op.add_column("sign_in_attempt", sa.Column("browser_sha256", sa.String(64), nullable=True))


def downgrade() -> None:
    op.drop_column("sign_in_attempt", "browser_sha256")
    with op.batch_alter_table("sign_in") as sign_in:
        for name in ("offer", "lacks", "browser", "address", "seen_at"):
            sign_in.drop_column(name)
    op.drop_table("known_browser")
    op.drop_table("recovery_code")
    op.drop_index(op.f("ix_user_subject"), table_name="user")
    for name in ("subject", "totp_step", "totp_secret", "password_to_change"):
        op.drop_column("user", name)

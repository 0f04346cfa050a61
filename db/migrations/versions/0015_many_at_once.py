"""Files of watched folders that were answered are remembered, and tables of records that were taken in.

Revision: 0015, after 0014.
"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

OUTCOMES = ("accepted", "duplicate", "quarantined")


def upgrade() -> None:
    op.create_table(
        "watched_file",
        sa.Column("path_sha256", sa.String(64), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("changed_ns", sa.BigInteger(), nullable=False),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("answered_at", sa.DateTime(), nullable=False),
        sa.CheckConstraint(sa.column("outcome").in_(OUTCOMES), name=op.f("ck_watched_file_outcome")),
        sa.PrimaryKeyConstraint("path_sha256", name=op.f("pk_watched_file")),
    )
    op.create_table(
        "record_import",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("file_name", sa.String(256), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("made", sa.JSON(), nullable=False),
        sa.Column("imported_by_id", sa.Integer(), nullable=True),
        sa.Column("imported_at", sa.DateTime(), nullable=False),
        sa.Column("set_aside_at", sa.DateTime(), nullable=True),
        sa.Column("set_aside_by_id", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["imported_by_id"], ["user.id"], name=op.f("fk_record_import_imported_by_id_user")
        ),
        sa.ForeignKeyConstraint(
            ["set_aside_by_id"], ["user.id"], name=op.f("fk_record_import_set_aside_by_id_user")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_record_import")),
    )


def downgrade() -> None:
    op.drop_table("record_import")
    op.drop_table("watched_file")

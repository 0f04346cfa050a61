"""The analyst's rows are kept ready; every woman of before waits to be computed.

Revision: 0023, after 0021.
"""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "cohort_row",
        sa.Column("patient_id", sa.Integer(), nullable=False),
        sa.Column("basis", sa.String(16), nullable=False),
        sa.Column("change", sa.BigInteger(), nullable=False),
        sa.Column("woman", sa.LargeBinary(), nullable=False),
        sa.Column("visits", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["patient_id"], ["patient.id"], name=op.f("fk_cohort_row_patient_id_patient"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("patient_id", name=op.f("pk_cohort_row")),
    )
    op.create_index("ix_cohort_row_basis", "cohort_row", ["basis"])
    op.create_index("ix_cohort_row_change", "cohort_row", ["change"])
    op.create_table(
        "cohort_word",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("word", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cohort_word")),
        sa.UniqueConstraint("word", name=op.f("uq_cohort_word_word")),
    )
    op.create_table(
        "cohort_change",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cohort_change")),
    )
    op.execute("INSERT INTO cohort_change (id, number) VALUES (1, 0)")
    op.create_table(
        "stale_cohort_row",
        sa.Column("patient_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("patient_id", name=op.f("pk_stale_cohort_row")),
    )
    op.execute("INSERT INTO stale_cohort_row (patient_id) SELECT id FROM patient")


def downgrade() -> None:
    # They write to a table that goes; an earlier release sets its own when it starts.
    from db.stale import drop_triggers

    drop_triggers(op.get_bind())
    op.drop_table("stale_cohort_row")
    op.drop_table("cohort_change")
    op.drop_table("cohort_word")
    op.drop_index("ix_cohort_row_change", table_name="cohort_row")
    op.drop_index("ix_cohort_row_basis", table_name="cohort_row")
    op.drop_table("cohort_row")

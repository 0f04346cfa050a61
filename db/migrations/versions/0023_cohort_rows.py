"""The analyst's rows are kept ready, and every change of what is kept is numbered; all waits to be computed.

Revision: 0023, after 0022.
"""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "cohort_row",
        sa.Column("patient_id", sa.Integer(), nullable=False),
        sa.Column("basis", sa.String(16), nullable=False),
        sa.Column("written_in", sa.BigInteger(), nullable=False),
        sa.Column("woman", sa.LargeBinary(), nullable=False),
        sa.Column("visits", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["patient_id"], ["patient.id"], name=op.f("fk_cohort_row_patient_id_patient"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("patient_id", name=op.f("pk_cohort_row")),
    )
    op.create_index("ix_cohort_row_basis", "cohort_row", ["basis"])
    op.create_index("ix_cohort_row_written_in", "cohort_row", ["written_in"])
    op.create_table(
        "cohort_word",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("word", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cohort_word")),
        sa.UniqueConstraint("word", name=op.f("uq_cohort_word_word")),
    )
    op.create_table(
        "kept_change",
        sa.Column("kept_in", sa.String(32), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("kept_in", name=op.f("pk_kept_change")),
    )
    op.execute("INSERT INTO kept_change (kept_in, number) VALUES ('standing', 0), ('cohort_row', 0)")
    op.add_column("standing", sa.Column("written_in", sa.BigInteger(), server_default="0", nullable=False))
    op.create_index("ix_standing_written_in", "standing", ["written_in"])
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
    op.drop_index("ix_standing_written_in", table_name="standing")
    op.drop_column("standing", "written_in")
    op.drop_table("kept_change")
    op.drop_table("cohort_word")
    op.drop_index("ix_cohort_row_written_in", table_name="cohort_row")
    op.drop_index("ix_cohort_row_basis", table_name="cohort_row")
    op.drop_table("cohort_row")

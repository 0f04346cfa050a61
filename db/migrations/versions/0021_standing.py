"""Where a woman stands is kept ready for the worklist; every woman of before waits to be computed.

Revision: 0021, after 0020.
"""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "standing",
        sa.Column("patient_id", sa.Integer(), nullable=False),
        sa.Column("basis", sa.String(16), nullable=False),
        sa.Column("mrn", sa.String(64), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("search", sa.Text(), nullable=False),
        sa.Column("born", sa.Integer(), nullable=True),
        sa.Column("last_study", sa.Date(), nullable=True),
        sa.Column("refused", sa.Boolean(), nullable=False),
        sa.Column("pending", sa.Boolean(), nullable=False),
        sa.Column("risk", sa.Double(), nullable=True),
        sa.Column("band", sa.String(32), nullable=True),
        sa.Column("change", sa.Double(), nullable=True),
        sa.Column("slope", sa.Double(), nullable=True),
        sa.Column("density", sa.String(1), nullable=True),
        sa.Column("assessed_on", sa.Date(), nullable=True),
        sa.Column("alert_at", sa.DateTime(), nullable=True),
        sa.Column("urgency", sa.Double(), nullable=True),
        sa.Column("unread", sa.Boolean(), nullable=False),
        sa.Column("changed", sa.Boolean(), nullable=False),
        sa.Column("not_scored", sa.Boolean(), nullable=False),
        sa.Column("under_treatment", sa.Boolean(), nullable=False),
        sa.Column("diagnosed", sa.Boolean(), nullable=False),
        sa.Column("open_of", sa.Date(), nullable=True),
        sa.Column("open_due", sa.Date(), nullable=True),
        sa.Column("due_on", sa.Date(), nullable=True),
        sa.Column("due_from", sa.Date(), nullable=True),
        sa.Column("due_until", sa.Date(), nullable=True),
        sa.Column("overdue_from", sa.Date(), nullable=True),
        sa.ForeignKeyConstraint(
            ["patient_id"], ["patient.id"], name=op.f("fk_standing_patient_id_patient"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("patient_id", name=op.f("pk_standing")),
    )
    op.create_index("ix_standing_basis", "standing", ["basis"])
    op.create_table(
        "stale_standing",
        sa.Column("patient_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("patient_id", name=op.f("pk_stale_standing")),
    )
    op.execute("INSERT INTO stale_standing (patient_id) SELECT id FROM patient")


def downgrade() -> None:
    # Its triggers go with the tables on PostgreSQL only where they are taken away first.
    from db.stale import drop_triggers

    drop_triggers(op.get_bind())
    op.drop_table("stale_standing")
    op.drop_index("ix_standing_basis", table_name="standing")
    op.drop_table("standing")

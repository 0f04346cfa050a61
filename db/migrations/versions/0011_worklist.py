"""A biopsy has a result, an acknowledged alert a note, and a person worklists of her own; the trail is found by its subject.

Of biopsies and acknowledgements of earlier releases neither is known. The rule on a jump of the 2-year risk gave way to one
on the change of the 5-year risk, which renews or withdraws what that rule raised.

Revision: 0011, after 0010.
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

RESULTS = ("benign", "high-risk", "malignant", "inconclusive")


def upgrade() -> None:
    with op.batch_alter_table("event") as event:
        event.add_column(sa.Column("result", sa.String(16), nullable=True))
        event.create_check_constraint(op.f("ck_event_eventresult"), sa.column("result").in_(RESULTS))
    with op.batch_alter_table("alert") as alert:
        alert.add_column(sa.Column("acknowledgement", sa.Text(), nullable=True))
    op.execute("UPDATE alert SET rule = 'change' WHERE rule = 'risk_jump'")
    op.create_index("ix_audit_entry_subject", "audit_entry", ["subject", "action", "at"])
    op.create_table(
        "saved_view",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("address", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["user.id"], name=op.f("fk_saved_view_user_id_user"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_saved_view")),
        sa.UniqueConstraint("user_id", "name", name=op.f("uq_saved_view_user_id_name")),
    )


def downgrade() -> None:
    op.drop_table("saved_view")
    op.drop_index("ix_audit_entry_subject", table_name="audit_entry")
    op.execute("UPDATE alert SET rule = 'risk_jump' WHERE rule = 'change'")
    with op.batch_alter_table("alert") as alert:
        alert.drop_column("acknowledgement")
    with op.batch_alter_table("event") as event:
        event.drop_constraint(op.f("ck_event_eventresult"), type_="check")
        event.drop_column("result")

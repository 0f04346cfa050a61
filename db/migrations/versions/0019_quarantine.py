"""A file in quarantine is sent in again or set aside by a person; two patients who look alike may be said to be two.

Revision: 0019, after 0018.
"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

SETTLED = ("resubmitted", "set_aside")


def upgrade() -> None:
    op.create_index("ix_import_item_outcome", "import_item", ["outcome", "id"])
    op.create_table(
        "settled_item",
        sa.Column("item_id", sa.Integer(), nullable=False),
        sa.Column("how", sa.String(16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.Column("by_id", sa.Integer(), nullable=True),
        sa.CheckConstraint(sa.column("how").in_(SETTLED), name=op.f("ck_settled_item_settled")),
        sa.ForeignKeyConstraint(
            ["item_id"],
            ["import_item.id"],
            name=op.f("fk_settled_item_item_id_import_item"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["by_id"], ["user.id"], name=op.f("fk_settled_item_by_id_user")),
        sa.PrimaryKeyConstraint("item_id", name=op.f("pk_settled_item")),
    )
    op.create_table(
        "not_the_same",
        sa.Column("one_id", sa.Integer(), nullable=False),
        sa.Column("other_id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.Column("by_id", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["one_id"], ["patient.id"], name=op.f("fk_not_the_same_one_id_patient"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["other_id"], ["patient.id"], name=op.f("fk_not_the_same_other_id_patient"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["by_id"], ["user.id"], name=op.f("fk_not_the_same_by_id_user")),
        sa.PrimaryKeyConstraint("one_id", "other_id", name=op.f("pk_not_the_same")),
    )


def downgrade() -> None:
    op.drop_table("not_the_same")
    op.drop_table("settled_item")
    op.drop_index("ix_import_item_outcome", table_name="import_item")

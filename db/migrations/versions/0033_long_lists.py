"""Studies in the order of their days, and entries of the trail by how they ended, who was named and who did what: however many there are.

Revision: 0033, after 0032.
"""

from alembic import op

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(op.f("ix_study_date"), "study", ["study_date", "id", "put_away_by_id"])
    op.create_index(op.f("ix_audit_entry_outcome"), "audit_entry", ["outcome", "id"])
    op.create_index(op.f("ix_audit_entry_name"), "audit_entry", ["name", "id"])
    op.create_index(op.f("ix_audit_entry_user_action"), "audit_entry", ["user_id", "action", "id"])
    op.create_index(op.f("ix_audit_entry_user_outcome"), "audit_entry", ["user_id", "outcome", "id"])


def downgrade() -> None:
    op.drop_index(op.f("ix_audit_entry_user_outcome"), table_name="audit_entry")
    op.drop_index(op.f("ix_audit_entry_user_action"), table_name="audit_entry")
    op.drop_index(op.f("ix_audit_entry_name"), table_name="audit_entry")
    op.drop_index(op.f("ix_audit_entry_outcome"), table_name="audit_entry")
    op.drop_index(op.f("ix_study_date"), table_name="study")

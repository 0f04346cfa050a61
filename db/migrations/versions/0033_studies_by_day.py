"""Studies in the order of their days: archives list them so, however many there are.

Revision: 0033, after 0032.
"""

from alembic import op

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(op.f("ix_study_date"), "study", ["study_date", "id", "put_away_by_id"])


def downgrade() -> None:
    op.drop_index(op.f("ix_study_date"), table_name="study")

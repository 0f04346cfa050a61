"""A woman's standing has room for a density that a model says without telling two categories apart: C+D.

Revision: 0034, after 0033.
"""

import sqlalchemy as sa
from alembic import op

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("standing") as standing:
        standing.alter_column("density", existing_type=sa.String(1), type_=sa.String(3))


def downgrade() -> None:
    # Computed anew by the release that is gone back to; such a value has no room there.
    op.execute("UPDATE standing SET density = NULL WHERE length(density) > 1")
    with op.batch_alter_table("standing") as standing:
        standing.alter_column("density", existing_type=sa.String(3), type_=sa.String(1))

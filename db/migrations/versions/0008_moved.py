"""Each score keeps why it is another than the prior's.

Of scores of earlier releases it is not known; the worker says it with the next score of the study.

Revision: 0008, after 0007.
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("score") as score:
        score.add_column(sa.Column("moved", sa.JSON(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("score") as score:
        score.drop_column("moved")

"""Every probability has its interval, progression one of its own after a diagnosis, and a change its least size.

Of scores of earlier releases none of it is known; the worker says it with the next score of the study.

Revision: 0009, after 0008.
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

COLUMNS = (
    "malignancy_left_low",
    "malignancy_left_high",
    "malignancy_right_low",
    "malignancy_right_high",
    "progression_low",
    "progression_high",
    "progression_after",
    "progression_after_low",
    "progression_after_high",
    "smallest_change",
)


def upgrade() -> None:
    with op.batch_alter_table("score") as score:
        for name in COLUMNS:
            score.add_column(sa.Column(name, sa.Double(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("score") as score:
        for name in reversed(COLUMNS):
            score.drop_column(name)

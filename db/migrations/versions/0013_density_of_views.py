"""A score that is withheld keeps the density that a model of single views says of the study.

Of scores of earlier releases it is not known; the worker says it with the next score of the study.

Revision: 0013, after 0012.
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("score") as score:
        score.add_column(sa.Column("density_of_views", sa.JSON(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("score") as score:
        score.drop_column("density_of_views")

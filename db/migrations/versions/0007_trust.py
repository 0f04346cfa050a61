"""Each score keeps how far it may be believed.

Scores of earlier releases were made before it was asked: they are withheld until the worker has made them anew.

Revision: 0007, after 0006.
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("score") as score:
        score.add_column(sa.Column("trust_level", sa.String(16), nullable=False, server_default="withheld"))
        score.add_column(sa.Column("trust_doubt", sa.String(32), nullable=True))
        score.add_column(sa.Column("trust_distance", sa.Double(), nullable=True))
        score.add_column(sa.Column("trust_limit", sa.Double(), nullable=True))
        score.add_column(sa.Column("left_out", sa.JSON(), nullable=False, server_default="[]"))
    op.execute("UPDATE score SET trust_doubt = 'not_known'")


def downgrade() -> None:
    with op.batch_alter_table("score") as score:
        for name in ("left_out", "trust_limit", "trust_distance", "trust_doubt", "trust_level"):
            score.drop_column(name)

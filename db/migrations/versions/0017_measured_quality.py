"""An image keeps what was measured of how it was taken; of images of earlier releases `python -m core quality` measures it.

Revision: 0017, after 0016.
"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("image") as image:
        image.add_column(sa.Column("measured", sa.JSON(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("image") as image:
        image.drop_column("measured")

"""An image keeps by which reading of its file its pictures were made, so that a better one can make them anew.

Of images of earlier releases it is 0; the worker reads these again while nothing waits.

Revision: 0020, after 0019.
"""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("image") as image:
        image.add_column(sa.Column("reading", sa.Integer(), nullable=False, server_default="0"))


def downgrade() -> None:
    with op.batch_alter_table("image") as image:
        image.drop_column("reading")

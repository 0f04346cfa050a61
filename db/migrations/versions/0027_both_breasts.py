"""An image may show both breasts: magnetic resonance mostly does.

Revision: 0027, after 0026.
"""

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

_OF_A_VIEW, _OF_AN_IMAGE = "ck_image_laterality", "ck_image_imageside"


def upgrade() -> None:
    with op.batch_alter_table("image") as image:
        image.drop_constraint(op.f(_OF_A_VIEW), type_="check")
        image.create_check_constraint(op.f(_OF_AN_IMAGE), sa.text("laterality IN ('L', 'R', 'B')"))


def downgrade() -> None:
    # To the release before, such a picture is of one breast: it is read by no model either way.
    op.execute("UPDATE image SET laterality = 'L' WHERE laterality = 'B'")
    with op.batch_alter_table("image") as image:
        image.drop_constraint(op.f(_OF_AN_IMAGE), type_="check")
        image.create_check_constraint(op.f(_OF_A_VIEW), sa.text("laterality IN ('L', 'R')"))

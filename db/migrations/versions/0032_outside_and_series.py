"""What the hospital's own sign-in calls a session there, its words that were heard, and series and kind of object that an image's file names.

Revision: 0032, after 0031.
"""

import sqlalchemy as sa
from alembic import op

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("sign_in", sa.Column("session_outside", sa.String(255), nullable=True))
    op.add_column("sign_in", sa.Column("linking_until", sa.DateTime(), nullable=True))
    op.create_table(
        "sign_out_seen",
        sa.Column("word_sha256", sa.String(64), nullable=False),
        sa.Column("until", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("word_sha256", name=op.f("pk_sign_out_seen")),
    )
    op.add_column("image", sa.Column("series_uid", sa.String(64), nullable=True))
    op.add_column("image", sa.Column("sop_class_uid", sa.String(64), nullable=True))
    op.create_index(op.f("ix_image_series_uid"), "image", ["series_uid"])


def downgrade() -> None:
    op.drop_index(op.f("ix_image_series_uid"), table_name="image")
    op.drop_column("image", "sop_class_uid")
    op.drop_column("image", "series_uid")
    op.drop_table("sign_out_seen")
    op.drop_column("sign_in", "linking_until")
    op.drop_column("sign_in", "session_outside")

"""Files come from other machines: who sent a batch, which object a file was there, and tokens for programs.

Of files of earlier releases none came over the network.

Revision: 0016, after 0015.
"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("import_batch") as batch:
        batch.add_column(sa.Column("sender", sa.String(128), nullable=True))
    with op.batch_alter_table("import_item") as item:
        item.add_column(sa.Column("sop_uid", sa.String(64), nullable=True))
        item.create_index("ix_import_item_sop_uid", ["sop_uid"])
    op.create_table(
        "service_token",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("token_sha256", sa.String(64), nullable=False),
        sa.Column("permissions", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("expires_at", sa.DateTime(), nullable=True),
        sa.Column("last_used_at", sa.DateTime(), nullable=True),
        sa.Column("revoked_at", sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_service_token")),
        sa.UniqueConstraint("token_sha256", name=op.f("uq_service_token_token_sha256")),
    )
    op.create_index("ix_service_token_name", "service_token", ["name"])


def downgrade() -> None:
    op.drop_table("service_token")
    with op.batch_alter_table("import_item") as item:
        item.drop_index("ix_import_item_sop_uid")
        item.drop_column("sop_uid")
    with op.batch_alter_table("import_batch") as batch:
        batch.drop_column("sender")

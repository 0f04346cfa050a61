"""A lesion has a status, a note and a version; a measurement its axes, its view, where it was proposed from, and a way back.

Today's measurements are of the view that their image is now: nothing was corrected before.

Revision: 0012, after 0011.
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_STATUS = sa.Enum(
    "followed",
    "known_benign",
    "resolved",
    name="lesionstatus",
    native_enum=False,
    create_constraint=True,
    length=16,
)
_LESION = ("node", "organ", "status", "status_at", "status_by_id", "note", "version")
_MEASUREMENT = (
    "view_code", "short_mm", "axes", "proposed_by", "proposed_from_id", "removed_at", "removed_by_id",
)  # fmt: skip


def upgrade() -> None:
    with op.batch_alter_table("lesion") as lesion:
        lesion.add_column(sa.Column("node", sa.Boolean(), nullable=False, server_default=sa.false()))
        lesion.add_column(sa.Column("organ", sa.String(32), nullable=True))
        lesion.add_column(sa.Column("status", _STATUS, nullable=False, server_default="followed"))
        lesion.add_column(sa.Column("status_at", sa.DateTime(), nullable=True))
        lesion.add_column(sa.Column("status_by_id", sa.Integer(), nullable=True))
        lesion.add_column(sa.Column("note", sa.Text(), nullable=True))
        lesion.add_column(sa.Column("version", sa.Integer(), nullable=False, server_default="1"))
        lesion.create_foreign_key(op.f("fk_lesion_status_by_id_user"), "user", ["status_by_id"], ["id"])
    with op.batch_alter_table("measurement") as measurement:
        measurement.add_column(sa.Column("view_code", sa.String(16), nullable=True))
        measurement.add_column(sa.Column("short_mm", sa.Double(), nullable=True))
        measurement.add_column(sa.Column("axes", sa.JSON(), nullable=True))
        measurement.add_column(sa.Column("proposed_by", sa.String(16), nullable=True))
        measurement.add_column(sa.Column("proposed_from_id", sa.Integer(), nullable=True))
        measurement.add_column(sa.Column("removed_at", sa.DateTime(), nullable=True))
        measurement.add_column(sa.Column("removed_by_id", sa.Integer(), nullable=True))
        measurement.create_foreign_key(
            op.f("fk_measurement_proposed_from_id_measurement"),
            "measurement", ["proposed_from_id"], ["id"], ondelete="SET NULL",
        )  # fmt: skip
        measurement.create_foreign_key(
            op.f("fk_measurement_removed_by_id_user"), "user", ["removed_by_id"], ["id"]
        )
    op.execute(
        "UPDATE measurement SET view_code = ("
        "SELECT image.laterality || '-' || image.view FROM image WHERE image.id = measurement.image_id)"
    )


def downgrade() -> None:
    # The release before deletes what was taken back; it would show it otherwise.
    op.execute("DELETE FROM measurement WHERE removed_at IS NOT NULL")
    op.execute("DELETE FROM lesion WHERE NOT EXISTS (SELECT 1 FROM measurement WHERE lesion_id = lesion.id)")
    with op.batch_alter_table("measurement") as measurement:
        measurement.drop_constraint(op.f("fk_measurement_removed_by_id_user"), type_="foreignkey")
        measurement.drop_constraint(op.f("fk_measurement_proposed_from_id_measurement"), type_="foreignkey")
        for name in reversed(_MEASUREMENT):
            measurement.drop_column(name)
    with op.batch_alter_table("lesion") as lesion:
        lesion.drop_constraint(op.f("fk_lesion_status_by_id_user"), type_="foreignkey")
        lesion.drop_constraint(op.f("ck_lesion_lesionstatus"), type_="check")
        for name in reversed(_LESION):
            lesion.drop_column(name)

"""The audit trail says from where, how it ended and about whom, and is chained; entries of before are chained as they stand.

Revision: 0026, after 0025.
"""

import sqlalchemy as sa
from alembic import op

from db.chain import BEGINNING, digest_of
from db.tables import Document, UtcDateTime

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

_AT_ONCE = 2_000
_WHOSE = {
    "patient:": "SELECT id FROM patient WHERE mrn = :key",
    "study:": "SELECT patient_id FROM study WHERE uid = :key",
}


def upgrade() -> None:
    with op.batch_alter_table("audit_entry") as batch:
        batch.add_column(sa.Column("name", sa.String(128), nullable=True))
        batch.add_column(sa.Column("address", sa.String(64), nullable=True))
        batch.add_column(sa.Column("outcome", sa.String(16), nullable=True))
        batch.add_column(sa.Column("digest", sa.String(64), nullable=True))
    op.create_table(
        "audited_patient",
        sa.Column("entry_id", sa.Integer(), nullable=False),
        sa.Column("patient_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["entry_id"], ["audit_entry.id"], name=op.f("fk_audited_patient_entry_id_audit_entry")
        ),
        sa.PrimaryKeyConstraint("entry_id", "patient_id", name=op.f("pk_audited_patient")),
    )
    op.create_table(
        "audit_head",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("entry_id", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_head")),
    )
    _chain(op.get_bind())
    with op.batch_alter_table("audit_entry") as batch:
        batch.alter_column("outcome", existing_type=sa.String(16), nullable=False)
        batch.alter_column("digest", existing_type=sa.String(64), nullable=False)
    op.create_index("ix_audit_entry_user", "audit_entry", ["user_id", "id"])
    op.create_index("ix_audit_entry_action", "audit_entry", ["action", "id"])
    op.create_index("ix_audited_patient_patient", "audited_patient", ["patient_id", "entry_id"])


def _chain(connection: sa.Connection) -> None:
    trail = sa.table(
        "audit_entry",
        sa.column("id", sa.Integer()),
        sa.column("at", UtcDateTime()),
        sa.column("user_id", sa.Integer()),
        sa.column("action", sa.String()),
        sa.column("subject", sa.String()),
        sa.column("detail", Document()),
    )
    before, last = BEGINNING, -1
    while rows := connection.execute(
        sa.select(trail).where(trail.c.id > last).order_by(trail.c.id).limit(_AT_ONCE)
    ).all():
        filled, links = [], []
        for row in rows:
            patients = _about(connection, row.subject)
            said = dict(row._mapping) | {"name": None, "address": None, "outcome": "done"}
            before, last = digest_of(before, said, patients), row.id
            filled.append({"entry": row.id, "digest": before})
            links += [{"entry": row.id, "patient": one} for one in patients]
        connection.execute(
            sa.text("UPDATE audit_entry SET outcome = 'done', digest = :digest WHERE id = :entry"), filled
        )
        if links:
            connection.execute(sa.text("INSERT INTO audited_patient VALUES (:entry, :patient)"), links)
    if last > 0:
        connection.execute(
            sa.text("INSERT INTO audit_head VALUES (1, :entry, :digest)"), {"entry": last, "digest": before}
        )


def _about(connection: sa.Connection, subject: str | None) -> list[int]:
    for kind, query in _WHOSE.items():
        if subject is not None and subject.startswith(kind):
            return [*connection.execute(sa.text(query), {"key": subject.removeprefix(kind)}).scalars()]
    return []


def downgrade() -> None:
    op.drop_index("ix_audited_patient_patient", table_name="audited_patient")
    op.drop_table("audited_patient")
    op.drop_table("audit_head")
    op.drop_index("ix_audit_entry_action", table_name="audit_entry")
    op.drop_index("ix_audit_entry_user", table_name="audit_entry")
    with op.batch_alter_table("audit_entry") as batch:
        for name in ("digest", "outcome", "address", "name"):
            batch.drop_column(name)

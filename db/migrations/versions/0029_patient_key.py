"""A patient has a key that says nothing of her: what addresses carry in the place of her MRN.

Revision: 0029, after 0028.
"""

import secrets

import sqlalchemy as sa
from alembic import op

from db.stale import drop_triggers

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None

_AT_ONCE = 5_000


def upgrade() -> None:
    # SQLite makes the table anew, which the triggers speak of: they are set again when all steps are done.
    drop_triggers(op.get_bind())
    with op.batch_alter_table("patient") as batch:
        batch.add_column(sa.Column("key", sa.String(16), nullable=True))
    _give(op.get_bind())
    with op.batch_alter_table("patient") as batch:
        batch.alter_column("key", existing_type=sa.String(16), nullable=False)
        batch.create_unique_constraint(op.f("uq_patient_key"), ["key"])


def _give(connection: sa.Connection) -> None:
    patient = sa.table("patient", sa.column("id", sa.Integer()), sa.column("key", sa.String()))
    give = patient.update().where(patient.c.id == sa.bindparam("whose")).values(key=sa.bindparam("made"))
    after = 0
    while True:
        query = sa.select(patient.c.id).where(patient.c.id > after).order_by(patient.c.id).limit(_AT_ONCE)
        if not (ids := connection.scalars(query).all()):
            return
        connection.execute(give, [{"whose": one, "made": secrets.token_urlsafe(12)} for one in ids])
        after = ids[-1]


def downgrade() -> None:
    drop_triggers(op.get_bind())
    with op.batch_alter_table("patient") as batch:
        batch.drop_constraint(op.f("uq_patient_key"), type_="unique")
        batch.drop_column("key")

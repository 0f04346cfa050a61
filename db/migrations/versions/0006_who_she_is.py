"""Keep who gave a patient's MRN and her name in other scripts, and let her sex be unknown.

Revision: 0006, after 0005.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_SEX = sa.Enum("F", "M", "O", name="sex", native_enum=False, create_constraint=False, length=16)


def upgrade() -> None:
    with op.batch_alter_table("patient", schema=None) as batch_op:
        batch_op.add_column(sa.Column("mrn_issuer", sa.String(64), nullable=True))
        batch_op.add_column(sa.Column("other_names", sa.Text(), nullable=True))
        batch_op.alter_column("sex", existing_type=_SEX, nullable=True)


def downgrade() -> None:
    # The release before wrote F for every woman whose sex nobody had said.
    op.execute("UPDATE patient SET sex = 'F' WHERE sex IS NULL")
    with op.batch_alter_table("patient", schema=None) as batch_op:
        batch_op.alter_column("sex", existing_type=_SEX, nullable=False)
        batch_op.drop_column("other_names")
        batch_op.drop_column("mrn_issuer")

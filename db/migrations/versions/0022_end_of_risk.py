"""Death, mastectomy and contact become kinds of events: they say until when a woman was at risk, and known to be alive.

Revision: 0022, after 0021.
"""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

_BEFORE = ("biopsy", "diagnosis", "surgery", "therapy", "note")
_NOW = ("biopsy", "diagnosis", "surgery", "mastectomy", "therapy", "contact", "death", "note")


def upgrade() -> None:
    _allow(_NOW)


def downgrade() -> None:
    # The release before knows none of them: each becomes a note that says what it was.
    op.execute(
        "UPDATE event SET detail = CASE WHEN kind = 'mastectomy' THEN 'mastectomy ' || coalesce(laterality, 'both')"
        " ELSE kind END || CASE WHEN detail IS NULL THEN '' ELSE ': ' || detail END, kind = 'note'"
        " WHERE kind IN ('mastectomy', 'contact', 'death')"
    )
    _allow(_BEFORE)


def _allow(kinds: tuple[str, ...]) -> None:
    name = op.f("ck_event_eventkind")
    words = ", ".join(f"'{kind}'" for kind in kinds)
    with op.batch_alter_table("event") as event:
        event.drop_constraint(name, type_="check")
        event.create_check_constraint(name, sa.text(f"kind IN ({words})"))

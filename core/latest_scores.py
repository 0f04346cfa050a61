"""Which score of a study counts: the newest one by the model that speaks. Used by every page's query."""

from sqlalchemy import Select, func, select

from db.tables import Score


def latest_score_ids(model: str) -> Select[int]:
    """Return a query for the id of each study's newest score by `model`. Rows are only ever added, so ids rise."""
    return select(func.max(Score.id)).where(Score.model == model).group_by(Score.study_id)

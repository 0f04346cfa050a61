"""What is said of how pictures were taken, while they can still be taken again: in the table of files and at the check."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from core.incoming import Examined
from core.rules import MEASURED_FLAGS, Taken, ViewName, remarks_on_study
from core.rules.vocabulary import OTHER_KIND_FLAGS, flag_words
from dashboard import look


def taken(item: Examined, side: str | None, view: str | None) -> Taken:
    """Return a file as the criteria see it, with the side and view that are said of it by now."""
    other = [OTHER_KIND_FLAGS[view]] if view is not None and view in OTHER_KIND_FLAGS else []
    return Taken(side, view, [*other, *item.quality_flags], item.measured, item.spacing_mm, item.name)


def cell(item: Examined, *, usable: bool) -> str:
    """Return what stands in the table of files: what the file says of its kind, what was measured amiss, what to do."""
    (remarks,) = remarks_on_study([taken(item, item.laterality, item.view)])
    own = ", ".join(flag_words(flag) for flag in item.quality_flags if flag not in MEASURED_FLAGS)
    said = [look.safe(own)] if own else []
    said += [
        f'<b>{look.safe(remark.sentence)}</b><br><span class="lv-muted">{look.safe(remark.advice)}</span>'
        for remark in remarks
    ]
    return "<br>".join(said) or ("no remarks" if usable else look.UNKNOWN)


def remarks_at_check(usable: Sequence[Examined], stated: Mapping[str, tuple[str | None, str | None]]) -> str:
    """Return what is to be said of the pictures by the views that are stated now, one beside the other; "" if nothing."""
    found = remarks_on_study([taken(item, *stated[item.name]) for item in usable])
    lines = [
        f"<li><b>{look.safe(_named(item, stated))}</b> {look.safe(remark.sentence)}. "
        f'<span class="lv-muted">{look.safe(remark.advice)}</span></li>'
        for item, remarks in zip(usable, found, strict=True)
        for remark in remarks
    ]
    if not lines:
        return ""
    return (
        '<div class="lv-note alert"><b>Look at these once more while she is here.</b> They can be added all the same.'
        f"<ul>{''.join(lines)}</ul></div>"
    )


def _named(item: Examined, stated: Mapping[str, tuple[str | None, str | None]]) -> str:
    side, view = stated[item.name]
    return ViewName(side, view).words if side and view else item.name

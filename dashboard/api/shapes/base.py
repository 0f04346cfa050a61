"""What all shapes share."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["Next", "Shape", "Share"]

Share = Annotated[float, Field(ge=0, le=1)]
Next = Annotated[str | None, Field(description="Cursor of the next page; null on the last one.")]


class Shape(BaseModel):
    """A JSON object of this API."""

    model_config = ConfigDict(from_attributes=True)

"""What every part of the report has in common."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Part(BaseModel):
    """A value of the report; it holds nothing that its schema does not name."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Range(Part):
    """Low, typical and high of one quantity."""

    low: float
    typical: float
    high: float

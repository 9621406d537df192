"""Figures of which the field says what they count, and so their unit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

from spear_deploy.hardware.chip.figures import Count, Figure, Interval, Sizes


@dataclass(frozen=True)
class In:
    """Refuses a figure in another unit than a field's own."""

    unit: str

    def _checked(self, figure: Figure) -> Figure:
        if figure.unit != self.unit:
            raise ValueError(f"unknown unit '{figure.unit}'; valid: {self.unit}")
        return figure

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._checked, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {**handler(schema), "properties": {"unit": {"const": self.unit}}}


Chips = Annotated[Count, In("chips")]
Cores = Annotated[Count, In("cores")]
NeuronCount = Annotated[Count, In("neurons")]
Axons = Annotated[Count, In("axons")]
SynapseCount = Annotated[Count, In("synapses")]
Thresholds = Annotated[Count, In("thresholds")]
Decays = Annotated[Count, In("decays")]
Weights = Annotated[Count, In("weights")]
Channels = Annotated[Count, In("channels")]
Pixels = Annotated[Count, In("pixels")]
Routers = Annotated[Count, In("routers")]
PixelSizes = Annotated[Sizes, In("pixels")]
WordSizes = Annotated[Sizes, In("words")]
Steps = Annotated[Interval, In("steps")]
Integers = Annotated[Interval, In("integer")]

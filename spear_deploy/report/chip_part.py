"""The chip in the report: cores, energy and time, rounding of the weights."""

from __future__ import annotations

from pydantic import Field

from spear_deploy.hardware.cost.cost import NO_PRICE
from spear_deploy.report.part import Part, Range


class CoreReport(Part):
    """One core."""

    core: int
    layer: str
    neurons: int
    column: int | None = Field(description="of its router; null where the profile names no routers")
    row: int | None
    binding: str | None = Field(description="the resource that is used most; null where no limit is known")
    share: float | None = Field(description="used / allowed of that resource")


class LayerCoresReport(Part):
    """The cores of one layer."""

    layer: str
    cores: int
    neurons: int
    binding: str | None = Field(description="the resource that is used most on its fullest core")
    share: float | None = Field(description="used / allowed of it on the fullest core")
    mean_share: float | None = Field(description="mean over its cores of what each uses most")


class MeshReport(Part):
    """The routers of one chip; chips lie side by side."""

    columns: int
    rows: int
    cores_per_router: int


class PlacementReport(Part):
    """The pruned network on the cores."""

    cores: int
    cores_available: float | None = Field(description="null where unknown")
    chips: int
    verdict: str
    mesh: MeshReport | None
    per_layer: list[LayerCoresReport]
    core_table: list[CoreReport] = Field(description="the first cores, in the order of execution")
    needed: dict[str, int] = Field(
        default_factory=dict,
        description="cores that a layer needs, where it lies on more so that its busiest core does less",
    )
    cores_left_out: int = Field(description="cores that the table leaves out to stay readable")


class EnergyPartReport(Part):
    """One part of the energy of an inference."""

    name: str
    figures: list[str] = Field(description="the keys of its prices in the profile")
    count: float | None = Field(description="operations; chips x seconds or cores x seconds for static parts")
    energy_pj: Range | None = Field(description="null where it has no price, or cannot be counted")
    status: str = Field(description="of the least sure price: published, derived, estimated or unknown")
    at_least: bool = Field(description="whether a price is known as a minimum only")
    lacks: str = Field(NO_PRICE, description="what is not known of it where it has no energy")


class CostReport(Part):
    """What an inference costs on the chip, from the activity on the test split in its arithmetic."""

    steps: int
    energy_pj: Range | None = Field(description="null where a part has no price")
    priced_pj: Range | None = Field(description="the parts that have a price: less than the total where some have none")
    unpriced: list[str]
    energy_status: str = Field(description="of the least sure price")
    energy_at_least: bool
    parts: list[EnergyPartReport]
    synops_share: float | None = Field(description="share of SynOps in the typical energy")
    time_ns: Range | None
    time_status: str | None
    time_at_least: bool = Field(
        False, description="whether the time is a lower bound: one of it is known so, or not all"
    )


class RoundingReport(Part):
    """The weights of one connection in the chip's integers; errors are relative to the largest weight."""

    layer: str
    source: str
    scale: float = Field(description="k of the layer: a current i becomes k i")
    exponent: int = Field(description="a weight is mantissa * 2^exponent")
    weight_bits: int | None = Field(None, description="with sign")
    worst_error: float
    mean_error: float
    weights: int = Field(description="weights that were not zero")
    clipped: int
    vanished: int = Field(description="weights that became zero")
    headroom: float | None = Field(
        None,
        description="share of the membrane's range left free on the test split, before resets; negative: it saturated",
    )

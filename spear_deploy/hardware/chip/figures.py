"""A figure of a hardware profile: a value that knows its unit, how sure it is, and who says so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any, ClassVar, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    StrictBool,
    StrictFloat,
    StrictInt,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError

from spear_deploy.hardware.chip.spellings import AMBIGUOUS, SPELLINGS, product


class Status(StrEnum):
    """How a figure came to be."""

    MEASURED = "measured"
    PUBLISHED = "published"
    DERIVED = "derived"
    ESTIMATED = "estimated"
    UNKNOWN = "unknown"


class Basis(StrEnum):
    """What a figure was taken from."""

    SILICON = "silicon"
    SIMULATION = "simulation"
    VENDOR_DOCUMENT = "vendor document"
    PUBLICATION = "publication"
    TOOL_SOURCE = "tool source"
    ARITHMETIC = "arithmetic"
    ASSUMPTION = "assumption"


class Read(StrEnum):
    """How closely the source was read when the figure was written down."""

    SOURCE_CODE = "source code"
    DOCUMENT = "document"
    SECOND_HAND = "second hand"


class Bound(StrEnum):
    """Which side of the true value a figure lies on."""

    EXACT = "exact"
    TYPICAL = "typical"
    MINIMUM = "minimum"
    MAXIMUM = "maximum"


@dataclass(frozen=True)
class Spread:
    """Low, typical and high of one quantity, in the same unit."""

    low: float
    typical: float
    high: float


def _list_units(schema: dict[str, Any], figure: type[Any]) -> None:
    """Name the valid units in the JSON schema."""
    schema["properties"]["unit"]["enum"] = list(figure.units)


def _provenance_fault(given: Mapping[str, Any]) -> str:
    """What is wrong with a figure's status and source; empty where nothing is."""
    status, known = given.get("status"), given.get("value") is not None
    if status not in list(Status):
        return ""  # told already
    if status == Status.UNKNOWN:
        return "status is unknown, yet a value is given; give its source and another status" if known else ""
    if not known:
        return f"status is {status}, but no value is given; give a value or status 'unknown'"
    if status == Status.MEASURED and not (given.get("date") and given.get("instrument")):
        return "status is measured: give date and instrument too"
    if not str(given.get("source") or "").strip():
        return "no source; every figure needs one (or status 'unknown' and no value)"
    return ""


def _sourced(given: Mapping[str, Any]) -> dict[str, Any]:
    """The same figure where its status and source are beyond doubt."""
    return {**given, "status": "unknown" if given.get("value") is None else "estimated", "source": "any"}


def _as_told(each: ErrorDetails) -> InitErrorDetails:
    told = PydanticCustomError(each["type"], "{said}", {"said": each["msg"]})
    loc = () if each["type"] == "value_error" else each["loc"]  # such a message names what is wrong
    return InitErrorDetails(type=told, loc=loc, input=each["input"])


class Figure(BaseModel):
    """What every figure carries.

    A figure without a source is refused unless its status is unknown; an unknown figure holds no value.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", json_schema_extra=_list_units)

    value: Any = None
    unit: str = Field(description="unit of the value; the field decides which are valid")
    status: Status
    basis: Basis | None = None
    read: Read | None = Field(None, description="how closely the source was read")
    bound: Bound = Bound.EXACT
    source: str | None = Field(None, description="who says so: publication and place, file and line, or arithmetic")
    quote: str | None = Field(None, description="the source's own words")
    operating_point: str | None = None
    date: str | None = Field(None, description="of a measurement of one's own, such as 2026-05-01")
    instrument: str | None = Field(None, description="what a measurement of one's own was made with")
    note: str | None = None

    units: ClassVar[Mapping[str, float]] = MappingProxyType({})

    @field_validator("unit", mode="before")
    @classmethod
    def _spelled_as_known(cls, unit: object) -> object:
        return SPELLINGS.get(unit, unit) if isinstance(unit, str) else unit

    @field_validator("unit")
    @classmethod
    def _known_unit(cls, unit: str) -> str:
        if unit in AMBIGUOUS and unit not in cls.units:
            raise ValueError(f"unit '{unit}' may mean {AMBIGUOUS[unit]}")
        if unit not in cls.units:
            raise ValueError(f"unknown unit '{unit}'; valid: {', '.join(cls.units)}")
        return unit

    @model_validator(mode="wrap")
    @classmethod
    def _every_fault(cls, given: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        """Where it is said to come from is held to as well where single values are at fault."""
        fault = _provenance_fault(given) if isinstance(given, Mapping) else ""
        found: list[InitErrorDetails] = []
        try:
            if not fault:
                return handler(given)
            cls.model_validate(_sourced(given))
        except ValidationError as error:
            found = [_as_told(each) for each in error.errors(include_url=False)]
        if fault:
            found.append(_as_told(ErrorDetails(type="value_error", loc=(), msg=fault, input=given)))
        raise ValidationError.from_exception_data(cls.__name__, found)

    @property
    def known(self) -> bool:
        """Whether there is a value at all."""
        return self.value is not None


class Quantity(Figure):
    """A number that is not negative, or a range of one (low, typical = value, high)."""

    value: StrictFloat | None = None
    low: StrictFloat | None = None
    high: StrictFloat | None = None

    @field_validator("value", "low", "high")
    @classmethod
    def _not_negative(cls, number: float | None, info: ValidationInfo) -> float | None:
        if number is not None and not 0 <= number < float("inf"):
            raise ValueError(f"{info.field_name} must be a number from 0 on, found {number:g}")
        return number

    @model_validator(mode="after")
    def _check_range(self) -> Self:
        if self.value is not None:
            low, high = self.low, self.high
            if (low is not None and low > self.value) or (high is not None and high < self.value):
                ends = [("low", low), ("value", self.value), ("high", high)]
                given = ", ".join(f"{key} {end:g}" for key, end in ends if end is not None)
                raise ValueError(f"low <= value <= high does not hold: {given}")
        elif self.low is not None or self.high is not None:
            raise ValueError("low or high is given without a value; the value is the typical one")
        return self

    @property
    def amount(self) -> float:
        """The value in the field's base unit."""
        if self.value is None:
            raise ValueError("an unknown figure has no amount")
        return product(self.value, self.units[self.unit])

    @property
    def spread(self) -> Spread:
        """Low, typical and high in the field's base unit; a figure without a range is all three."""
        worth = self.units[self.unit]
        amount = self.amount
        low = amount if self.low is None else product(self.low, worth)
        high = amount if self.high is None else product(self.high, worth)
        return Spread(low, amount, high)


class Whole(Quantity):
    """A quantity that comes in whole numbers."""

    @model_validator(mode="after")
    def _check_whole(self) -> Self:
        for key in ("value", "low", "high"):
            number = getattr(self, key)
            if number is not None and number != int(number):
                raise ValueError(f"{key} must be a whole number, found {number:g}")
        return self


class Count(Whole):
    """A number of things; the field says of which."""

    units: ClassVar[Mapping[str, float]] = MappingProxyType(
        dict.fromkeys(
            (
                *("chips", "cores", "neurons", "axons", "synapses", "thresholds", "decays"),
                *("channels", "pixels", "routers", "weights"),
            ),
            1.0,
        )
    )


class Memory(Quantity):
    """An amount of memory; base unit byte."""

    units: ClassVar[Mapping[str, float]] = MappingProxyType(
        {"bit": 0.125, "B": 1.0, "kB": 1e3, "MB": 1e6, "KiB": 1024.0, "MiB": 1024.0**2}
    )


class Bits(Whole):
    """The width of a number."""

    units: ClassVar[Mapping[str, float]] = MappingProxyType({"bit": 1.0})


class Energy(Quantity):
    """Energy of one operation; base unit picojoule."""

    units: ClassVar[Mapping[str, float]] = MappingProxyType({"fJ": 1e-3, "pJ": 1.0, "nJ": 1e3, "uJ": 1e6})


class Time(Quantity):
    """Time of one operation; base unit nanosecond."""

    units: ClassVar[Mapping[str, float]] = MappingProxyType({"ps": 1e-3, "ns": 1.0, "us": 1e3, "ms": 1e6, "s": 1e9})


class TimeCurve(Figure):
    """A time that depends on a number: pairs of the two, in rising order; base unit nanosecond."""

    value: tuple[tuple[float, float], ...] | None = None
    units: ClassVar[Mapping[str, float]] = Time.units

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        if self.value is not None:
            at = [number for number, _ in self.value]
            finite = all(0 <= each < float("inf") for pair in self.value for each in pair)
            if not at or not finite or at != sorted(set(at)):
                raise ValueError("pairs of a number and a time, the numbers rising, none negative or without end")
        return self

    @property
    def amounts(self) -> tuple[tuple[float, float], ...]:
        """The pairs, their times in the base unit; none of an unknown figure."""
        return tuple((at, product(time, self.units[self.unit])) for at, time in self.value or ())

    def amount_at(self, number: float) -> float:
        """The time at a number in the base unit, linear between pairs and level beyond them."""
        if self.value is None:
            raise ValueError("an unknown figure has no amount")
        numbers, times = zip(*self.amounts, strict=True)
        import numpy as np  # profiles are listed without

        return float(np.interp(number, numbers, times))


class Power(Quantity):
    """Power; base unit milliwatt."""

    units: ClassVar[Mapping[str, float]] = MappingProxyType({"uW": 1e-3, "mW": 1.0, "W": 1e3})


class Rate(Quantity):
    """Operations in a second; base unit one per second."""

    units: ClassVar[Mapping[str, float]] = MappingProxyType({"1/s": 1.0, "M/s": 1e6, "G/s": 1e9, "Hz": 1.0, "MHz": 1e6})


class Sizes(Figure):
    """The numbers that are allowed, or the memory of each core, in order."""

    value: tuple[StrictInt, ...] | None = None
    units: ClassVar[Mapping[str, float]] = MappingProxyType({"pixels": 1.0, "words": 1.0})

    @field_validator("value")
    @classmethod
    def _not_negative(cls, sizes: tuple[int, ...] | None) -> tuple[int, ...] | None:
        if sizes is not None and min(sizes, default=0) < 0:
            raise ValueError(f"sizes must be from 0 on, found {list(sizes)}")
        return sizes


class Interval(Figure):
    """From the first to the second integer, both allowed."""

    value: tuple[StrictInt, StrictInt] | None = None
    units: ClassVar[Mapping[str, float]] = MappingProxyType({"steps": 1.0, "integer": 1.0})

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        if self.value is not None and self.value[0] > self.value[1]:
            raise ValueError(f"the first number must not exceed the second, found {list(self.value)}")
        return self


class Choice(Figure):
    """The names that are allowed."""

    value: tuple[str, ...] | None = None
    units: ClassVar[Mapping[str, float]] = MappingProxyType({"names": 1.0})


class Flag(Figure):
    """Yes or no."""

    value: StrictBool | None = None
    units: ClassVar[Mapping[str, float]] = MappingProxyType({"yes or no": 1.0})


class Name(Figure):
    """One name out of those that the field knows."""

    value: str | None = None
    units: ClassVar[Mapping[str, float]] = MappingProxyType({"name": 1.0})

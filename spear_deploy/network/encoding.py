"""How samples become time steps, as a model file names it: `direct`, `rate`, `latency:tau=5,normalize`."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, ClassVar

from spear_deploy.errors import ModelError, quoted


@dataclass(frozen=True)
class LatencySettings:
    """Of one spike for each value x, the larger the earlier, as snnTorch's `spikegen.latency` has them.

        step = tau * log(x / (x - threshold)), or -tau * (x - 1) where `linear`;  then rounded

    Attributes:
        threshold: values below it spike as late as it does.
        tau: steps by which a spike is late.
        first_spike_time: the earliest step.
        normalize: stretch steps so that the latest spike is in the last one; `tau` then does not matter.
        linear: the linear form.
        clip: values below the threshold do not spike.

    """

    threshold: float = 0.01
    tau: float = 1.0
    first_spike_time: int = 0
    normalize: bool = False
    linear: bool = False
    clip: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.threshold < 1:
            raise ModelError(f"encoding latency: threshold must lie between 0 and 1, found {self.threshold:g}")
        if not 0 < self.tau < float("inf"):
            raise ModelError(f"encoding latency: tau must be above 0, found {self.tau:g}")
        if self.first_spike_time < 0:
            raise ModelError(f"encoding latency: first_spike_time must be 0 or more, found {self.first_spike_time}")


@dataclass(frozen=True)
class DeltaSettings:
    """Of spikes where a value rises from one step to the next, as snnTorch's `spikegen.delta` has them.

    Attributes:
        threshold: a rise that is a spike.
        padding: nothing rises in the first step, instead of all from 0.
        off_spike: a fall by the threshold is a spike of -1, which makes inputs values.

    """

    threshold: float = 0.1
    padding: bool = False
    off_spike: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.threshold < float("inf"):
            raise ModelError(f"encoding delta: threshold must be above 0, found {self.threshold:g}")


Settings = LatencySettings | DeltaSettings


class Encoding(str):
    """How a sample becomes a sequence of time steps: a name, with settings where it has some.

    DIRECT: values, shown in every step. RATE: values in [0, 1], as Bernoulli spikes. SPIKES: 0 and 1 in
    each step. SEQUENCE: values that change over time. COUNTS: events in each step, 0, 1, 2, ...
    CLIPPED: the same, any number of events being one spike. LATENCY: values in [0, 1], as one spike each, the
    larger the earlier (`latency:tau=5,linear`). DELTA: values that change over time, as spikes where they rise
    (`delta:threshold=0.2`).

    It is the text that names it, with those settings that are not as by default: two that mean the same are equal.

    Raises:
        ModelError: no such encoding or setting, or a setting of another kind.

    """

    __slots__ = ()

    DIRECT: ClassVar[Encoding]
    RATE: ClassVar[Encoding]
    SPIKES: ClassVar[Encoding]
    SEQUENCE: ClassVar[Encoding]
    COUNTS: ClassVar[Encoding]
    CLIPPED: ClassVar[Encoding]
    LATENCY: ClassVar[Encoding]
    DELTA: ClassVar[Encoding]

    def __new__(cls, text: str) -> Encoding:
        """Read `name` or `name:key=value,flag`."""
        return super().__new__(cls, _plain(_read(text)))

    @property
    def kind(self) -> str:
        """Its name, without settings."""
        return self.partition(":")[0]

    @property
    def settings(self) -> Settings | None:
        """Of latency and delta; the others have none."""
        return _read(self)[1]

    @property
    def static(self) -> bool:
        """Whether every step sees the same."""
        return self == Encoding.DIRECT

    @property
    def analog(self) -> bool:
        """Whether inputs hold values besides 0 and 1."""
        settings = self.settings
        falls = isinstance(settings, DeltaSettings) and settings.off_spike
        return falls or self in (Encoding.DIRECT, Encoding.SEQUENCE, Encoding.COUNTS)

    @property
    def timed(self) -> bool:
        """Whether samples have a time axis of their own, `[T, *input_shape]`."""
        return self.kind not in ("direct", "rate", "latency")


_SETTINGS: dict[str, type[Settings] | None] = {
    "direct": None,
    "rate": None,
    "spikes": None,
    "sequence": None,
    "counts": None,
    "clipped": None,
    "latency": LatencySettings,
    "delta": DeltaSettings,
}

ENCODINGS = tuple(_SETTINGS)
"""Names of all encodings."""

_KINDS = {"float": float, "int": int}


def _read(text: str) -> tuple[str, Settings | None]:
    if not isinstance(text, str):
        raise ModelError(f"an encoding is a text, found {type(text).__name__}")
    name, _, given = text.partition(":")
    if name not in _SETTINGS:
        raise ModelError(f"{quoted(text)}: no such encoding; known: {', '.join(ENCODINGS)}")
    kind = _SETTINGS[name]
    parts = [part.strip() for part in given.split(",") if part.strip()]
    if kind is None:
        if parts:
            raise ModelError(f"encoding {name} has no settings, found {quoted(given)}")
        return name, None
    given_settings: dict[str, Any] = dict(_setting(name, kind, part) for part in parts)
    return name, kind(**given_settings)


def _setting(name: str, kind: type[Settings], part: str) -> tuple[str, Any]:
    key, equals, value = (each.strip() for each in part.partition("="))
    kinds = {each.name: str(each.type) for each in fields(kind)}
    if key not in kinds:
        raise ModelError(f"encoding {name}: no setting {quoted(key)}; known: {', '.join(kinds)}")
    if kinds[key] == "bool":
        if equals and value.lower() not in ("true", "false"):
            raise ModelError(f"encoding {name}: {key} is a switch: it is there or not, found {quoted(part)}")
        return key, value.lower() != "false"
    try:
        return key, _KINDS[kinds[key]](value)
    except ValueError:
        wanted = "a whole number" if kinds[key] == "int" else "a number"
        raise ModelError(f"encoding {name}: {key} is {wanted}, found {quoted(part)}") from None


def _plain(read: tuple[str, Settings | None]) -> str:
    name, settings = read
    if settings is None:
        return name
    usual = type(settings)()
    changed = {
        each.name: value
        for each in fields(settings)
        if (value := getattr(settings, each.name)) != getattr(usual, each.name)
    }
    parts = [key if value is True else f"{key}={value!r}".removesuffix(".0") for key, value in changed.items()]
    return f"{name}:{','.join(parts)}" if parts else name


for _name in ENCODINGS:
    setattr(Encoding, _name.upper(), Encoding(_name))

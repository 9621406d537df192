"""Design rules: small checks of a network against a chip, each with a name and a way to mend."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from spear_deploy.hardware.chip.figures import Choice, Figure, Quantity, Sizes
from spear_deploy.hardware.chip.profile import Profile
from spear_deploy.hardware.rules.finding import Finding, Kind
from spear_deploy.network import Network


@dataclass(frozen=True)
class Subject:
    """What rules look at.

    Attributes:
        network: the network.
        profile: the chip.
        analog_input: whether the inputs are values instead of spikes.

    """

    network: Network
    profile: Profile
    analog_input: bool


Check = Callable[[Subject], Iterator[Finding]]


@dataclass(frozen=True)
class Rule:
    """A named check.

    Attributes:
        name: what it is about.
        checks: one sentence for the reader.
        run: yields a finding for every violation.

    """

    name: str
    checks: str
    run: Check


RULES: dict[str, Rule] = {}
"""Every design rule by its name, in the order of registration."""


def rule(name: str) -> Callable[[Check], Check]:
    """Register a check as a design rule; its docstring says what it checks."""

    def register(check: Check) -> Check:
        RULES[name] = Rule(name, (check.__doc__ or "").strip().splitlines()[0], check)
        return check

    return register


def violations(subject: Subject) -> list[Finding]:
    """What every rule finds, all at once."""
    return [finding for each in RULES.values() for finding in each.run(subject)]


def wall(
    name: str,
    node: str | None,
    found: str,
    allowed: str,
    mend: str,
    figure: Figure | None,
    keep: float | None = None,
    converting: str = "",
    used: float | None = None,
) -> Finding:
    """A violation of a rule that nothing but another network or chip mends; `keep` where pruning does.

    `converting` goes on from `mend` where a conversion does too; `used` is how much is needed of a quantity.
    """
    amounts = (used, figure.amount, figure.unit) if used is not None and isinstance(figure, Quantity) else None
    source = source_of(figure)
    return Finding(name, Kind.WALL, node, found, allowed, mend + converting, source, keep, converting, amounts)


def source_of(figure: Figure | None) -> str:
    """Where the limit comes from."""
    return "" if figure is None or figure.source is None else figure.source


def most(figure: Quantity | None) -> float:
    """What a limit allows; everything where there is none or it is unknown."""
    return figure.amount if figure is not None and figure.known else float("inf")


def one_of(figure: Sizes | Choice | None, value: int | str) -> bool:
    """Whether a value is among the allowed ones, or there is no limit."""
    return figure is None or figure.value is None or value in figure.value


def listed(figure: Sizes | Choice | None) -> str:
    """The allowed values, in words."""
    values = () if figure is None or figure.value is None else figure.value
    numbers = [value for value in values if isinstance(value, int)]
    if len(numbers) > 2 and numbers == list(range(numbers[0], numbers[-1] + 1)):
        return f"{numbers[0]} to {numbers[-1]}"
    return ", ".join(map(str, values))

"""The networks, budgets and chips that fronts are searched for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from benchmarks.deep import CIFAR10_FOLDER, TRAINED, deep
from benchmarks.evidence.searched import Searchable, Searched, searched
from benchmarks.evidence.settings import MNIST_FOLDER, digits, mnist, mnist_deep
from spear_deploy.hardware import OnChip, load_profile, parse_budget, structural_uses
from spear_deploy.search import SearchProblem
from spear_deploy.search.structure import StructuralLimits
from spear_deploy.system.journal import Journal

Value = TypeVar("Value")

BUDGETS = (0.7, 0.5, 0.35, 0.25, 0.17, 0.12)
"""Shares of the dense SynOps, about equally far apart in the logarithm."""

UNBOUND: Mapping[str, tuple[str, ...]] = {"no chip": ()}
PARTS: Mapping[str, tuple[str, ...]] = {
    "loihi2": (),
    "48 KiB of it": ("synapse-memory=48KiB",),
    "20 KiB of it": ("synapse-memory=20KiB",),
}
"""A Loihi 2, and what others leave of one: the digits' dense network takes 92 KiB of synapse memory."""
CORES: Mapping[str, tuple[str, ...]] = {
    "loihi2": (),
    "24 cores of it": ("cores=24",),
    "20 cores of it": ("cores=20",),
}
"""The same for the deep networks, of which vgg10 takes 45 cores and sew-resnet 33."""


@dataclass(frozen=True)
class Case:
    """Networks that fronts are searched for.

    Attributes:
        title: what the page calls it.
        made: from the folder of its data; None for where it is by itself.
        chips: limits on the structure of a network on a Loihi 2, by what the page calls them.
        budgets: shares of the dense SynOps on each of them.

    """

    title: str
    made: Callable[[Path | None], Searchable]
    chips: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: UNBOUND)
    budgets: tuple[float, ...] = BUDGETS

    @property
    def pairs(self) -> int:
        """Of budget and chip."""
        return len(self.budgets) * len(self.chips)

    def named(self, chip: str, share: float) -> str:
        """A pair, in raw figures."""
        return str(share) if self.chips is UNBOUND else f"{chip}, {share}"

    @property
    def columns(self) -> list[str]:
        """Of the table: budgets, or chips where there are several."""
        return [f"{share:.0%}" for share in self.budgets] if self.chips is UNBOUND else list(self.chips)

    def row(self, best: Mapping[str, float]) -> list[float]:
        """The figures of a front by these columns, those of a chip the mean over its budgets."""
        if self.chips is UNBOUND:
            return [best[self.named("", share)] for share in self.budgets]
        return [float(np.mean([best[self.named(chip, share)] for share in self.budgets])) for chip in self.chips]


def _of_digits(source: Path | None) -> Searchable:
    return digits()


def _deep(name: str) -> Case:
    return Case(f"CIFAR-10, {name}", lambda source: deep(name, source or CIFAR10_FOLDER))


def _deep_on_chips(name: str) -> Case:
    return replace(_deep(name), title=f"CIFAR-10, {name} on three chips", chips=CORES)


CASES: dict[str, Case] = {
    "digits": Case("Digits, three groups of channels", _of_digits),
    "mnist": Case("MNIST, three groups of channels", lambda source: mnist(source or MNIST_FOLDER)),
    "mnist-deep": Case("MNIST, six groups of channels", lambda source: mnist_deep(source or MNIST_FOLDER)),
    "digits-2": Case("Digits, two budgets", _of_digits, budgets=(0.5, 0.17)),
    "digits-chips": Case("Digits on three chips", _of_digits, PARTS),
    **{name: _deep(name) for name in TRAINED},
    **{f"{name}-chips": _deep_on_chips(name) for name in TRAINED},
}
ONE_CHIP = CASES["digits"]


@dataclass(frozen=True)
class Kept(Journal):
    """Answers in memory for all searches of one process: accuracy and prediction do not depend on the budget."""

    known: dict[tuple[Any, ...], Any] = field(default_factory=dict)

    def within(self, *scope: str | float | None) -> Kept:
        return self

    def remember(self, kind: type[Value], what: str, *key: str | float | None, make: Callable[[], Value]) -> Value:
        if (what, *key) not in self.known:
            self.known[what, *key] = make()
        found: Value = self.known[what, *key]
        return found


@cache
def kept(setting: Searchable) -> Kept:
    """What is known of a network's candidates."""
    return Kept()


Pairs = Mapping[tuple[str, float], SearchProblem]
"""By chip and share of the dense SynOps."""


def given(setting: Searchable) -> Searched:
    """Candidates, estimator and splits of a network, for all its fronts."""
    return searched(setting, "spear+", "log-line")


def problems(setting: Searchable, case: Case) -> Pairs:
    """One for each pair of chip and budget; they share the dense network and what is known of its candidates."""
    shared, known = given(setting), kept(setting)
    dense = shared.factory.dense.synops
    structural = {
        chip: (lambda network: ()) if case.chips is UNBOUND else _structural(limits)
        for chip, limits in case.chips.items()
    }
    return {
        (chip, share): SearchProblem(
            shared.factory, shared.estimator, share * dense, each, shared.validation, journal=known
        )
        for chip, each in structural.items()
        for share in case.budgets
    }


def _structural(limits: tuple[str, ...]) -> StructuralLimits:
    """What a network uses of a Loihi 2 and of these limits."""
    chip, parsed = load_profile("loihi2"), [parse_budget(limit) for limit in limits]
    return lambda network: structural_uses(OnChip(network, chip), parsed)

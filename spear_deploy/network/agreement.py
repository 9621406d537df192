"""Whether two runs of one network agree: every layer's output, in every step of every sample.

The one comparer of the package. Who calls it says what may differ: how far a membrane may lie off,
and where a spike may fall either way.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

Outputs = Mapping[str, Tensor]
"""By neuron layer, what it sent `[T, B, *shape]`: spikes, or the membrane of a layer that does not spike."""

Ties = Callable[[], Mapping[str, Tensor]]
"""By layer, where a spike may fall either way `[T, B, *shape]` (bool), as the membrane is within rounding of its
threshold. Asked only where something differs."""


@dataclass(frozen=True)
class Tolerance:
    """What two runs may differ in and still agree.

    Attributes:
        membrane: how far a membrane may lie off, relative to the largest of its layer.
        ties: where a spike may fall either way; None: every spike has its place.

    """

    membrane: float = 0.0
    ties: Ties | None = None


EXACT = Tolerance()
"""Integers: nothing may differ."""

FLOAT64 = Tolerance(membrane=1e-9)
"""Sums in another order, over the steps of an inference, in double precision."""


@dataclass(frozen=True)
class Place:
    """An output: of a neuron (its number in the flattened layer), in a time step of a sample."""

    layer: str
    step: int
    sample: int
    neuron: int


@dataclass(frozen=True)
class LayerAgreement:
    """One neuron layer in both runs.

    Attributes:
        spikes: of each over all samples; 0 for a layer that does not spike.
        differing: outputs that differ beyond the tolerance and follow from no tie.
        first: the earliest of those; None where there are none.
        ties: outputs that differ because the membrane stands at the threshold.

    """

    spikes: tuple[int, int]
    differing: int
    first: Place | None
    ties: int = 0

    @property
    def count_error_percent(self) -> float | None:
        """How many more spikes the second has; None where the first has none and the second has."""
        first, second = self.spikes
        if not first:
            return None if second else 0.0
        return 100.0 * (second - first) / first

    def followed_by(self, later: LayerAgreement) -> LayerAgreement:
        """Both together, where `later` are later samples."""
        places = [place for place in (self.first, later.first) if place is not None]
        return LayerAgreement(
            (self.spikes[0] + later.spikes[0], self.spikes[1] + later.spikes[1]),
            self.differing + later.differing,
            min(places, key=lambda place: (place.step, place.sample, place.neuron), default=None),
            self.ties + later.ties,
        )


@dataclass(frozen=True)
class Agreement:
    """Two runs of one network on the same samples.

    Attributes:
        samples: how many.
        layers: in the order of execution.
        only_in_one: layers that one of the two does not hold.
        after_ties: samples that are not compared, because a tie changed them.

    """

    samples: int
    layers: Mapping[str, LayerAgreement] = field(default_factory=dict)
    only_in_one: tuple[str, ...] = ()
    after_ties: int = 0

    @property
    def equal(self) -> bool:
        """Whether something was compared and nothing differs, but by the tolerance."""
        return bool(self.layers) and not self.only_in_one and self.first_difference is None

    @property
    def first_difference(self) -> Place | None:
        """Where they first differ: in the first layer that does, its earliest step."""
        return next((layer.first for layer in self.layers.values() if layer.first is not None), None)

    @property
    def spikes(self) -> int:
        """Spikes of all layers in the first run."""
        return sum(layer.spikes[0] for layer in self.layers.values())

    @property
    def ties(self) -> int:
        """Ties of all layers."""
        return sum(layer.ties for layer in self.layers.values())

    @property
    def fault(self) -> str:
        """Where they differ, in one line; empty where they agree."""
        if self.only_in_one:
            return f"layers {', '.join(self.only_in_one)} are not in both"
        place = self.first_difference
        if place is None:
            return "" if self.equal else "nothing was compared"
        differing = [layer for layer in self.layers.values() if layer.differing]
        return (
            f"{place.layer}: {self.layers[place.layer].differing:,} outputs differ, first in time step {place.step}"
            f" of sample {place.sample}; {len(differing)} of {len(self.layers)} layers differ"
        )

    def followed_by(self, later: Agreement) -> Agreement:
        """Both together, where `later` are later samples of the same runs."""
        return Agreement(
            self.samples + later.samples,
            {name: layer.followed_by(later.layers[name]) for name, layer in self.layers.items()},
            self.only_in_one,
            self.after_ties + later.after_ties,
        )


def agreement(
    a: Outputs, b: Outputs, tolerance: Tolerance = EXACT, *, membranes: Collection[str] = (), start: int = 0
) -> Agreement:
    """Hold two runs of a network against each other.

    A difference may be a tie only where it is the first of its sample; nothing later in that
    sample can be compared. A layer that is silent in one run and not in the other differs, ties or not.

    Args:
        a: the run that is right by definition; its largest membrane is the measure.
        b: the other, its layers in any order.
        tolerance: what may differ.
        membranes: layers that send their membrane; all others send spikes, of which only whether they are 0 counts.
        start: the number of the first sample, where batches follow each other.

    Raises:
        ValueError: the outputs of a layer have different shapes.

    """
    only_in_one = tuple(sorted(set(a) ^ set(b)))
    samples = next((output.shape[1] for output in a.values()), 0)
    if only_in_one:
        return Agreement(samples, only_in_one=only_in_one)
    wrong = {layer: _differences(layer, a[layer], b[layer], tolerance, layer in membranes) for layer in a}
    counted = torch.ones(samples, dtype=torch.bool)
    ties = dict.fromkeys(a, 0)
    if tolerance.ties is not None and any(bool(each.any()) for each in wrong.values()):
        spiking = {layer for layer in a if bool(a[layer].any()) == bool(b[layer].any())}
        either = {layer: where for layer, where in tolerance.ties().items() if layer in spiking}
        counted, ties = _ties(wrong, either, samples)
    found = {}
    for layer, differs in wrong.items():
        remaining = differs if bool(counted.all()) else differs & counted.reshape(1, -1, *(1,) * (differs.ndim - 2))
        count = int(remaining.sum())
        spikes = (0, 0) if layer in membranes else (int((a[layer] != 0).sum()), int((b[layer] != 0).sum()))
        found[layer] = LayerAgreement(spikes, count, _first(layer, remaining, start) if count else None, ties[layer])
    return Agreement(samples, found, after_ties=int((~counted).sum()))


def _differences(layer: str, a: Tensor, b: Tensor, tolerance: Tolerance, membrane: bool) -> Tensor:
    if a.shape != b.shape:
        raise ValueError(f"{layer}: outputs {list(b.shape)} are held against {list(a.shape)}")
    if not membrane:
        return (a != 0).cpu() != (b != 0).cpu()
    a, b = a.cpu().double(), b.cpu().double()
    largest = float(a.abs().max()) if a.numel() else 0.0
    allowed = tolerance.membrane * largest if largest < float("inf") else 0.0
    return ~((a - b).abs() <= allowed)  # what is no number agrees with nothing


def _ties(wrong: Mapping[str, Tensor], either: Mapping[str, Tensor], samples: int) -> tuple[Tensor, dict[str, int]]:
    """Which samples no tie changed `[B]`, and the ties of each layer."""
    layers = list(wrong)
    counted = torch.ones(samples, dtype=torch.bool)
    ties = dict.fromkeys(layers, 0)
    by_step = torch.stack([wrong[layer].flatten(2).any(2) for layer in layers])  # [layer, T, B]
    for sample in torch.nonzero(by_step.flatten(0, 1).any(0)).flatten().tolist():
        step = int(by_step[:, :, sample].any(0).nonzero()[0])
        layer = layers[int(by_step[:, step, sample].nonzero()[0])]
        where = wrong[layer][step, sample]
        if layer in either and bool(either[layer][step, sample][where].all()):
            ties[layer] += int(where.sum())
            counted[sample] = False
    return counted, ties


def _first(layer: str, wrong: Tensor, start: int) -> Place:
    step, sample, neuron = (int(number) for number in wrong.flatten(2).nonzero()[0])
    return Place(layer, step, sample + start, neuron)

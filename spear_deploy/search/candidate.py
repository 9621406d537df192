"""From keep ratios to a network and what is known of it before fine-tuning."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import nir
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spear_deploy.data import EncodedSplit, drawn
from spear_deploy.hardware import Activity, activity_of
from spear_deploy.measure import Measurement, measure_outputs, measure_split, most_synops, synops_from
from spear_deploy.network import Model, Network, Simulation, batches, samples_at_once
from spear_deploy.network.sharing import shared_weights
from spear_deploy.network.unchanging import unchanging
from spear_deploy.pruning import (
    ANY_WIDTH,
    Widths,
    channel_groups,
    channels_kept,
    choose_channels,
    kept_by_layer,
    prune,
)
from spear_deploy.training import CurrentStatistics, current_statistics, recalibrate, taught

Ratios = NDArray[np.float64]
"""Keep ratios, one for each prunable group in the order of the network, `[G]`."""

PROBE_SAMPLES = 256
"""Training samples that currents are matched and SynOps counted on, in one pass (more did not help)."""

RECORDED_SAMPLES = 32
"""Samples whose spikes are kept step by step: what LRE's samples hold stays small, and times follow from them."""


@dataclass(frozen=True)
class Features:
    """What an estimator may know of a pruned network before it is fine-tuned.

    Of a factory that does not recalibrate, `recalibrated_synops` are those right after pruning
    too. SynOps are means per inference over the training samples, by spikes. `pruned_synops` are
    those right after pruning; they are measured only for estimators that need them. Both are
    given by neuron layer too, in the connections into it. `most_synops` are what the structure
    allows: every neuron that fires in every step. `fixed_synops` are those of the recalibrated
    ones that no fine-tune changes: caused by the inputs' own spikes, and by layers that only frozen weights lead to.
    """

    keep_ratios: Ratios
    recalibrated_synops: float
    pruned_synops: float | None = None
    recalibrated_by_layer: Mapping[str, float] = field(default_factory=dict)
    pruned_by_layer: Mapping[str, float] = field(default_factory=dict)
    most_synops: float = math.inf
    fixed_synops: float = 0.0


@dataclass(frozen=True)
class Candidate:
    """A pruned network, recalibrated where its factory does so, with its features and its activity on the probe."""

    model: Model
    features: Features
    activity: Activity


class CandidateFactory:
    """Makes candidates of one dense model: prune, recalibrate, measure on training samples.

    All that depends on the dense model alone is computed once. SynOps on the probe are scaled
    by dense-on-all-of-train / dense-on-the-probe, which takes most of the probe's sampling
    error out.

    Args:
        model: the dense model.
        train: its training data.
        widths: how many channels may be kept; every ratio is rounded to them.
        recalibrates: whether biases and scales are matched to the dense model's currents after pruning.

    Raises:
        SearchError: a layer has fewer channels than the widths ask for.

    """

    def __init__(
        self, model: Model, train: EncodedSplit, widths: Widths = ANY_WIDTH, *, recalibrates: bool = True
    ) -> None:
        self.model = model
        self.recalibrates = recalibrates
        self.widths = widths
        self.groups = [group for group in channel_groups(model.network) if group.prunable]
        self.all_groups = channel_groups(model.network)
        widths.check(self.groups)
        self.train = train
        self.probe = drawn(train, PROBE_SAMPLES)

    @cached_property
    def dense(self) -> Measurement:
        """The dense model on all training samples; of few of them spikes are kept step by step."""
        found = self.measure(self.model, self.train)
        return replace(found, record=found.record.spread(RECORDED_SAMPLES))

    @cached_property
    def probe_scale(self) -> float:
        """Dense SynOps on all training samples over dense SynOps on the probe."""
        on_probe = self.measure(self.model, self.probe).synops
        return self.dense.synops / on_probe if on_probe else 1.0

    @cached_property
    def _features(self) -> dict[tuple[float, ...], Features]:
        """Of candidates that were asked for, by the ratios that their channels give."""
        return {}

    @cached_property
    def _statistics(self) -> dict[str, CurrentStatistics]:
        return current_statistics(Simulation(self.model.graph).to(self.probe.device), self.probe.as_stored())

    @cached_property
    def _fixed(self) -> frozenset[str]:
        """Nodes that recalibration leaves alone: frozen ones, and weights that several layers have as one."""
        return self.model.untrained.union(*shared_weights(self.model.network.nodes))

    @cached_property
    def _counted_as_fixed(self) -> frozenset[str]:
        """The input and layers whose spikes no training changes; operations of analog inputs are no SynOps."""
        network = self.model.network
        return unchanging(network, self.model.untrained) - ({network.input} if self.train.analog else set())

    @cached_property
    def dense_outputs(self) -> Tensor:
        """What the dense model answers to the training samples, as fine-tunes learn it, `[N, outputs]`."""
        simulation = Simulation(self.model.graph).to(self.train.device)
        size = samples_at_once(self.model.network, self.model.time_steps, self.train.device)
        with torch.no_grad():
            runs = [
                taught(self.model, simulation(self.train.take(part).inputs).output).cpu()
                for part in batches(len(self.train), size)
            ]
        return torch.cat(runs)

    def executed(self, ratios: Ratios) -> Ratios:
        """The ratios that whole channels really give, as many as the widths allow."""
        kept = [
            channels_kept(group, float(ratio), self.widths) for group, ratio in zip(self.groups, ratios, strict=True)
        ]
        return np.array([count / group.size for count, group in zip(kept, self.groups, strict=True)])

    def ratios_of(self, model: Model) -> Ratios:
        """The keep ratios of a model that was pruned from this one."""
        shapes, whole = model.network.shapes, self.model.network.shapes
        return np.array([shapes[group.name][0] / whole[group.name][0] for group in self.groups])

    @property
    def smallest(self) -> Ratios:
        """The ratios that leave as few channels in every group as the widths allow."""
        return self.executed(np.zeros(len(self.groups)))

    def pruned_network(self, ratios: Ratios) -> Network:
        """The pruned network alone, for what follows from its structure."""
        graph = prune(self.model.network, self.all_groups, self._keep(ratios))
        return Network(graph, self.model.network)

    def candidate(self, ratios: Ratios, *, measure_pruned: bool = False) -> Candidate:
        """Prune to the ratios, recalibrate where that is wanted, and measure SynOps after it (and before, if asked)."""
        keep = self._keep(ratios)
        pruned = prune(self.model.network, self.all_groups, keep)
        before = None
        if measure_pruned or not self.recalibrates:
            before = self.measure(self.model.with_graph(pruned), self.probe)
        if before is not None and not self.recalibrates:
            model, found = self.model.with_graph(pruned), before
        else:
            model, found = self._recalibrated(pruned, kept_by_layer(self.model.network, self.all_groups, keep))
        features = Features(
            keep_ratios=self.executed(ratios),
            recalibrated_synops=found.synops * self.probe_scale,
            pruned_synops=None if before is None else before.synops * self.probe_scale,
            recalibrated_by_layer=self._by_layer(found),
            pruned_by_layer={} if before is None else self._by_layer(before),
            most_synops=most_synops(model.network, self.model.time_steps, analog_input=self.train.analog),
            fixed_synops=self._fixed_synops(model.network, found) * self.probe_scale,
        )
        return Candidate(model, features, self.activity(found))

    def features(self, ratios: Ratios) -> Features:
        """Those of a candidate; ratios that keep the same channels have the same, and it is made once."""
        kept = tuple(self.executed(ratios).tolist())
        if kept not in self._features:
            self._features[kept] = self.candidate(ratios).features
        return self._features[kept]

    def _recalibrated(
        self, pruned: nir.NIRGraph, channels: Mapping[str, NDArray[np.intp]]
    ) -> tuple[Model, Measurement]:
        """A pruned graph whose currents are matched to the dense model's, and its measurement on the probe."""
        inputs = self.probe.as_stored()
        graph, trace = recalibrate(Network(pruned, self.model.network), self._statistics, channels, inputs, self._fixed)
        model = self.model.with_graph(graph)
        return model, measure_outputs(model, inputs, trace.outputs, self.probe.labels, analog_input=self.probe.analog)

    def _by_layer(self, on_probe: Measurement) -> dict[str, float]:
        return {name: layer.synops * self.probe_scale for name, layer in on_probe.layers.items()}

    def fixed_share(self, model: Model) -> float:
        """The share of a pruned model's SynOps that no fine-tune changes, on the probe."""
        if self._counted_as_fixed.isdisjoint(connection.source for connection in model.network.connections):
            return 0.0
        found = self.measure(model, self.probe)
        return self._fixed_synops(model.network, found) / found.synops if found.synops else 0.0

    def _fixed_synops(self, network: Network, found: Measurement) -> float:
        return synops_from(network, self._counted_as_fixed, found.events)

    def activity(self, measurement: Measurement) -> Activity:
        """The activity that a measurement on this model's data saw; of single samples no more than is recorded."""
        found = activity_of(measurement, self.model.time_steps, analog_input=self.train.analog)
        found = replace(found, synops_each=(), step_synops_each=())
        return found if found.record is None else replace(found, record=found.record.spread(RECORDED_SAMPLES))

    @staticmethod
    def measure(model: Model, data: EncodedSplit, dtype: torch.dtype = torch.float32) -> Measurement:
        """Measure a model on encoded data."""
        return measure_split(model, data, dtype=dtype)

    def _keep(self, ratios: Ratios) -> dict[str, NDArray[np.intp]]:
        named = {group.name: float(ratio) for group, ratio in zip(self.groups, ratios, strict=True)}
        return choose_channels(self.model.network, self.groups, named, self.widths)

"""What a chip offers: limits, formats, times and energies, each figure with its source."""

from __future__ import annotations

import re
from collections.abc import Iterable

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, field_validator

from spear_deploy.errors import quoted
from spear_deploy.hardware.chip.figures import (
    Bits,
    Choice,
    Energy,
    Figure,
    Flag,
    Memory,
    Name,
    Power,
    Rate,
    Time,
    TimeCurve,
)
from spear_deploy.hardware.chip.units import (
    Axons,
    Channels,
    Chips,
    Cores,
    Decays,
    Integers,
    NeuronCount,
    Pixels,
    PixelSizes,
    Routers,
    Steps,
    SynapseCount,
    Thresholds,
    Weights,
    WordSizes,
)

_NAME = re.compile(r"(?!(con|prn|aux|nul|com\d|lpt\d)(\.|$))[a-z0-9]([a-z0-9._+-]{0,62}[a-z0-9_+-])?", re.IGNORECASE)
"""What a file can be called on any system; Windows has devices of the names at its head."""


def fault_of_name(name: str) -> str:
    """What is wrong with the name of a chip, which files and folders are called by; empty where nothing is."""
    if _NAME.fullmatch(name):
        return ""
    return (
        "files and folders are called by it: up to 64 letters from a to z, digits and any of . _ + - inside, and no"
        f" name of a device such as con; found {quoted(name)}"
    )


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Chip(_Section):
    """How many cores there are and how they are joined."""

    cores_per_chip: Cores | None = None
    usable_cores_per_chip: Cores | None = Field(None, description="where software leaves some cores out")
    chips: Chips | None = Field(None, description="chips of the system that a network may use")
    neurons: NeuronCount | None = Field(None, description="neurons of the whole chip, where layers share it")
    synapses: SynapseCount | None = Field(None, description="synapses of the whole chip, where layers share it")
    synapse_memory: Memory | None = Field(None, description="memory for synapses that all cores share")
    router_columns: Routers | None = None
    router_rows: Routers | None = None
    cores_per_router: Cores | None = None


class Core(_Section):
    """What one core holds. A limit that is absent does not exist on this chip; `unknown` is not checked."""

    neurons: NeuronCount | None = None
    memory: Memory | None = Field(None, description="neuron state, synapses and axon tables together")
    synapse_memory: Memory | None = None
    in_axons: Axons | None = Field(None, description="source neurons that reach a core")
    out_axons: Axons | None = Field(None, description="pairs of a neuron of the core and a core that it reaches")
    destination_cores: Cores | None = Field(None, description="cores that one neuron may reach")
    fan_in: SynapseCount | None = Field(None, description="synapses into one neuron")
    fan_out: SynapseCount | None = Field(None, description="synapses out of one neuron")
    thresholds: Thresholds | None = Field(None, description="distinct thresholds")
    decays: Decays | None = Field(None, description="distinct pairs of decays (compartment profiles)")
    state_variable: Memory | None = Field(None, description="memory of one state variable of one neuron")
    in_axon_entry: Memory | None = Field(None, description="absent where a chip has no such table")
    out_axon_entry: Memory | None = Field(None, description="absent where a chip has no such table")
    kernel_memory: WordSizes | None = Field(
        None, description="weights that each core holds, core by core, of one whole layer"
    )
    neuron_memory: WordSizes | None = Field(None, description="neuron states that each core holds, core by core")
    bias_memory: WordSizes | None = Field(None, description="biases that each core holds, core by core")


class Synapses(_Section):
    """How weights are written and what they may be."""

    packing: Name | None = Field(None, description="how synapses lie in memory")
    weight_sharing: Flag | None = Field(None, description="whether a convolution stores its kernel once per core")
    weight_bits: Bits | None = None
    weight_range: Integers | None = None
    sign_by_source: Flag | None = Field(
        None, description="whether weights are magnitudes, and all synapses out of one neuron share a sign beside them"
    )
    weights_per_neuron: Weights | None = Field(None, description="different weights that one neuron may have")
    delay: Steps | None = Field(
        None,
        description="delays of a synapse or axon that the chip can hold; one without waits the least of them",
    )


class Neurons(_Section):
    """Neuron models and their number formats."""

    models: Choice | None = None
    resets: Choice | None = None
    arithmetic: Name | None = Field(
        None, description="integers it computes in: loihi1 or loihi2; widths given beside it count"
    )
    state_bits: Bits | None = None
    threshold_bits: Bits | None = None
    decay_bits: Bits | None = None
    bias_bits: Bits | None = None
    refractory: Steps | None = None


class Layers(_Section):
    """Layers that the chip can run."""

    kinds: Choice | None = None
    kernel: PixelSizes | None = None
    stride: PixelSizes | None = None
    padding: PixelSizes | None = None
    pool: PixelSizes | None = None
    channels: Channels | None = Field(None, description="largest number of output channels")
    input_map: Pixels | None = Field(None, description="largest height and width of the input of a layer")
    output_map: Pixels | None = Field(None, description="largest height and width of the output of a layer")
    square_kernels: Flag | None = None
    biases: Flag | None = None
    recurrence: Flag | None = None
    split: Flag | None = Field(None, description="whether a layer may be split over several cores")


class InputOutput(_Section):
    """What enters and leaves."""

    graded_input: Flag | None = Field(None, description="whether inputs may be values instead of spikes")
    graded_bits: Bits | None = Field(None, description="bits of a value that a spike or an input carries, where it may")
    input_channels: Channels | None = None
    output_neurons: NeuronCount | None = None
    hidden_neurons: NeuronCount | None = None
    input_fan_out: NeuronCount | None = Field(None, description="hidden neurons that the input may reach")
    output_fan_in: NeuronCount | None = Field(None, description="hidden neurons that may reach the output")


class Times(_Section):
    """How long operations take."""

    synaptic_operation: Time | None = None
    neuron_update_active: Time | None = None
    neuron_update_inactive: Time | None = None
    spike: Time | None = Field(None, description="sending one spike out of its neuron")
    message_in: Time | None = Field(None, description="taking one spike message in at a core")
    message_out: Time | None = Field(None, description="putting one spike message out, to one core")
    memory_read: Time | None = Field(None, description="reading one word of synapse memory")
    hop_horizontal: Time | None = None
    hop_vertical: Time | None = None
    barrier: Time | None = Field(None, description="synchronising all cores at the end of a step")
    barrier_by_routers: TimeCurve | None = Field(
        None,
        description="the barrier by the number of routers in use; stands for barrier where it is known where cores lie",
    )
    barrier_by_chips: TimeCurve | None = Field(
        None, description="the barrier by the number of chips in use; what it adds to one chip's counts"
    )
    step_floor: Time | None = Field(None, description="the least time of a step under load, whatever the cores do")
    step: Time | None = Field(None, description="the step, where its length is fixed")
    input_event: Time | None = Field(None, description="bringing one spike or value of the input to a core")
    host_step: Time | None = Field(None, description="what the host adds to a step, to send input and take output")
    message_between_chips: Time | None = Field(None, description="one spike message over the link between two chips")
    router_rate: Rate | None = Field(None, description="spikes that one router passes on in a second")


class Energies(_Section):
    """What operations cost."""

    scope: Name | None = Field(None, description="'per operation', or 'all-in' where a price holds every other cost")
    synaptic_operation: Energy | None = None
    multiply_accumulate: Energy | None = Field(None, description="one synapse of an input value, not a spike")
    neuron_update_active: Energy | None = None
    neuron_update_inactive: Energy | None = None
    spike: Energy | None = Field(None, description="sending one spike out of its neuron")
    message_in: Energy | None = Field(None, description="taking one spike message in at a core")
    message_out: Energy | None = Field(None, description="putting one spike message out, to one core")
    hop_horizontal: Energy | None = None
    hop_vertical: Energy | None = None
    message_between_chips: Energy | None = Field(None, description="one spike message over the link between two chips")
    static_per_chip: Power | None = Field(None, description="what a chip draws at rest, idle cores among it")
    static_per_core: Power | None = Field(None, description="what a core in use draws beside that")
    input_event: Energy | None = Field(None, description="bringing one spike or value of the input to a core")
    host_step: Energy | None = Field(None, description="what the host adds to a step, to send input and take output")
    embedded_processor: Power | None = Field(
        None, description="what the processor beside the cores draws; in no total, as published rows leave it out"
    )


class Profile(_Section):
    """A chip as data."""

    name: str = Field(description="what files and folders are called by: letters from a to z, digits, . _ + -")
    title: str
    about: str = ""
    inherits: str | None = None
    chip: Chip = Chip()
    core: Core = Core()
    synapses: Synapses = Synapses()
    neurons: Neurons = Neurons()
    layers: Layers = Layers()
    io: InputOutput = InputOutput()
    time: Times = Times()
    energy: Energies = Energies()
    _own: frozenset[str] | None = PrivateAttr(default=None)

    @field_validator("name")
    @classmethod
    def _names_a_file(cls, name: str) -> str:
        if fault := fault_of_name(name):
            raise ValueError(fault)
        return name

    def figures(self) -> dict[str, Figure]:
        """Every figure by its key, such as `core.neurons`, in the order of the schema."""
        found = {}
        for section in type(self).model_fields:
            block = getattr(self, section)
            if isinstance(block, _Section):
                for key in type(block).model_fields:
                    figure = getattr(block, key)
                    if isinstance(figure, Figure):
                        found[f"{section}.{key}"] = figure
        return found

    @property
    def inherited(self) -> tuple[str, ...]:
        """Keys of the figures that are another profile's; none where it inherits from none."""
        return tuple(key for key in self.figures() if self._own is not None and key not in self._own)

    def with_own(self, keys: Iterable[str]) -> Profile:
        """The same profile, where only figures of these keys are its own."""
        found = self.model_copy()
        found._own = frozenset(keys)
        return found

    @property
    def origin(self) -> str:
        """How a limit of this profile is called where limits of several origins meet."""
        return f"profile {self.name}"

    @property
    def cores_per_chip(self) -> int | None:
        """Cores of a chip that a network can use."""
        for figure in (self.chip.usable_cores_per_chip, self.chip.cores_per_chip):
            if figure is not None and figure.known:
                return int(figure.amount)
        core = self.core
        memories = [each.value for each in (core.kernel_memory, core.neuron_memory, core.bias_memory) if each]
        return next((len(sizes) for sizes in memories if sizes), None)

    @property
    def splits_layers(self) -> bool:
        """Whether a layer may lie on several cores."""
        return self.layers.split is None or self.layers.split.value is not False

    @property
    def chips_available(self) -> int:
        """Chips that a network can use; one where the profile names no number."""
        chips = self.chip.chips
        return int(chips.amount) if chips is not None and chips.known else 1

    @property
    def cores_available(self) -> int | None:
        """Cores of all chips that a network can use; one chip where the profile names no number."""
        cores = self.cores_per_chip
        return None if cores is None else cores * self.chips_available

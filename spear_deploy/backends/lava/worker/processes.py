"""Our own Lava processes: they carry data in and out, and extend Lava's neurons and synapses.

The dynamics are Lava's own; what is added stands in the docstrings. Lava executes every file
of this folder when it looks for process models, so importing them must have no effect.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.model.py.model import PyLoihiProcessModel
from lava.magma.core.model.py.ports import PyInPort, PyOutPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.process.ports.ports import InPort, OutPort
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.process.variable import Var
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol
from lava.proc.lif.models import AbstractPyLifModelFixed, AbstractPyLifModelFloat
from lava.proc.lif.process import LIFReset
from lava.proc.sparse.models import AbstractPySparseModelBitAcc, AbstractPySparseModelFloat
from lava.proc.sparse.process import Sparse
from numpy.typing import NDArray

Array = NDArray[Any]


class Injector(AbstractProcess):
    """Sends the samples of an .npy file `[T, N, inputs]` one time step after the other.

    A file with T = 1 holds static samples, each sent `interval` times. It is read from disk as
    it goes: memory does not grow with the data set.
    """

    def __init__(self, *, path: str, inputs: int, interval: int) -> None:
        super().__init__(path=path, interval=interval)
        self.s_out = OutPort(shape=(inputs,))


class AbstractInjector(PyLoihiProcessModel):
    """Nothing is sent after the last sample."""

    def __init__(self, proc_params: dict[str, Any]) -> None:
        super().__init__(proc_params)
        self.samples = np.load(proc_params["path"], mmap_mode="r")
        self.interval = proc_params["interval"]

    def run_spk(self) -> None:
        """Send one time step."""
        sample, step = divmod(self.time_step - 1, self.interval)
        steps, count, inputs = self.samples.shape
        beyond = sample >= count
        self.s_out.send(np.zeros(inputs) if beyond else np.array(self.samples[step % steps, sample]))


@implements(proc=Injector, protocol=LoihiProtocol)
@requires(CPU)
@tag("floating_pt")
class InjectorFloat(AbstractInjector):
    """In float64."""

    s_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, float)


@implements(proc=Injector, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class InjectorFixed(AbstractInjector):
    """In integers."""

    s_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32)


class Recorder(AbstractProcess):
    """Writes what it receives into an .npy file `[steps, size]`, a row a time step.

    The file is mapped, so that its rows can be read as soon as they are written.
    """

    def __init__(self, *, path: str, size: int) -> None:
        super().__init__(path=path)
        self.a_in = InPort(shape=(size,))


class AbstractRecorder(PyLoihiProcessModel):
    """One row a step."""

    def __init__(self, proc_params: dict[str, Any]) -> None:
        super().__init__(proc_params)
        self.rows = np.load(proc_params["path"], mmap_mode="r+")

    def run_spk(self) -> None:
        """Write one row."""
        self.rows[self.time_step - 1] = self.a_in.recv()


@implements(proc=Recorder, protocol=LoihiProtocol)
@requires(CPU)
@tag("floating_pt")
class RecorderFloat(AbstractRecorder):
    """In float64."""

    a_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, float)


@implements(proc=Recorder, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class RecorderFixed(AbstractRecorder):
    """In integers."""

    a_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32)


class Synapses(Sparse):
    """Lava's Sparse, which forgets what a sample leaves behind and counts its weights.

    In the first `late` steps of a sample nothing can arrive yet: what does was sent in the
    sample before. The number of non-zero weights in each column is written to a file.
    """

    def __init__(self, *, fan_out_path: str, depth: int, interval: int, late: int, **kwargs: Any) -> None:
        super().__init__(fan_out_path=fan_out_path, depth=depth, interval=interval, late=late, **kwargs)


class SynapsesModel:
    """The additions, before and after Lava's own step."""

    def run_spk(self: Any) -> None:
        """Lava's own step."""
        given = self.proc_params
        step = (self.time_step - 1 - given["depth"]) % given["interval"]
        if step < given["late"]:
            self.a_buff = np.zeros_like(self.a_buff)
        super().run_spk()  # type: ignore[misc]
        if self.time_step == 1:
            weights = self.weights.tocoo()
            stored = weights.col[weights.data != 0]
            np.save(given["fan_out_path"], np.bincount(stored, minlength=weights.shape[1]))


@implements(proc=Synapses, protocol=LoihiProtocol)
@requires(CPU)
@tag("floating_pt")
class SynapsesFloat(SynapsesModel, AbstractPySparseModelFloat):
    """Weights in float64."""


@implements(proc=Synapses, protocol=LoihiProtocol)
@requires(CPU)
@tag("bit_accurate_loihi", "fixed_pt")
class SynapsesFixed(SynapsesModel, AbstractPySparseModelBitAcc):
    """Weights of 8 bits and an exponent."""


class NeuronArray(LIFReset):
    """Lava's LIFReset with du, dv and vth given for each neuron instead of once.

    With `watch` it writes u and v of every step into two .npy files `[steps, size]`.
    """

    def __init__(
        self, *, shape: tuple[int, ...], du: Array, dv: Array, vth: Array, watch: Any = None, **kwargs: Any
    ) -> None:
        super().__init__(shape=shape, du=du, dv=dv, vth=vth, **kwargs)
        self.proc_params["watch"] = watch
        self.du = Var(shape=shape, init=du)
        self.dv = Var(shape=shape, init=dv)
        self.vth = Var(shape=shape, init=vth)


class NeuronModel:
    """LIFReset's start from zero, before Lava's own step."""

    def __init__(self, proc_params: dict[str, Any]) -> None:
        super().__init__(proc_params)  # type: ignore[call-arg]
        paths = proc_params["watch"] or ()
        self.watched = [np.load(path, mmap_mode="r+") for path in paths]

    def run_spk(self: Any) -> None:
        """One time step; at the first of a sample the state is forgotten."""
        if self.time_step % self.proc_params["reset_interval"] == self.proc_params["reset_offset"]:
            self.u[:] = 0
            self.v[:] = 0
        super().run_spk()  # type: ignore[misc]
        for rows, state in zip(self.watched, (self.u, self.v), strict=False):
            rows[self.time_step - 1] = state


class NeuronFloat(NeuronModel, AbstractPyLifModelFloat):
    """Lava's floating-point neuron on arrays of constants."""

    s_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, float)
    du: Array = LavaPyType(np.ndarray, float)
    dv: Array = LavaPyType(np.ndarray, float)
    vth: Array = LavaPyType(np.ndarray, float)

    def threshold(self) -> Array:
        """What v is compared with."""
        return self.vth

    def spiking_activation(self) -> Array:
        """The condition of LIFReset."""
        above: Array = self.v > self.threshold()
        return above


class NeuronFixed(NeuronModel, AbstractPyLifModelFixed):
    """Lava's bit-accurate neuron on arrays of constants."""

    s_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32, precision=24)
    du: Array = LavaPyType(np.ndarray, np.uint16, precision=12)
    dv: Array = LavaPyType(np.ndarray, np.uint16, precision=12)
    vth: Array = LavaPyType(np.ndarray, np.int32, precision=17)

    def scale_threshold(self) -> None:
        """Done in `threshold`."""
        self.isthrscaled = True

    def threshold(self) -> Array:
        """What v is compared with: shifted as the input is."""
        shifted: Array = np.left_shift(self.vth, self.vth_shift)
        return shifted

    def spiking_activation(self) -> Array:
        """The condition of LIFReset."""
        above: Array = self.v > self.threshold()
        return above


@implements(proc=NeuronArray, protocol=LoihiProtocol)
@requires(CPU)
@tag("floating_pt")
class NeuronArrayFloat(NeuronFloat):
    """Reset to zero, in floating point."""


@implements(proc=NeuronArray, protocol=LoihiProtocol)
@requires(CPU)
@tag("bit_accurate_loihi", "fixed_pt")
class NeuronArrayFixed(NeuronFixed):
    """Reset to zero, in fixed point."""


class Membrane(NeuronArray):
    """A leaky integrator without threshold, which sends its voltage."""


class MembraneModel:
    """The voltage leaves through the spike port."""

    def spiking_activation(self: Any) -> Array:
        """A copy: the receiver must not see later steps."""
        membrane: Array = self.v.copy()
        return membrane

    def reset_voltage(self, spike_vector: Array) -> None:
        """Nothing fires, so nothing is reset."""


@implements(proc=Membrane, protocol=LoihiProtocol)
@requires(CPU)
@tag("floating_pt")
class MembraneFloat(MembraneModel, NeuronFloat):
    """In floating point."""


@implements(proc=Membrane, protocol=LoihiProtocol)
@requires(CPU)
@tag("bit_accurate_loihi", "fixed_pt")
class MembraneFixed(MembraneModel, NeuronFixed):
    """In fixed point."""


class Subtract(NeuronArray):
    """A neuron whose spike subtracts the threshold, as snnTorch's Leaky does.

    At the start of a step a membrane that stands above the threshold is marked. After leak and
    input the threshold is subtracted where marked. With `reset_delay` that is all; without, a
    spike subtracts at once, and what the mark took is given back.
    """

    def __init__(self, *, reset_delay: bool, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.proc_params["reset_delay"] = reset_delay


class SubtractModel:
    """Subtraction around Lava's own step."""

    def subthr_dynamics(self: Any, activation_in: Array) -> None:
        """Lava's own leak and input, then the subtraction that was pending."""
        self.pending = self.v > self.threshold()
        super().subthr_dynamics(activation_in)  # type: ignore[misc]
        self.v[:] = self.bounded(self.v - self.pending * self.threshold())

    def reset_voltage(self: Any, spike_vector: Array) -> None:
        """At once, unless the reset is delayed."""
        if not self.proc_params["reset_delay"]:
            change = spike_vector.astype(np.int8) - self.pending.astype(np.int8)
            self.v[:] = self.v - change * self.threshold()

    def bounded(self, v: Array) -> Array:
        """All values, in floating point."""
        return v


@implements(proc=Subtract, protocol=LoihiProtocol)
@requires(CPU)
@tag("floating_pt")
class SubtractFloat(SubtractModel, NeuronFloat):
    """In floating point."""


@implements(proc=Subtract, protocol=LoihiProtocol)
@requires(CPU)
@tag("bit_accurate_loihi", "fixed_pt")
class SubtractFixed(SubtractModel, NeuronFixed):
    """In fixed point; the result of the subtraction saturates like every membrane."""

    def bounded(self, v: Array) -> Array:
        """Between the limits of 24 bits."""
        return np.clip(v, 1 - self.max_uv_val, self.max_uv_val - 1)

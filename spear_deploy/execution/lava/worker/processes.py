"""Our own Lava processes: they carry data in and out, and add no dynamics of their own.

Lava executes every file of this folder when it looks for process models, so importing them
must have no effect.
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
from lava.proc.lif.models import AbstractPyLifModelFloat
from lava.proc.lif.process import LIFReset
from lava.proc.sparse.models import AbstractPySparseModelFloat
from lava.proc.sparse.process import Sparse
from numpy.typing import NDArray

Array = NDArray[np.float64]


class Injector(AbstractProcess):
    """Sends the samples of an .npy file `[T, N, inputs]` one time step after the other.

    A file with T = 1 holds static samples, each sent `interval` times.
    """

    def __init__(self, *, path: str, inputs: int, interval: int) -> None:
        super().__init__(path=path, interval=interval)
        self.s_out = OutPort(shape=(inputs,))


@implements(proc=Injector, protocol=LoihiProtocol)
@requires(CPU)
@tag("floating_pt")
class InjectorFloat(PyLoihiProcessModel):
    """Reads from disk as it goes: memory does not grow with the data set."""

    s_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, float)

    def __init__(self, proc_params: dict[str, Any]) -> None:
        super().__init__(proc_params)
        self.samples = np.load(proc_params["path"], mmap_mode="r")
        self.interval = proc_params["interval"]

    def run_spk(self) -> None:
        """Send one time step; nothing after the last sample."""
        sample, step = divmod(self.time_step - 1, self.interval)
        steps, count, inputs = self.samples.shape
        beyond = sample >= count
        self.s_out.send(np.zeros(inputs) if beyond else np.array(self.samples[step % steps, sample], dtype=float))


class Recorder(AbstractProcess):
    """Writes what it receives into an .npy file `[steps, size]`, a row a time step."""

    def __init__(self, *, path: str, size: int) -> None:
        super().__init__(path=path)
        self.a_in = InPort(shape=(size,))


@implements(proc=Recorder, protocol=LoihiProtocol)
@requires(CPU)
@tag("floating_pt")
class RecorderFloat(PyLoihiProcessModel):
    """Keeps the file mapped, so that its rows are readable as soon as they are written."""

    a_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, float)

    def __init__(self, proc_params: dict[str, Any]) -> None:
        super().__init__(proc_params)
        self.rows = np.load(proc_params["path"], mmap_mode="r+")

    def run_spk(self) -> None:
        """Write one row."""
        self.rows[self.time_step - 1] = self.a_in.recv()


class Synapses(Sparse):
    """Lava's Sparse, which also writes how many non-zero weights each of its columns holds."""

    def __init__(self, *, fan_out_path: str, **kwargs: Any) -> None:
        super().__init__(fan_out_path=fan_out_path, **kwargs)


@implements(proc=Synapses, protocol=LoihiProtocol)
@requires(CPU)
@tag("floating_pt")
class SynapsesFloat(AbstractPySparseModelFloat):
    """Counts in the weights that the running model holds, after its first step."""

    def run_spk(self) -> None:
        """Lava's own step."""
        super().run_spk()
        if self.time_step == 1:
            weights = self.weights.tocoo()
            stored = weights.col[weights.data != 0]
            np.save(self.proc_params["fan_out_path"], np.bincount(stored, minlength=weights.shape[1]))


class NeuronArray(LIFReset):
    """Lava's LIFReset with du, dv and vth given for each neuron instead of once."""

    def __init__(self, *, shape: tuple[int, ...], du: Array, dv: Array, vth: Array, **kwargs: Any) -> None:
        super().__init__(shape=shape, du=du, dv=dv, vth=vth, **kwargs)
        self.du = Var(shape=shape, init=du)
        self.dv = Var(shape=shape, init=dv)
        self.vth = Var(shape=shape, init=vth)


class ResettingFloat(AbstractPyLifModelFloat):
    """Lava's own equations on arrays of constants, and LIFReset's start from zero."""

    s_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, float)
    du: Array = LavaPyType(np.ndarray, float)
    dv: Array = LavaPyType(np.ndarray, float)
    vth: Array = LavaPyType(np.ndarray, float)

    def run_spk(self) -> None:
        """One time step; at the first of a sample the state is forgotten."""
        if self.time_step % self.proc_params["reset_interval"] == self.proc_params["reset_offset"]:
            self.u[:] = 0
            self.v[:] = 0
        super().run_spk()


@implements(proc=NeuronArray, protocol=LoihiProtocol)
@requires(CPU)
@tag("floating_pt")
class NeuronArrayFloat(ResettingFloat):
    """Spikes where the voltage exceeds the threshold."""

    def spiking_activation(self) -> NDArray[Any]:
        """The condition of LIFReset."""
        above: NDArray[Any] = self.v > self.vth
        return above


class Membrane(NeuronArray):
    """A leaky integrator without threshold, which sends its voltage."""


@implements(proc=Membrane, protocol=LoihiProtocol)
@requires(CPU)
@tag("floating_pt")
class MembraneFloat(ResettingFloat):
    """The voltage leaves through the spike port."""

    def spiking_activation(self) -> NDArray[Any]:
        """A copy: the receiver must not see later steps."""
        membrane: NDArray[Any] = self.v.copy()
        return membrane

    def reset_voltage(self, spike_vector: Array) -> None:
        """Nothing fires, so nothing is reset."""

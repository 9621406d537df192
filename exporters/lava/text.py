"""The parts of the stand-alone script that are the same for every network."""

HEAD = '''\
"""A spiking network in Lava, written by spear-deploy {version}.

    python {file} [INPUTS.npy] [--save SPIKES.npz]

Needs lava-nc 0.10.0 and nothing of spear-deploy; weights lie in the .npz of the same name.
On Python 3.11 and newer: pip install numpy scipy networkx asteval scikit-learn, then
pip install --no-deps --ignore-requires-python lava-nc==0.10.0

INPUTS.npy holds {inputs}; without it, the samples in the .npz are run.
Prints the spikes of each layer. {arithmetic}
"""

import argparse
import dataclasses
import importlib
import sys
from pathlib import Path

import numpy as np
from scipy import sparse

if sys.version_info >= (3, 11):
    # Python 3.11 refuses a default that is not hashable, and lava-nc 0.10.0 has one: ByteEncoder.
    original = dataclasses.dataclass

    def hashable(cls=None, /, **options):
        if getattr(cls, "__name__", None) == "ByteEncoder":
            options["unsafe_hash"] = True
        return original(cls, **options)

    dataclasses.dataclass = hashable
    importlib.import_module("lava.magma.compiler.var_model")
    dataclasses.dataclass = original

from lava.magma.core.run_conditions import RunSteps
from lava.magma.core.run_configs import Loihi2SimCfg
from lava.proc.io.sink import RingBuffer as Sink
from lava.proc.io.source import RingBuffer as Source
from lava.proc.lif.process import LIFReset
from lava.proc.sparse.process import Sparse
{imports}
STEPS = {steps}  # time steps of one inference
DEPTH = {depth}  # every synapse takes a step: the last layer is so many steps behind the input
ARRAYS = np.load(Path(__file__).with_suffix(".npz"))

'''

OWN_IMPORTS = """\
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.model.py.ports import PyOutPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.process.variable import Var
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol
from lava.proc.lif.models import AbstractPyLifModelFloat
"""

FIXED_IMPORTS = "from lava.utils.weightutils import SignMode\n"

OWN_NEURONS = '''
class Neurons(LIFReset):
    """Lava's LIF with constants for each neuron, or with something else than a reset to zero.

    kind: "zero", "subtract" (the threshold), "subtract, delayed" (at the next step), or
    "membrane" (no threshold, sends v). Silent in the steps before its first input can arrive.
    """

    def __init__(self, *, shape, du, dv, vth, kind, depth, **rest):
        super().__init__(shape=shape, du=du, dv=dv, vth=vth, **rest)
        self.du, self.dv, self.vth = (Var(shape=shape, init=values) for values in (du, dv, vth))
        self.proc_params["kind"] = kind
        self.proc_params["depth"] = depth


@implements(proc=Neurons, protocol=LoihiProtocol)
@requires(CPU)
@tag("floating_pt")
class NeuronsModel(AbstractPyLifModelFloat):
    s_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, float)
    du: np.ndarray = LavaPyType(np.ndarray, float)
    dv: np.ndarray = LavaPyType(np.ndarray, float)
    vth: np.ndarray = LavaPyType(np.ndarray, float)

    def run_spk(self):
        given = self.proc_params
        self.kind = given["kind"]
        self.waits = self.time_step <= given["depth"]
        if self.time_step % given["reset_interval"] == given["reset_offset"]:
            self.u[:] = 0
            self.v[:] = 0
        super().run_spk()
        if self.waits:
            self.u[:] = 0
            self.v[:] = 0

    def subthr_dynamics(self, activation_in):
        self.above = self.v > self.vth
        super().subthr_dynamics(activation_in)
        if self.kind.startswith("subtract"):
            self.v[:] = self.v - self.above * self.vth

    def spiking_activation(self):
        if self.waits:
            return np.zeros(self.v.shape, dtype=bool)
        return self.v.copy() if self.kind == "membrane" else self.v > self.vth

    def reset_voltage(self, spike_vector):
        if self.kind == "zero":
            self.v[spike_vector] = 0
        elif self.kind == "subtract":
            self.v[:] = self.v - (spike_vector.astype(float) - self.above) * self.vth

'''

CONNECT = '''
def weights(name):
    """A matrix [targets, sources]."""
    data, indices, indptr, shape = (ARRAYS[f"{name}.{part}"] for part in ("data", "indices", "indptr", "shape"))
    return sparse.csr_matrix((data, indices, indptr), shape=tuple(shape))


def connect(source, name, target, late=0, **options):
    """Synapses from one port to another; `late` is how many steps more than one they take."""
    for _ in range(late):
        wait = Sparse(weights=sparse.identity(source.shape[0], dtype=DTYPE, format="csr"), num_message_bits=24)
        source.connect(wait.s_in)
        source = wait.a_out
    synapses = Sparse(weights=weights(name), **options)
    source.connect(synapses.s_in)
    synapses.a_out.connect(target)

'''

RUN = '''
def run(inputs):
    """Outputs [STEPS, samples, neurons] of each layer for inputs [STEPS, samples, values]."""
    samples, size = inputs.shape[1:]
    steps = samples * STEPS + DEPTH
    rows = np.zeros((size, steps), dtype=DTYPE)
    rows[:, : samples * STEPS] = inputs.transpose(2, 1, 0).reshape(size, -1)  # one sample after the other
    source = Source(data=rows)
    layers = build(source.s_out)
    sinks = {}
    for name, (neurons, _) in layers.items():
        sinks[name] = Sink(shape=neurons.s_out.shape, buffer=steps)
        neurons.s_out.connect(sinks[name].a_in)
    try:
        source.run(condition=RunSteps(num_steps=steps), run_cfg=Loihi2SimCfg(select_tag=TAG))
        found = {name: sink.data.get() for name, sink in sinks.items()}
    finally:
        source.stop()  # without it the interpreter waits for ever
    return {
        name: found[name][:, depth : depth + samples * STEPS].reshape(-1, samples, STEPS).transpose(2, 1, 0)
        for name, (_, depth) in layers.items()
    }


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("inputs", nargs="?", type=Path)
    parser.add_argument("--save", type=Path)
    given = parser.parse_args()
    inputs = ARRAYS["inputs"] if given.inputs is None else np.load(given.inputs)
'''

"""What a spiking network is: neurons, the graph, loading and saving, simulation in torch."""

from typing import TYPE_CHECKING

from spear_deploy.system.lazy import lazily

if TYPE_CHECKING:
    from spear_deploy.network.batching import batches, samples_at_once
    from spear_deploy.network.encoding import Encoding
    from spear_deploy.network.graph import Connection, Network
    from spear_deploy.network.load import Reading, load_any
    from spear_deploy.network.model import Model
    from spear_deploy.network.model import load as load_model_file
    from spear_deploy.network.model import save as save_model_file
    from spear_deploy.network.neuron import Neuron, Reset, neuron_of, node_of
    from spear_deploy.network.nir_file import from_nir, read_nir, write_nir
    from spear_deploy.network.nir_graph import flatten
    from spear_deploy.network.objective import Objective
    from spear_deploy.network.portability import differences, portable
    from spear_deploy.network.proof import Proof, prove_equal
    from spear_deploy.network.read_out import ReadOut, class_scores
    from spear_deploy.network.simulation import Simulation, Trace
    from spear_deploy.network.snntorch_modules import to_snntorch
    from spear_deploy.network.snntorch_nets import check_convertible, from_snntorch, from_spikingjelly, save_model
    from spear_deploy.network.surrogate import SURROGATES, Surrogate
    from spear_deploy.network.synapses import bias_current, fan_out, synapse_matrix
    from spear_deploy.network.torch_module import TorchNetwork, to_torch
else:
    __getattr__ = lazily(__name__, __file__)

__all__ = [
    "SURROGATES",
    "Connection",
    "Encoding",
    "Model",
    "Network",
    "Neuron",
    "Objective",
    "Proof",
    "ReadOut",
    "Reading",
    "Reset",
    "Simulation",
    "Surrogate",
    "TorchNetwork",
    "Trace",
    "batches",
    "bias_current",
    "check_convertible",
    "class_scores",
    "differences",
    "fan_out",
    "flatten",
    "from_nir",
    "from_snntorch",
    "from_spikingjelly",
    "load_any",
    "load_model_file",
    "neuron_of",
    "node_of",
    "portable",
    "prove_equal",
    "read_nir",
    "samples_at_once",
    "save_model",
    "save_model_file",
    "synapse_matrix",
    "to_snntorch",
    "to_torch",
    "write_nir",
]

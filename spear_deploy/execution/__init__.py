"""Running a network on something else than torch: in Loihi's integers, and in Lava."""

from spear_deploy.execution.chip_format import format_of
from spear_deploy.execution.fake_quantized import fake_quantized
from spear_deploy.execution.formats import LOIHI1, LOIHI2, Format
from spear_deploy.execution.host import HostSplit, split_first_layer
from spear_deploy.execution.lava import LavaRun, LavaStatus, run_lava, run_lava_fixed
from spear_deploy.execution.loihi import LoihiExecution, States
from spear_deploy.execution.quantiser import quantiser_for, quantiser_of
from spear_deploy.execution.quantize import quantize
from spear_deploy.execution.quantized import QuantizedLayer, QuantizedNetwork, QuantizedSynapses, Rounding

__all__ = [
    "LOIHI1",
    "LOIHI2",
    "Format",
    "HostSplit",
    "LavaRun",
    "LavaStatus",
    "LoihiExecution",
    "QuantizedLayer",
    "QuantizedNetwork",
    "QuantizedSynapses",
    "Rounding",
    "States",
    "fake_quantized",
    "format_of",
    "quantiser_for",
    "quantiser_of",
    "quantize",
    "run_lava",
    "run_lava_fixed",
    "split_first_layer",
]

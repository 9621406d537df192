"""Which neurons a chip's fixed arithmetic can run at all."""

from __future__ import annotations

from spear_deploy.backends.fixed_point.formats import Format
from spear_deploy.backends.fixed_point.rounding import too_slow
from spear_deploy.errors import BackendError
from spear_deploy.network import Network, Neuron, Reset
from spear_deploy.network.pools import MaxPool2d


def check_pools(network: Network) -> None:
    """Hold the pools against a chip that adds currents up, and nothing else.

    Raises:
        BackendError: a pool takes the largest of several currents; names the way out.

    """
    for name, node in network.nodes.items():
        if isinstance(node, MaxPool2d):
            raise BackendError(
                f"{name}: it takes the largest of several currents, and the chip only adds them up; move the pool"
                " behind the neuron, train with an average pool, or let it be converted to what the chip has"
            )


def check_neuron(name: str, neuron: Neuron, chip: Format) -> None:
    """Hold a layer's neuron against what the chip computes.

    Raises:
        BackendError: a decay that is too slow, or a reset that the chip does not know; names the way out.

    """
    for what, keep in (("synaptic current", neuron.alpha), ("membrane", neuron.beta)):
        if keep is None:
            continue
        slow = too_slow(keep, chip)
        if slow.any():
            raise BackendError(
                f"{name}: the {what} loses {1 - keep[slow].max():.3g} of its value in a step, the chip's finest decay"
                f" is 1/{chip.unity}; use a longer time step or no leak at all,"
                " or let it be converted: `adapt=True`"
            )
    if not neuron.spikes:
        return
    memoryless = neuron.alpha is None and not neuron.beta.any()
    if neuron.reset is Reset.SUBTRACT and not chip.subtract:
        raise BackendError(
            f"{name}: the chip resets the membrane to zero, this layer subtracts the threshold;"
            " train with reset_mechanism='zero', choose a chip with programmable neurons,"
            " or let it be converted: `adapt=True`"
        )
    if neuron.reset is Reset.SUBTRACT_ONCE:
        raise BackendError(
            f"{name}: chips that subtract the threshold do so again while the membrane exceeds it, this layer does so"
            " once for each spike (SpikingJelly's v_reset=None); train with v_reset=0., or let it be converted to what"
            " the chip has"
        )
    if neuron.reset is Reset.ZERO_HOLD:
        raise BackendError(
            f"{name}: the chip integrates in the step after a spike, this layer loses that step's input"
            " (snnTorch's delayed reset to zero); train with reset_delay=False, or let it be converted: `adapt=True`"
        )
    if (neuron.reset is Reset.NONE or neuron.reset_value is not None) and not memoryless:
        raise BackendError(
            f"{name}: the chip resets the membrane to zero, this layer"
            f" {'never resets it' if neuron.reset is Reset.NONE else 'resets it to another value'};"
            " train with reset_mechanism='zero', or let it be converted: `adapt=True`"
        )

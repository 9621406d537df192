"""How many bits weights get, where it is not as many as the chip has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from spear_deploy.errors import ModelError
from spear_deploy.network import Network

LEAST, MOST = 2, 8


@dataclass(frozen=True)
class WeightBits:
    """Bits of weights, for all layers or by name.

    Attributes:
        everywhere: for layers that are not named; None for the chip's own.
        named: by the name of a neuron layer, or of a weight node that leads into one.

    """

    everywhere: int | None = None
    named: Mapping[str, int] = field(default_factory=dict)

    def by_layer(self, network: Network, widest: int) -> dict[str, int]:
        """Bits of the weights into each neuron layer that does not get the chip's `widest`.

        Raises:
            ModelError: a name that is neither a layer nor a weight node, a weight node that leads into
                several layers or none, two names that disagree on a layer, or more bits than the chip has.

        """
        for bits in (self.everywhere, *self.named.values()):
            if bits is not None and bits > widest:
                raise ModelError(f"weight bits {bits}: the chip's weights have {widest} bits at most")
        found: dict[str, int] = {}
        for name, bits in self.named.items():
            layer = _layer_of(network, name)
            if found.setdefault(layer, bits) != bits:
                raise ModelError(
                    f"weight bits {name}={bits}: all weights into {layer} have the same bits, {found[layer]} were"
                    " given for others of them"
                )
        if self.everywhere is not None:
            found = dict.fromkeys(network.layers, self.everywhere) | found
        return found

    def text(self, widest: int) -> str:
        """In words, for a chip with weights of `widest` bits: '8-bit', '4- to 8-bit'."""
        used = [self.everywhere or widest, *self.named.values()]
        least, most = min(used), max(used)
        return f"{least}-bit" if least == most else f"{least}- to {most}-bit"


def _layer_of(network: Network, name: str) -> str:
    if name in network.neurons:
        return name
    targets = sorted({connection.target for connection in network.connections if name in connection.path})
    if not targets:
        raise ModelError(f"weight bits {name}: no such layer; known: {', '.join(network.layers)}")
    if len(targets) > 1:
        raise ModelError(f"weight bits {name}: it leads into {', '.join(targets)}; name those layers instead")
    return targets[0]

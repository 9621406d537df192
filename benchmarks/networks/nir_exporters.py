"""NIR graphs as other frameworks' own exporters make them, each run by the framework that made it.

Taken in memory: with nir 1.0.8 most of these graphs cannot be written to a file (scalar parameters, a Flatten
without a shape). norse writes dt / tau_mem_inv where NIR has 1 / tau_mem_inv, so its graphs of dt = 1e-3 stand for
dt = 1e-6, but for those of its IAFCell, which like sinabs' graphs mean dt = 1. What these exporters cannot say is left
out: norse's LIFCell hears its input a step later than NIR's CubaLIF and without its factor, sinabs' LIF decays by
exp(-1 / tau), and rockpool's neurons subtract.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any

import snntorch as snn
import torch
from torch import Tensor, nn

from benchmarks.networks.case import Case, Subject, drawn, inputs_for
from spear_deploy.network import Encoding, from_nir

Shape = tuple[int, ...]
STEPS = 8


def of_nir(
    build: Callable[[], nn.Module],
    export: Callable[[nn.Module, Shape], Any],
    run: Callable[[nn.Module, Tensor], Any],
    shape: Shape,
    dt_s: float | None = None,
) -> Callable[[], Subject]:
    """A case's reader: a network in float32, its exporter's graph, and what its own layers gave."""

    def read() -> Subject:
        torch.manual_seed(5)
        net = build().eval()
        x = inputs_for("sequence", shape, STEPS).float()
        model = from_nir(export(net, shape), time_steps=STEPS, dt_s=dt_s, encoding=Encoding.SEQUENCE)
        given: dict[str, list[Tensor]] = defaultdict(list)
        for path, module in net.named_modules():
            module.register_forward_hook(
                lambda _, __, out, path=path: given[path].append(out[0] if isinstance(out, tuple) else out)
            )
        with torch.no_grad():
            run(net, x)
        expected = {}
        for layer in model.network.layers:
            calls = given[layer.strip("_")]
            values = torch.stack(calls) if len(calls) == STEPS else _time_first(calls[0], x.shape[1])
            expected[layer] = values.reshape(STEPS, x.shape[1], *model.network.shapes[layer]).double()
        return Subject(model, x.double(), expected, exact=False)

    return read


def _time_first(values: Tensor, batch: int) -> Tensor:
    """What sinabs' layers give, `[B, T, ...]` or `[B * T, ...]`."""
    folded = values.reshape(batch, STEPS, *values.shape[1:]) if values.shape[0] == batch * STEPS else values
    return folded.transpose(0, 1)


def norse_steps(net: nn.Module, x: Tensor) -> None:
    state = None
    for step in x:
        _, state = net(step, state)


def norse_graph(net: nn.Module, shape: Shape) -> Any:
    import norse.torch as norse

    return norse.to_nir(net, torch.rand(1, *shape))


def norse_net(*layers: str | nn.Module) -> Callable[[], nn.Module]:
    """Layers of torch, and norse's neurons by name, easily brought to spike."""

    def build() -> nn.Module:
        drawn(layers)
        import norse.torch as norse
        from norse.torch.functional.iaf import IAFParameters
        from norse.torch.functional.lif_box import LIFBoxParameters

        made = {
            "LIFBoxCell": lambda: norse.LIFBoxCell(LIFBoxParameters(v_th=torch.tensor(0.1))),
            "IAFCell": lambda: norse.IAFCell(IAFParameters(v_th=torch.tensor(0.5))),
        }
        return norse.SequentialState(*(made[each]() if isinstance(each, str) else each for each in layers))

    return build


def sinabs_whole(net: nn.Module, x: Tensor) -> None:
    folded = any(type(module).__name__.endswith("Squeeze") for module in net)  # type: ignore[attr-defined]
    sequence = x.transpose(0, 1)
    net(sequence.flatten(0, 1) if folded else sequence)


def sinabs_graph(net: nn.Module, shape: Shape) -> Any:
    import sinabs
    import sinabs.nir

    folded = any(type(module).__name__.endswith("Squeeze") for module in net)  # type: ignore[attr-defined]
    graph = sinabs.nir.to_nir(net, torch.zeros(*((6 * STEPS,) if folded else (6, STEPS)), *shape))
    sinabs.reset_states(net)
    return graph


def sinabs_net(kind: str, *layers: Any, **options: Any) -> Callable[[], nn.Module]:
    """Layers of torch, and sinabs' neurons at the places of None: one spike a step, reset to zero, as NIR has them."""

    def build() -> nn.Module:
        drawn(layers)
        import sinabs.activation as sa
        import sinabs.layers as sl

        def neuron() -> nn.Module:
            given = {"spike_fn": sa.SingleSpike, "reset_fn": sa.MembraneReset(), "spike_threshold": torch.tensor(0.3)}
            return getattr(sl, kind)(**given | options)

        pools = {"sum": lambda: sl.SumPool2d(2)}
        return nn.Sequential(
            *(neuron() if each is None else pools[each]() if isinstance(each, str) else each for each in layers)
        )

    return build


def snntorch_graph(net: nn.Module, shape: Shape) -> Any:
    """Traced without a batch: with one, snnTorch's own check of shapes fails."""
    from snntorch import utils
    from snntorch.export_nir import export_to_nir

    graph = export_to_nir(net, torch.zeros(shape))
    utils.reset(net)
    return graph


def snntorch_net() -> nn.Module:
    def leaky(size: int) -> nn.Module:
        constants = {"beta": torch.full((size,), 0.9), "threshold": torch.full((size,), 0.5)}
        return snn.Leaky(**constants, reset_mechanism="zero", reset_delay=False, init_hidden=True)

    return nn.Sequential(nn.Linear(8, 12), leaky(12), nn.Linear(12, 5), leaky(5))


def snntorch_steps(net: nn.Module, x: Tensor) -> None:
    for step in x:
        net(step)


def spikingjelly_graph(net: nn.Module, shape: Shape) -> Any:
    from spikingjelly.activation_based import functional
    from spikingjelly.activation_based.nir_exchange import export_to_nir

    graph = export_to_nir(net, torch.zeros(1, *shape))
    functional.reset_net(net)
    return graph


def spikingjelly_net() -> nn.Module:
    from spikingjelly.activation_based import layer, neuron

    return nn.Sequential(
        *(layer.Conv2d(2, 4, 3), neuron.IFNode(v_threshold=0.5), layer.AvgPool2d(2), layer.Flatten()),
        *(layer.Linear(36, 5), neuron.LIFNode(tau=2.0, v_threshold=0.1)),
    )


def _dense(source: str, kind: str, **options: Any) -> Callable[[], nn.Module]:
    if source == "norse":
        return lambda: norse_net(nn.Linear(8, 12), kind, nn.Linear(12, 5), kind)()
    return lambda: sinabs_net(kind, nn.Linear(8, 12), None, nn.Linear(12, 5), None, **options)()


def _maps(source: str) -> Callable[[], nn.Module]:
    if source == "norse":
        layers = (nn.Conv2d(2, 4, 3), "IAFCell", nn.Conv2d(4, 3, 3, stride=2), "IAFCell")
        return lambda: norse_net(*layers)()
    return lambda: sinabs_net(
        *("IAFSqueeze", nn.Conv2d(2, 4, 3), None, "sum", nn.Flatten(), nn.Linear(36, 5), None), batch_size=6
    )()


MAP = (2, 8, 8)
CASES = [
    Case(
        "norse, LIFBoxCell",
        "norse",
        of_nir(_dense("norse", "LIFBoxCell"), norse_graph, norse_steps, (8,), 1e-6),
        ("norse",),
    ),
    Case("norse, IAFCell, maps", "norse", of_nir(_maps("norse"), norse_graph, norse_steps, MAP, 1.0), ("norse",)),
    Case(
        "sinabs, IAF",
        "sinabs",
        of_nir(_dense("sinabs", "IAF"), sinabs_graph, sinabs_whole, (8,), 1.0),
        ("sinabs",),
    ),
    Case("sinabs, IAF, maps", "sinabs", of_nir(_maps("sinabs"), sinabs_graph, sinabs_whole, MAP, 1.0), ("sinabs",)),
    Case("snnTorch's exporter", "snnTorch", of_nir(snntorch_net, snntorch_graph, snntorch_steps, (8,))),
    Case(
        "SpikingJelly's exporter",
        "SpikingJelly",
        of_nir(spikingjelly_net, spikingjelly_graph, snntorch_steps, MAP),
        ("spikingjelly",),
    ),
]

"""One training step of SPEAR's kind of network, ours beside snnTorch's and SpikingJelly's, on one device.

    python benchmarks/training_step.py [--device cuda] [--batch 128] [--rounds 30] [--json FILE]

Images of 3 x 32 x 32, T = 4, LIF with hard reset, tau 2 (beta .5): VGG16 and a network of three convolutions.
Each library trains the same weights on the same batch: forward, cross-entropy of the mean output, backward, SGD.
The variants take turns; the median of the rounds counts. "products alone" is the same network without neurons: no
library can be faster. Peers that are not installed are left out.
"""

import argparse
import json
import time
from contextlib import nullcontext
from importlib.metadata import version
from pathlib import Path
from statistics import median

import numpy as np
import snntorch
import torch
from snntorch import surrogate, utils
from torch import nn
from torch.nn import functional as F

from spear_deploy.network import Simulation, from_snntorch
from spear_deploy.network.device import describe, device_named, exact_products
from spear_deploy.system.lazy import missing_package

TIME_STEPS = 4
NETWORKS = {
    "vgg16": (64, 64, "pool", 128, 128, "pool", 256, 256, 256, "pool", 512, 512, 512, "pool", 512, 512, 512, "pool"),
    "three convolutions": (32, "pool", 64, "pool", 128, "pool"),
}


def by_snntorch(widths):
    """The network as a step module of snnTorch."""
    torch.manual_seed(0)
    parts, channels, size = [], 3, 32
    for width in widths:
        if width == "pool":
            parts.append(nn.AvgPool2d(2))
            size //= 2
        else:
            conv = nn.Conv2d(channels, width, 3, padding=1)
            nn.init.kaiming_normal_(conv.weight)
            conv.weight.data *= 2  # so that the last layer fires, too
            parts += [conv, leaky()]
            channels = width
    last = nn.Linear(channels * size**2, 10)
    last.weight.data *= 10
    return nn.Sequential(*parts, nn.Flatten(), last, leaky())


def leaky():
    return snntorch.Leaky(
        0.5, init_hidden=True, reset_mechanism="zero", reset_delay=False, spike_grad=surrogate.atan(alpha=2.0)
    )


def spikingjelly_backends(device):
    """What this version's neurons can be computed by; version 2 chooses by itself."""
    if not hasattr(np, "int"):
        np.int = int  # type: ignore[attr-defined]  # version 0.0.0.0.14 asks numpy for it

    from spikingjelly.activation_based import functional

    if not hasattr(functional, "set_backend"):
        return ["its own choice"]
    return ["torch", "cupy"] if device.type == "cuda" else ["torch"]


def by_spikingjelly(net, backend):
    """The same network with SpikingJelly's neurons, all steps at once."""
    from spikingjelly.activation_based import functional, layer, neuron
    from spikingjelly.activation_based import surrogate as theirs

    parts = []
    for part in net:
        if isinstance(part, snntorch.Leaky):
            options = {"decay_input": False, "v_reset": 0.0, "detach_reset": True}
            parts.append(neuron.LIFNode(tau=2.0, surrogate_function=theirs.ATan(), **options))
        elif isinstance(part, nn.Conv2d):
            parts.append(layer.Conv2d(part.in_channels, part.out_channels, 3, padding=1))
            parts[-1].load_state_dict(part.state_dict())
        elif isinstance(part, nn.Linear):
            parts.append(layer.Linear(part.in_features, part.out_features))
            parts[-1].load_state_dict(part.state_dict())
        else:
            parts.append(layer.AvgPool2d(2) if isinstance(part, nn.AvgPool2d) else layer.Flatten())
    other = nn.Sequential(*parts)
    functional.set_step_mode(other, "m")
    if hasattr(functional, "set_backend"):
        functional.set_backend(other, backend, neuron.LIFNode)

    def run(x):
        functional.reset_net(other)
        return other(x)

    return other, run


def by_us(widths, device):
    """The same network in our simulation."""
    model = from_snntorch(by_snntorch(widths), input_shape=(3, 32, 32), time_steps=TIME_STEPS)
    return Simulation(model.graph).to(device)


def variants(widths, device, precision):
    """By name, a module and what runs it on `[T, B, 3, 32, 32]`; and why a peer is missing (in this precision)."""
    net = by_snntorch(widths).to(device)

    def loop(x):
        utils.reset(net)
        return torch.stack([net(step) for step in x])

    simulation = by_us(widths, device)
    bare = nn.Sequential(*(part for part in by_snntorch(widths) if not isinstance(part, snntorch.Leaky))).to(device)

    def products(x):
        first = bare[0](x[0]).expand(TIME_STEPS, -1, -1, -1, -1)
        return bare[1:](first.flatten(0, 1)).reshape(*x.shape[:2], 10)

    found = {
        "ours": (simulation, lambda x: simulation(x).output),
        "snnTorch": (net, loop),
        "products alone": (bare, products),
    }
    missing = {}
    try:
        theirs = f"SpikingJelly {version('spikingjelly')}"
        backends = spikingjelly_backends(device)
    except ImportError as error:
        if not missing_package(error):
            raise
        return found, {"SpikingJelly": str(error)}
    for backend in backends:
        name = f"{theirs} ({backend})"
        try:
            other, run = by_spikingjelly(by_snntorch(widths), backend)
            other.to(device)
            with precision:
                output = run(torch.rand(TIME_STEPS, 2, 3, 32, 32, device=device))
            output.float().sum().backward()
        except Exception as error:  # a peer that does not run here is told and left out
            missing[name] = f"{type(error).__name__}: {str(error)[:300]}"
        else:
            found[name] = (other, run)
    return found, missing


def wait(device):
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def compared(widths, device, batch, rounds, *, amp):
    """Median milliseconds of a step, peak memory, and the share of outputs that equal ours."""
    precision = torch.autocast(device.type, torch.bfloat16) if amp else nullcontext()
    found, missing = variants(widths, device, precision)
    generator = torch.Generator().manual_seed(1)
    images, labels = torch.rand(batch, 3, 32, 32, generator=generator), torch.arange(batch) % 10
    x, labels = images.to(device).expand(TIME_STEPS, -1, -1, -1, -1), labels.to(device)
    optimizers = {
        name: torch.optim.SGD(module.parameters(), lr=1e-4, momentum=0.9) for name, (module, _) in found.items()
    }

    def step(name):
        _, run = found[name]
        optimizers[name].zero_grad()
        with precision:
            output = run(x)
        F.cross_entropy(output.float().mean(0), labels).backward()
        optimizers[name].step()

    rows = {name: {} for name in found}
    with torch.no_grad(), precision:
        outputs = {name: run(x).float() for name, (_, run) in found.items()}
    for name, output in outputs.items():
        if name != "products alone":
            rows[name]["outputs_equal_to_ours"] = float((output == outputs["ours"]).double().mean())
            rows[name]["output_spikes_per_image"] = float(output.sum()) / batch
    for name in found:
        for _ in range(3):
            step(name)
        if device.type == "cuda":
            wait(device)
            torch.cuda.reset_peak_memory_stats(device)
            step(name)
            wait(device)
            rows[name]["peak_mib"] = round(torch.cuda.max_memory_allocated(device) / 2**20)
    times = {name: [] for name in found}
    for _ in range(rounds):
        for name in found:
            wait(device)
            start = time.perf_counter()
            step(name)
            wait(device)
            times[name].append(1000 * (time.perf_counter() - start))
    for name, each in times.items():
        rows[name] |= {"ms": round(median(each), 3), "least_ms": round(min(each), 3)}
    return {"rows": rows, "missing": missing}


def profiled(widths, device, batch):
    """Where our step spends the device's time: the longest operations."""
    simulation = by_us(widths, device)
    x = torch.rand(batch, 3, 32, 32, device=device).expand(TIME_STEPS, -1, -1, -1, -1)
    simulation(x).output.mean().backward()
    activities = [torch.profiler.ProfilerActivity.CPU]
    if device.type == "cuda":
        activities.append(torch.profiler.ProfilerActivity.CUDA)
    with torch.profiler.profile(activities=activities) as profile:
        simulation(x).output.mean().backward()
        wait(device)
    key = "self_device_time_total" if device.type == "cuda" else "self_cpu_time_total"
    return profile.key_averages().table(sort_by=key, row_limit=25, max_name_column_width=60)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--amp", action="store_true", help="bfloat16 products as well")
    parser.add_argument("--network", choices=NETWORKS)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--profile", type=Path)
    options = parser.parse_args()
    exact_products()
    torch.set_flush_denormal(True)
    device = device_named(options.device)
    result = {"device": describe(device), "torch": torch.__version__, "batch": options.batch, "networks": {}}
    for name, widths in NETWORKS.items():
        if options.network not in (None, name):
            continue
        for amp in (False, True) if options.amp else (False,):
            precision = "bfloat16 products" if amp else "float32"
            found = compared(widths, device, options.batch, options.rounds, amp=amp)
            result["networks"].setdefault(name, {})[precision] = found
            print(f"\n{name}, {precision}, batch {options.batch}, T = {TIME_STEPS}, {result['device']}")
            ours = found["rows"]["ours"]["ms"]
            for peer, row in sorted(found["rows"].items(), key=lambda pair: pair[1]["ms"]):
                print(f"  {peer:24} {row['ms']:9.2f} ms  {row['ms'] / ours:5.2f} of ours  {row}")
            for peer, why in found["missing"].items():
                print(f"  {peer:24} missing: {why}")
            if options.json:
                options.json.write_text(json.dumps(result, indent=2) + "\n")
        if options.profile:
            with options.profile.open("a") as file:
                file.write(f"{name}\n{profiled(widths, device, options.batch)}\n")


if __name__ == "__main__":
    main()

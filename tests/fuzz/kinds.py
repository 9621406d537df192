"""The kinds of files that we read: a sound one of each, how it is mutated, and what reads it."""

import io
import json
import random
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import nir
import numpy as np
import snntorch
import torch
from torch import nn

from spear_deploy.data import Dataset, load_data
from spear_deploy.exporting.bundle import open_bundle, write_bundle
from spear_deploy.hardware import load_profile
from spear_deploy.hardware.chip.profile_files import profile_text
from spear_deploy.jobs.calibrate import calibrate
from spear_deploy.network import load_any, save_model_file, write_nir
from spear_deploy.network.model import Model
from spear_deploy.report.reading import read_run
from spear_deploy.search.strategies import TrainedAgent, TrainedOn
from spear_deploy.search.strategies.agent_file import agent_bytes, read_agent
from spear_deploy.search.strategies.front_state import STATE
from spear_deploy.search.strategies.policy import Policy
from tests.fuzz.mutate import mutate_bytes, mutate_text, mutate_zip

CUBA = {"type": b"CUBA", "iDecay": 1024, "vDecay": 512, "vThMant": 80, "refDelay": 1, "gradedSpike": False}
NONSENSE = (
    *(
        np.float64(0),
        np.int64(-3),
        np.int64(2**40),
        np.float64("nan"),
        np.float64("inf"),
        np.zeros((0,)),
        np.ones((2, 3)),
    ),
    *("nonsense", b"\xff\xfe", np.bool_(True), np.uint64(2**64 - 1), np.full((64, 64), 1e300), np.complex64(1j)),
)


@dataclass(frozen=True)
class Kind:
    """A kind of file.

    Attributes:
        name: of the file.
        sound: makes a sound one.
        mutate: changes its bytes.
        read: reads it as the command line does; raises what that raises.
        command: what to type in its folder so that it is read.
        differs: what of that is not as somebody else's reader has it; nothing where they agree.
        beside: puts a sound file beside it that the command needs.

    """

    name: str
    sound: Callable[[Path], None]
    mutate: Callable[[bytes, random.Random], bytes]
    read: Callable[[Path], object]
    command: tuple[str, ...]
    differs: Callable[[Path, Any], str] = lambda path, found: ""
    beside: Callable[[Path], None] = lambda path: None


def small_model() -> Model:
    """Two layers with a constant for each neuron."""
    rng = np.random.default_rng(0)

    def lif(size: int) -> nir.LIF:
        one = np.ones(size)
        return nir.LIF(tau=2e-4 * one, r=one, v_leak=0 * one, v_threshold=0.5 * one, v_reset=0 * one)

    nodes = {
        "input": nir.Input(np.array([6])),
        "fc1": nir.Linear(rng.normal(size=(5, 6))),
        "lif1": lif(5),
        "fc2": nir.Affine(rng.normal(size=(3, 5)), rng.normal(size=3)),
        "lif2": lif(3),
        "output": nir.Output(np.array([3])),
    }
    return Model(nir.NIRGraph(nodes, list(zip(list(nodes)[:-1], list(nodes)[1:], strict=True)), type_check=False), 4)


def npz(path: Path) -> None:
    """A small data set."""
    rng = np.random.default_rng(0)
    data = {f"x_{part}": rng.random((n, 6), np.float32) for part, n in (("train", 20), ("test", 8))}
    np.savez(path, **data, y_train=np.arange(20) % 3, y_test=np.arange(8) % 3)


def checkpoint(path: Path) -> None:
    """A state_dict without its architecture."""
    net = nn.Sequential(nn.Linear(6, 5), snntorch.Leaky(beta=0.9), nn.Linear(5, 3), snntorch.Leaky(beta=0.8))
    torch.save(net.state_dict(), path)


def netx(path: Path) -> None:
    """Two dense blocks."""
    rng = np.random.default_rng(0)
    with h5py.File(path, "w") as file:
        for index, (outputs, inputs) in enumerate(((5, 6), (3, 5))):
            group = file.create_group(f"layer/{index}")
            group["type"] = np.array([b"dense"], dtype="S10")
            group["shape"] = [outputs]
            group["weight"] = 2 * rng.integers(-40, 80, (outputs, inputs)).astype(np.float32)
            for key, value in CUBA.items():
                group[f"neuron/{key}"] = value


def bundle(path: Path) -> None:
    """A model with its record."""
    inside = path.with_suffix(".inside")
    write_nir(small_model(), inside)
    write_bundle(path, {"net.nir": inside.read_bytes(), "report.json": b"{}"}, "net.nir")
    inside.unlink()


def rows(path: Path) -> None:
    """Measured inferences."""
    lines = [f"net {n},1,{s},{s * 2e-8 + 0.1},{s * 2e-8},1.0" for n, s in enumerate((1e5, 3e5, 1e6, 2e6))]
    path.write_text("\n".join(["network,chips,synops,mj_total,mj_dynamic,ms", *lines]) + "\n")


def arch(path: Path) -> None:
    """The description of a checkpoint that lies beside it."""
    layers = [("0", "Linear"), ("1", "Leaky"), ("2", "Linear"), ("3", "Leaky")]
    blocks = [f'[[layer]]\nname = "{name}"\nkind = "{kind}"' for name, kind in layers]
    path.write_text("\n".join(["time_steps = 4", "input_shape = [6]", *blocks]) + "\n")


def read_arch(path: Path) -> object:
    """Read a sound checkpoint as the description says."""
    checkpoint(path.with_suffix(".pt"))
    return load_any(path.with_suffix(".pt"), arch=str(path), dt_s=1e-4)


def unlike_numpy(path: Path, found: Dataset) -> str:
    """Samples and labels against numpy's own reader."""
    with np.load(path) as held:
        for split, key in ((found.train, "train"), (found.validation, "train"), (found.test, "test")):
            x, y = held[f"x_{key}"][split.index], held[f"y_{key}"][split.index]
            if not np.array_equal(x.astype(np.float32), split.x.numpy().astype(np.float32)):
                return f"x_{key}"
            if not np.array_equal(y.astype(object), split.y.numpy().astype(object)):
                return f"y_{key}"
    return ""


def unlike_torch(path: Path, found: Model) -> str:
    """Weights against what torch itself reads."""
    nodes = torch.load(path, weights_only=True)["graph"]["nodes"]
    return _unlike({name: node["weight"].numpy() for name, node in nodes.items() if "weight" in node}, found)


def unlike_nir(path: Path, found: Model) -> str:
    """Weights against NIR's own reader, without its check of the declared shapes: ours infers them."""
    nodes = nir.read(path, type_check=False).nodes
    return _unlike({name: node.weight for name, node in nodes.items() if hasattr(node, "weight")}, found)


def _unlike(weights: dict[str, Any], found: Model) -> str:
    held = {name: node.weight for name, node in found.graph.nodes.items() if hasattr(node, "weight")}
    wrong = [name for name in weights if name not in held or not np.array_equal(held[name], weights[name])]
    return ", ".join(wrong)


def mutate_hdf5(content: bytes, rng: random.Random) -> bytes:
    """A dataset replaced or renamed; else bytes."""
    if rng.random() < 0.5:
        return mutate_bytes(content, rng)
    image = io.BytesIO(content)
    with h5py.File(image, "r+") as file:
        names: list[str] = []
        file.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
        for name in rng.sample(names, rng.choice((1, 1, 2))):
            value = rng.choice(NONSENSE)
            if rng.random() < 0.2:
                value = file[name][()] if rng.random() < 0.5 else np.resize(np.asarray(file[name][()]), 7)
            del file[name]
            if rng.random() < 0.9:
                file[rng.choice((name, name, name, name + "x"))] = value
    return image.getvalue()


def read_bundle(path: Path) -> object:
    """Unpack, and load the network."""
    folder = path.with_suffix(".out")
    folder.mkdir()
    return load_any(folder / open_bundle(path, folder).model, time_steps=4)


def read_report(path: Path) -> object:
    """Read a run folder, whose faults are told in its gaps."""
    return read_run(path.parent)


def agent(path: Path) -> None:
    """A small agent for a front."""
    rng = np.random.default_rng(0)
    sizes = (len(STATE), 5, 4, 1)
    shapes = list(zip(sizes[1:], sizes[:-1], strict=True))
    policy = Policy(
        weights=tuple(rng.normal(size=shape).astype(np.float32) for shape in shapes),
        biases=tuple(rng.normal(size=shape[:1]).astype(np.float32) for shape in shapes),
        lowest=0.05,
    )
    path.write_bytes(agent_bytes(TrainedAgent(policy, TrainedOn({"lif1": 5}, {"50% on loihi2": 0.7}, 12, 0))))


def load(path: Path) -> object:
    """Load a network, whatever holds it."""
    return load_any(path, time_steps=4, input_shape=(6,), dt_s=1e-4)


def write_report(path: Path) -> None:
    """The report of a run that was kept."""
    kept = sorted((Path(__file__).parents[2] / "tests" / "report").glob("*.json"))
    path.write_bytes(kept[0].read_bytes() if kept else json.dumps({"schema_version": 1, "verdict": {}}).encode())


def _saved(path: Path) -> None:
    save_model_file(small_model(), path)


def _nir(path: Path) -> None:
    write_nir(small_model(), path)


def _profile(path: Path) -> None:
    path.write_text(profile_text("loihi2"))


def _net_without_data(path: Path) -> None:
    """What the agent is given for: where it can be used, the run ends at the samples that are none."""
    _saved(path.with_name("net.pt"))
    path.with_name("data.npz").write_bytes(b"")


def _calibrated(path: Path) -> object:
    return calibrate("loihi2", path, instrument="none")


SHAPES = ("--time-steps", "4", "--input-shape", "6", "--dt", "1e-4")

KINDS = {
    "npz": Kind(
        *("data.npz", npz, mutate_zip, load_data, ("check", "net.pt", "--data", "data.npz"), unlike_numpy),
        beside=lambda path: _saved(path.with_name("net.pt")),
    ),
    "model": Kind("net.pt", _saved, mutate_zip, load, ("groups", "net.pt"), unlike_torch),
    "checkpoint": Kind("net.pt", checkpoint, mutate_zip, load, ("groups", "net.pt", *SHAPES)),
    "nir": Kind("net.nir", _nir, mutate_hdf5, load, ("groups", "net.nir", "--time-steps", "4"), unlike_nir),
    "netx": Kind("net.net", netx, mutate_hdf5, load, ("groups", "net.net", "--time-steps", "4")),
    "toml": Kind("chip.toml", _profile, mutate_text, load_profile, ("profiles", "check", "chip.toml")),
    "arch": Kind(
        *("net.toml", arch, mutate_text, read_arch),
        ("groups", "net.pt", "--arch", "net.toml", "--dt", "1e-4"),
        beside=lambda path: checkpoint(path.with_name("net.pt")),
    ),
    "rows": Kind("rows.csv", rows, mutate_text, _calibrated, ("calibrate", "loihi2", "rows.csv", "--instrument", "x")),
    "bundle": Kind("net.zip", bundle, mutate_zip, read_bundle, ("import", "net.zip", "--out", "inside")),
    "agent": Kind(
        *("agent.npz", agent, mutate_zip, read_agent),
        ("deploy", "net.pt", "--agent", "agent.npz", "--data", "data.npz", "--no-cache", "--no-lava"),
        beside=_net_without_data,
    ),
    "report": Kind("report.json", write_report, mutate_text, read_report, ("report", ".")),
}


def sound_file(kind: Kind, folder: Path) -> bytes:
    """The bytes of a sound file."""
    path = folder / kind.name
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        kind.sound(path)
    return path.read_bytes()

import json
import subprocess
import sys
from pathlib import Path
from tempfile import NamedTemporaryFile

import pytest
import torch
from made_networks import Chain
from made_task import write_task
from torch.profiler import ProfilerActivity, profile

from spear_deploy.data import EncodedSplit, SplitName
from spear_deploy.errors import MachineError
from spear_deploy.hardware import load_profile
from spear_deploy.jobs import memory
from spear_deploy.jobs.asked import memory_of
from spear_deploy.jobs.memory import check_room, processes_within, run_bytes, trained_bytes
from spear_deploy.jobs.simulate import SimulateConfig, simulate
from spear_deploy.jobs.task import load_task
from spear_deploy.measure import measure_split
from spear_deploy.search import TuningPlan
from spear_deploy.system.memory import free_bytes
from spear_deploy.training import Recipe, fine_tune

MIB, GIB = 1 << 20, 1 << 30


@pytest.mark.parametrize(
    ("typed", "size"),
    [
        ("4GiB", 4 * GIB),
        ("500MB", 500_000_000),
        ("1.5 gib", 3 * GIB // 2),
        ("2g", 2 * GIB),
        ("4096", 4096),
        ("1.001kB", 1001),
    ],
)
def test_an_amount_of_memory_is_read(typed, size):
    assert memory_of(typed) == size


@pytest.mark.parametrize("typed", ["", "much", "4 parsecs", "-1GiB", "0", "1e3MB", "4GiBs", "0.5", f"{'9' * 400}GiB"])
def test_what_is_no_amount_is_refused_with_an_example(typed):
    with pytest.raises(MachineError, match="give an amount such as 4GiB"):
        memory_of(typed)


def machine(folder, available_kib, limits):
    """The files by which Linux tells of memory: a machine, and groups of processes with limit and use."""
    groups = folder / "groups"
    (folder / "self").mkdir(parents=True)
    (folder / "meminfo").write_text(f"MemTotal: 99999999 kB\nMemAvailable: {available_kib} kB\n")
    (folder / "self" / "cgroup").write_text("0::/outer/inner\n")
    for name, (limit, use) in limits.items():
        (groups / name).mkdir(parents=True, exist_ok=True)
        (groups / name / "memory.max").write_text(f"{limit}\n")
        (groups / name / "memory.current").write_text(f"{use}\n")
    return folder, groups


def test_the_narrowest_of_machine_and_groups_is_what_is_free(tmp_path):
    free = {"outer/inner": ("max", 10), "outer": (3 * GIB, GIB)}
    assert free_bytes(*machine(tmp_path / "a", 8 << 20, free)) == 2 * GIB
    assert free_bytes(*machine(tmp_path / "b", 1 << 20, free)) == GIB
    assert free_bytes(*machine(tmp_path / "c", 8 << 20, {"outer/inner": (GIB, 2 * GIB)})) == 0
    assert free_bytes(tmp_path / "nothing", tmp_path / "nothing") is None


def test_files_that_a_group_has_read_give_way(tmp_path):
    proc, groups = machine(tmp_path, 8 << 20, {"outer/inner": (3 * GIB, 3 * GIB)})
    (groups / "outer" / "inner" / "memory.stat").write_text(f"anon {GIB}\nfile {2 * GIB}\ninactive_file {2 * GIB}\n")
    assert free_bytes(proc, groups) == 2 * GIB


def wide(size=256, time_steps=20):
    """A network of which one sample alone has many states."""
    chain = Chain((2, size, size)).conv("conv", 16).neurons("a").pool("pool").flatten().linear("fc", 4).neurons("b")
    return chain.model(time_steps=time_steps)


def test_a_network_whose_single_sample_is_too_large_is_refused_with_what_it_needs():
    model = wide()
    with pytest.raises(MachineError, match=r"less memory than one sample of 20 time steps needs: about .* GiB"):
        check_room(model.network, model.time_steps, 600 * MIB)
    check_room(model.network, model.time_steps, 8 * GIB)


def test_a_training_batch_that_cannot_be_cut_is_refused():
    model = wide(size=32)
    check_room(model.network, model.time_steps, 800 * MIB)
    with pytest.raises(MachineError, match=r"a training step on 64 samples of 20 time steps, held at its budget,"):
        check_room(model.network, model.time_steps, 800 * MIB, TuningPlan())


def test_where_no_bound_was_asked_for_too_little_memory_is_told_and_refuses_nothing(monkeypatch):
    model, heard = wide(), []
    monkeypatch.setattr(memory, "free_bytes", lambda: GIB)
    check_room(model.network, model.time_steps, None, tell=heard.append)
    assert len(heard) == 1
    assert heard[0].startswith("there may be less memory than one sample of 20 time steps needs")
    assert "80% of what is free is 819 MiB" in heard[0]
    monkeypatch.setattr(memory, "free_bytes", lambda: None)
    check_room(model.network, model.time_steps, None, tell=heard.append)
    assert len(heard) == 1


def test_no_more_processes_make_samples_than_there_is_room_for():
    network, steps = wide(size=32).network, 20
    each = memory.PROCESS_BYTES + run_bytes(network, steps) + trained_bytes(network, steps, 64, whole=False)
    for count in (1, 2, 5):
        allowed = memory.PROCESS_BYTES + count * each
        assert processes_within(network, steps, 64, 8, allowed) == count
    assert processes_within(network, steps, 64, 8, 100 * GIB) == 8
    assert processes_within(network, steps, 64, 8, MIB) == 1


def test_the_bound_changes_no_result(tmp_path):
    task = load_task(write_task(tmp_path))
    found = []
    for bound in (750 * MIB, 8 * GIB):
        outcome = simulate(task, load_profile("loihi2"), ("torch", "chip"), SimulateConfig(memory_bytes=bound))
        found.append({name: each.measurement for name, each in outcome.simulated.results.items()})
    for name, one in found[0].items():
        assert torch.equal(one.per_sample, found[1][name].per_sample)
        assert torch.equal(one.predictions, found[1][name].predictions)


PEAKS = """
import json, sys
import torch
from made_networks import Chain
from spear_deploy.data import EncodedSplit, SplitName
from spear_deploy.measure import measure_split
from spear_deploy.training import Recipe, fine_tune
from test_memory import wide

def peak_kib():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))

torch.set_num_threads(1)
model = wide(size=int(sys.argv[1]), time_steps=8)
samples = int(sys.argv[2])
data = EncodedSplit(
    SplitName.TRAIN, torch.zeros((8, samples, *model.network.input_shape), dtype=torch.uint8),
    torch.arange(samples) % 4, False,
)
few = data.take(slice(0, 1))
fine_tune(model, few, Recipe(epochs=1, batch=1), seed=0)  # what is imported is
start = peak_kib()
measure_split(model, data, dtype=torch.float64)
measured = peak_kib()
fine_tune(model, data, Recipe(epochs=1, batch=samples), seed=0)
print(json.dumps([start, measured, peak_kib()]))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads what Linux tells of a process")
def test_what_a_network_needs_is_not_less_than_what_it_takes():
    size, samples = 128, 24
    model = wide(size=size, time_steps=8)
    folder = Path(__file__).parent
    path = [str(folder), str(folder.parent)]
    code = f"import sys; sys.path[:0] = {path!r}\n{PEAKS}"
    done = subprocess.run(
        [sys.executable, "-c", code, str(size), str(samples)], capture_output=True, text=True, check=True
    )
    start, measured, trained = (1024 * each for each in json.loads(done.stdout))
    assert measured - start < run_bytes(model.network, 8)
    needed = run_bytes(model.network, 8) + trained_bytes(model.network, 8, samples, whole=False)
    assert trained - start < needed


def tensor_bytes(work):
    """What tensors held at most while some work went on, without what an allocator keeps or a process happens to."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
        work()
    with NamedTemporaryFile(suffix=".json") as file:
        profiled.export_chrome_trace(file.name)
        events = json.loads(Path(file.name).read_text())["traceEvents"]
    held = [each["args"]["Total Allocated"] for each in events if each.get("name") == "[memory]"]
    return max(held) - held[0]


def test_what_a_network_needs_is_not_said_many_times_too_large():
    model, steps = wide(size=128, time_steps=8), 8
    data = EncodedSplit(
        SplitName.TRAIN, torch.zeros((steps, 2, *model.network.input_shape), dtype=torch.uint8), torch.arange(2), False
    )
    run = tensor_bytes(lambda: measure_split(model, data, dtype=torch.float64))
    assert run < run_bytes(model.network, steps) < 4 * run
    trained = tensor_bytes(lambda: fine_tune(model, data, Recipe(epochs=1, batch=2), seed=0))
    assert trained < trained_bytes(model.network, steps, 2, whole=False) < 4 * trained

import errno
import pickle
from pathlib import Path

import pytest
import torch
from network_builders import small_cnn

from spear_deploy.errors import ModelError, OutputError
from spear_deploy.network import Simulation, load_model_file, save_model


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "model.pt"
    model = save_model(small_cnn(), path, input_shape=(1, 8, 8), time_steps=6, encoding="rate", data="digits")
    return path, model


def test_a_model_comes_back_with_its_spikes_and_its_use(saved):
    path, model = saved
    back = load_model_file(path)
    x = torch.rand(6, 5, 1, 8, 8, dtype=torch.float64)
    expected = Simulation(model.graph, torch.float64)(x)
    found = Simulation(back.graph, torch.float64)(x)
    assert expected.outputs.keys() == found.outputs.keys()
    assert all(torch.equal(expected.outputs[layer], found.outputs[layer]) for layer in expected.outputs)
    assert (back.time_steps, back.encoding, back.read_out, back.data) == (6, "rate", "count", "digits")
    assert expected.output.sum() > 0


def test_a_model_file_holds_nothing_that_is_executed(saved):
    content = torch.load(saved[0], weights_only=True)
    assert content["format"] == "spear-deploy model"


@pytest.mark.parametrize("kept", [0, 10, 0.3, 0.9])
def test_a_truncated_file_is_refused(saved, kept):
    path, _ = saved
    content = path.read_bytes()
    path.write_bytes(content[: kept if isinstance(kept, int) else int(kept * len(content))])
    with pytest.raises(ModelError, match=r"model\.pt: .*damaged"):
        load_model_file(path)


class _Bomb:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


@pytest.mark.parametrize("writer", [torch.save, lambda value, path: path.write_bytes(pickle.dumps(value))])
def test_a_pickle_that_would_run_code_is_refused_and_runs_nothing(tmp_path, writer):
    path, traces = tmp_path / "bomb.pt", tmp_path / "executed"
    writer({"format": "spear-deploy model", "graph": _Bomb(traces)}, path)
    with pytest.raises(ModelError, match=r"bomb\.pt: "):
        load_model_file(path)
    assert not traces.exists()


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ModelError, match=r"nothing\.pt: no such model file"):
        load_model_file(tmp_path / "nothing.pt")


def _broken(content, change):
    change(content)
    return content


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c["graph"]["nodes"]["0_conv2d"]["weight"].fill_(float("nan")), "0_conv2d: weight must be finite"),
        (lambda c: c["graph"]["nodes"]["0_conv2d"]["bias"].fill_(float("inf")), "0_conv2d: bias must be finite"),
        (lambda c: c.update(version=99), "version 99, this spear-deploy reads 1"),
        (lambda c: c.pop("graph"), "damaged"),
        (lambda c: c.update(graph=[1, 2]), "damaged"),
        (lambda c: c["graph"]["nodes"]["0_conv2d"].update(type="NoSuchNode"), "damaged"),
        (lambda c: c["graph"]["nodes"].pop("0_conv2d"), "there is no node '0_conv2d'"),
        (lambda c: c.update(time_steps=0), "at least 1 time step, found 0"),
        (lambda c: c.update(encoding="morse"), "morse"),
        (lambda c: c.update(format="other"), "no spear-deploy model file"),
    ],
)
def test_a_file_with_impossible_content_is_refused(saved, change, message):
    path, _ = saved
    content = torch.load(path, weights_only=True)
    change(content)
    torch.save(content, path)
    with pytest.raises(ModelError, match=message):
        load_model_file(path)


def test_a_place_that_cannot_be_written_to_is_told_in_a_line(saved, tmp_path):
    _, model = saved
    for place, why in ((tmp_path, "Is a directory"), (tmp_path / "none" / "net.pt", "No such file or directory")):
        with pytest.raises(OutputError, match=f"{place}: cannot be written .{why}"):
            save_model(model, place)


def test_a_model_file_is_the_old_one_until_the_new_one_is_complete(saved, monkeypatch):
    """As a full disk has it: half of the new file is written, then no more."""
    path, model = saved
    before = path.read_bytes()

    def half(self, content):
        with self.open("wb") as file:
            file.write(content[: len(content) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", half)
    with pytest.raises(OutputError, match="No space left on device"):
        save_model(model, path)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]

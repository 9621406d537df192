"""What a user hears of data: the same from Python as from the shell, from every verb, and each line once."""

import numpy as np
import pytest
from made_task import arrays, untrained

from spear_deploy.cli import main
from spear_deploy.data import Dataset
from spear_deploy.jobs.face import check, compare, simulate
from spear_deploy.jobs.progress import Silent
from spear_deploy.jobs.simulate import SimulateConfig
from spear_deploy.network import save_model_file

SAMPLES = 1000
ROUNDED = "x_train[:, 0, 0, 0] goes from 1700000000.0 to"
UNLABELLED = "holds no labels: the network's own classes serve"
FEW = f"has 120 test samples, {SAMPLES} were asked for"


class Listening(Silent):
    def __init__(self):
        self.heard = []

    def notice(self, text):
        self.heard.append(text)


def doubtful():
    """Samples that float32 rounds, without labels."""
    held = {key: values for key, values in arrays().items() if key.startswith("x_")}
    held["x_train"][:, 0, 0, 0] = 1.7e9 + np.arange(len(held["x_train"])) / 10
    return held


def told_of_data(lines):
    return [line for line in lines if ROUNDED in line or UNLABELLED in line or "were asked for" in line]


def checked(progress):
    return check(untrained(), "loihi2", data(), samples=SAMPLES, progress=progress).told


def compared(progress):
    models = {"one": untrained(), "other": untrained()}
    compare(models, "loihi1,loihi2", data(), samples=SAMPLES, progress=progress)
    return progress.heard


def simulated(progress):
    return simulate(untrained(), "loihi2", data(), config=SimulateConfig(samples=SAMPLES), progress=progress).told


def data():
    return Dataset.of_arrays("mine", **doubtful())


@pytest.mark.parametrize("verb", [checked, compared, simulated])
def test_what_is_to_be_told_of_data_is_heard_from_python_and_stands_in_the_result(verb):
    progress = Listening()
    stands = verb(progress)
    for lines in (progress.heard, stands):
        first, second, third = told_of_data(lines)
        assert first.startswith(f"mine: {ROUNDED}")
        assert second.startswith(f"mine {UNLABELLED}")
        assert third == f"mine {FEW}"


def test_nothing_is_told_of_data_without_faults():
    progress = Listening()
    assert check(untrained(), "loihi2", Dataset.of_arrays(**arrays()), samples=5, progress=progress).told == ()
    assert check(untrained(), "loihi2").told == ()
    assert told_of_data(progress.heard) == []


@pytest.mark.parametrize(
    "verb",
    [
        ("check", "model.pt", "--target", "loihi1,loihi2"),
        ("compare", "model.pt", "model.nir.pt"),
        ("simulate", "model.pt", "--on", "torch"),
    ],
)
def test_the_shell_tells_each_line_once(tmp_path, monkeypatch, capsys, verb):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "500")
    np.savez("samples.npz", **doubtful())
    for name in ("model.pt", "model.nir.pt"):
        save_model_file(untrained(), name)
    with pytest.raises(SystemExit):
        main([*verb, "--samples", str(SAMPLES)])
    err = capsys.readouterr().err
    assert [err.count(line) for line in (ROUNDED, UNLABELLED, FEW)] == [1, 1, 1]

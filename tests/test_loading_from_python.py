"""The package from Python: values in, values out, one clear error for what does not fit."""

import math
from inspect import isfunction
from typing import get_type_hints

import numpy as np
import pytest
import torch

import spear_deploy as sd
from spear_deploy.backends.fixed_point.weight_bits import WeightBits
from spear_deploy.data import SplitName
from spear_deploy.errors import (
    ArgumentError,
    BackendError,
    BudgetError,
    DataError,
    ExportError,
    ModelError,
    OutputError,
    ProfileError,
    SearchError,
)
from spear_deploy.network import write_nir


@pytest.fixture(scope="module")
def digits():
    return sd.load_model("examples/digits.pt")


def test_a_model_prints_short(digits):
    assert repr(digits).startswith("Model(input 1x8x8, 1_leaky 16x8x8, ")
    assert repr(digits).endswith(f"{digits.time_steps} time steps, direct, count; {digits.parameters:,} parameters)")


def test_a_sound_nir_file_is_loaded_as_the_command_line_loads_it(digits, tmp_path):
    write_nir(digits, tmp_path / "digits.nir")
    assert sd.load_model(tmp_path / "digits.nir").network.layers == digits.network.layers


def test_a_chip_is_loaded_by_its_name():
    assert sd.load_profile("loihi2").name == "loihi2"
    with pytest.raises(ProfileError, match="loihi2"):
        sd.load_profile("lohi2")


def test_data_are_made_of_arrays_and_tensors_as_an_npz_is():
    x, y = np.random.default_rng(0).random((40, 3)), np.arange(40) % 2
    data = sd.Dataset.of_arrays(x_train=x, y_train=torch.from_numpy(y), x_test=x[:5], y_test=y[:5])
    assert (len(data.train), len(data.validation), len(data.test)) == (34, 6, 5)
    assert data.name == "arrays"


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"x_train": [[0.5]]}, "arrays: needs x_train"),
        ({"x_train": [["a"]], "x_test": [["b"]]}, "arrays: x_train must hold numbers"),
        ({"x_train": [[1.0], [1.0, 2.0]], "x_test": [[1.0]]}, "arrays: x_train is no array"),
        ({"x_trian": [[1.0]], "x_test": [[1.0]]}, "arrays: x_trian: no such array; known: x_test, x_train"),
        ({"x_train": [[1.0]], "x_test": [[1.0, 2.0]]}, "arrays: samples of x_test are 2, those of x_train 1"),
    ],
)
def test_arrays_that_do_not_fit_are_refused_in_one_line(arrays, said):
    with pytest.raises(DataError, match=said):
        sd.Dataset.of_arrays(**arrays)


@pytest.mark.parametrize("path", [5, None, torch.nn.Linear(1, 1)])
def test_what_is_no_path_is_refused(path):
    with pytest.raises(ModelError, match="a model is loaded from the path of its file, found"):
        sd.load_model(path)


def test_a_refusal_in_a_users_script_shows_one_place_of_ours_below_his_line(tmp_path):
    with pytest.raises(ModelError) as refused:
        sd.load_model(tmp_path / "none.pt")
    files = [entry.path.name for entry in refused.traceback]
    assert files == ["test_loading_from_python.py", "errors.py"]
    assert refused.value.__suppress_context__


WRONG = [
    (
        lambda net, data: sd.load_model("examples/digits.pt", input_shape=12),
        "load_model: `input_shape` takes a sequence",
    ),
    (lambda net, data: sd.load_model("examples/digits.pt", time_steps="20"), "`time_steps` takes int, found str '20'"),
    (lambda net, data: sd.load_model("examples/digits.pt", dt_s="x"), "`dt_s` takes float, found str 'x'"),
    (lambda net, data: sd.load_data(3), "load_data: `name` takes str or PathLike, found int 3"),
    (lambda net, data: sd.check("net.pt", "loihi2"), "check: `model` takes Model, found str 'net.pt'"),
    (lambda net, data: sd.check(net, "loihi2", "o.npz"), "`data` takes Dataset, found str 'o.npz'"),
    (lambda net, data: sd.check(net, "loihi2", data, samples="3"), "`samples` takes int, found str '3'"),
    (lambda net, data: sd.compare([net], ["loihi2"]), "`models` takes a mapping of str to Model, found list"),
    (
        lambda net, data: sd.simulate(net, "loihi2", data, config={"samples": 3}),
        "`config` takes SimulateConfig, found dict",
    ),
    (lambda net, data: sd.deploy(net, "loihi2", None), "deploy: `data` takes Dataset, found NoneType"),
    (lambda net, data: sd.deploy(net, "loihi2", data, {"seed": 1}), "`config` takes DeployConfig, found dict"),
    (lambda net, data: sd.DeployConfig(seed="x"), "DeployConfig: `seed` takes int, found str 'x'"),
    (lambda net, data: sd.SimulateConfig(samples=True), "SimulateConfig: `samples` takes int, found bool True"),
    (lambda net, data: sd.export("net.pt", ["nir"]), "export: `model` takes Model, found str 'net.pt'"),
    (lambda net, data: sd.load_model("examples/digits.pt", time_steps=2.5), "`time_steps` takes int, found float 2.5"),
    (lambda net, data: sd.load_model("examples/digits.pt", time_steps=True), "`time_steps` takes int, found bool True"),
    (lambda net, data: sd.load_model("examples/digits.pt", arch=5), "`arch` takes str, found int 5"),
    (lambda net, data: sd.check(net, "loihi2", adapt="no"), "check: `adapt` takes bool, found str 'no'"),
    (lambda net, data: sd.simulate(net, "loihi2", data, seed="a"), "simulate: `seed` takes int, found str 'a'"),
    (
        lambda net, data: sd.simulate(net, "loihi2", data, progress=print),
        "`progress` takes Progress, found builtin_function_or_method",
    ),
    (lambda net, data: sd.SimulateConfig(samples=0), "SimulateConfig: `samples` is 1 or more, found 0"),
    (lambda net, data: sd.SimulateConfig(samples=-3), "SimulateConfig: `samples` is 1 or more, found -3"),
    (lambda net, data: sd.SimulateConfig(split=3.5), "SimulateConfig: `split` takes SplitName, found float 3.5"),
    (lambda net, data: sd.SimulateConfig(save=3.5), "SimulateConfig: `save` takes Path, found float 3.5"),
    (lambda net, data: sd.SimulateConfig(lava_seconds=math.nan), "`lava_seconds` is a finite number, found nan"),
    (lambda net, data: sd.DeployConfig(seed=-1), "DeployConfig: `seed` is 0 or more, found -1"),
    (lambda net, data: sd.DeployConfig(workers=0), "DeployConfig: `workers` is 1 or more, found 0"),
    (lambda net, data: sd.DeployConfig(lre_samples=0), "DeployConfig: `lre_samples` is 8 or more, found 0"),
    (lambda net, data: sd.DeployConfig(plan=3), "DeployConfig: `plan` takes TuningPlan, found int 3"),
    (lambda net, data: sd.DeployConfig(widths="2-4"), "DeployConfig: `widths` takes Widths, found str '2-4'"),
    (lambda net, data: sd.quickened("a"), "quickened: `config` takes DeployConfig, found str 'a'"),
    (lambda net, data: sd.reproduce(3), "reproduce: `run` takes str or Path, found int 3"),
]


@pytest.fixture(scope="module")
def pictures():
    x, y = np.random.default_rng(0).integers(0, 17, (20, 1, 8, 8)) / 16, np.arange(20) % 2
    return sd.Dataset.of_arrays(x_train=x, y_train=y, x_test=x, y_test=y)


@pytest.mark.parametrize(("call", "said"), WRONG)
def test_an_argument_of_another_kind_is_named_with_what_it_takes_and_what_was_found(digits, pictures, call, said):
    with pytest.raises(ArgumentError) as caught:
        call(digits, pictures)
    assert said in str(caught.value)


def test_a_fault_that_no_argument_has_stays_what_it_is(digits, monkeypatch):
    def broken(*given, **options):
        raise TypeError("ours")

    monkeypatch.setattr("spear_deploy.jobs.check.check", broken)
    with pytest.raises(TypeError, match="ours"):
        sd.check(digits, "loihi2")


def test_values_that_would_do_nothing_are_refused(digits, pictures):
    with pytest.raises(BudgetError, match="budgets are texts or limits"):
        sd.DeployConfig(budgets="50%")
    with pytest.raises(BudgetError, match=r"found \(50,\)"):
        sd.DeployConfig(budgets=(50,))
    with pytest.raises(BudgetError, match="found 30"):
        sd.DeployConfig(budgets=30)
    with pytest.raises(BudgetError, match="budgets '30%' and '40%' both speak of SynOps per inference; give one"):
        sd.DeployConfig(budgets=("30%", "40%"))
    with pytest.raises(SearchError, match="`lre_error` is a share above 0 and below 1"):
        sd.DeployConfig(lre_error=3.0)
    with pytest.raises(DataError, match="no split called 'tset'; known: train, validation, test"):
        sd.SimulateConfig(split="tset")
    with pytest.raises(ModelError, match="weight bits 9: give bits from 2 to 8"):
        sd.SimulateConfig(weight_bits=9)
    with pytest.raises(ProfileError, match="a chip is a name or the path of its TOML file, found NoneType"):
        sd.check(digits, None)
    with pytest.raises(DataError, match="a seed is 0 or more, found -1"):
        sd.simulate(digits, "loihi2", pictures, seed=-1)
    with pytest.raises(ExportError, match="no format is named; known: lava, netx, nir, onnx"):
        sd.export(digits, ())
    with pytest.raises(OutputError, match="results go to the path of a folder, found int"):
        sd.export(digits, "nir", pictures).save(3)
    with pytest.raises(BackendError, match="no backend is named; known: torch, chip"):
        sd.simulate(digits, "loihi2", pictures, ())
    with pytest.raises(DataError, match="one sample or more, found 0"):
        sd.check(digits, "loihi2", pictures, samples=0)
    with pytest.raises(DataError, match="arrays are given by name"):
        sd.Dataset.of_arrays({"x_train": []})


def test_what_is_typed_on_the_terminal_may_be_given_from_python(digits, pictures, tmp_path):
    config = sd.SimulateConfig(split="test", weight_bits="6", save=str(tmp_path / "spikes.npz"))
    assert config == sd.SimulateConfig(SplitName.TEST, weight_bits=WeightBits(6), save=tmp_path / "spikes.npz")
    assert sd.DeployConfig(weight_bits=6, cache="kept").weight_bits == WeightBits(6)
    seen = sd.simulate(digits, "loihi2", pictures, "torch,chip", config)
    assert list(seen.simulated.results) == ["torch", "chip"]
    assert config.save.is_file()
    assert [row.profile.name for row in sd.compare({"net": digits}, "loihi1,loihi2")] == ["loihi1", "loihi2"]
    loihi1 = sd.load_profile("loihi1")
    (entry,) = sd.export(digits, "netx", pictures, chip=loihi1, weight_bits=6, file_format="netx", adapt=True).entries
    assert entry.integers.target == "loihi1"
    assert "6-bit weights" in entry.integers.arithmetic


@pytest.mark.parametrize("name", [name for name in sd.__all__ if isfunction(getattr(sd, name))])
def test_every_function_of_the_package_has_kinds_that_arguments_can_be_held_against(name):
    assert get_type_hints(getattr(sd, name))

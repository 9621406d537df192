"""The package from Python: values in, values out, one clear error for what does not fit."""

import numpy as np
import pytest
import torch

import spear_deploy as sd
from spear_deploy.errors import ArgumentError, BackendError, BudgetError, DataError, ModelError, ProfileError
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
    (lambda net, data: sd.reproduce(3), "reproduce: `run` takes str or Path, found int 3"),
]


@pytest.fixture(scope="module")
def pictures():
    x, y = np.random.default_rng(0).random((20, 1, 8, 8)), np.arange(20) % 2
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
    with pytest.raises(BackendError, match="no backend is named; known: torch, chip"):
        sd.simulate(digits, "loihi2", pictures, ())
    with pytest.raises(DataError, match="one sample or more, found 0"):
        sd.check(digits, "loihi2", pictures, samples=0)
    with pytest.raises(DataError, match="arrays are given by name"):
        sd.Dataset.of_arrays({"x_train": []})

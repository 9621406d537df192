"""The package from Python: values in, values out, one clear error for what does not fit."""

import numpy as np
import pytest
import torch

import spear_deploy as sd
from spear_deploy.errors import DataError, ModelError, ProfileError
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

import math

import h5py
import pytest
import torch
from network_builders import small_cnn

from spear_deploy.errors import ModelError
from spear_deploy.network import Simulation, load_any, save_model, write_nir


def test_a_file_is_known_by_its_content_not_its_name(tmp_path):
    model = save_model(small_cnn(), tmp_path / "one.xyz", input_shape=(1, 8, 8), time_steps=5)
    write_nir(model, tmp_path / "two.pt")
    x = torch.rand(5, 3, 1, 8, 8)
    spikes = [Simulation(load_any(tmp_path / name).graph)(x).output for name in ("one.xyz", "two.pt")]
    assert spikes[0].sum() > 0
    assert torch.equal(*spikes)


def test_a_file_of_another_kind_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("beta = 0.9")
    with pytest.raises(ModelError, match=r"notes\.txt: "):
        load_any(tmp_path / "notes.txt")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["spikes"] = [1, 2, 3]
    with pytest.raises(ModelError, match=r"other\.h5: an HDF5 file, but"):
        load_any(tmp_path / "other.h5")
    with pytest.raises(ModelError, match=r"none: no such model file"):
        load_any(tmp_path / "none")


@pytest.mark.parametrize("suffix", ["pt", "nir"])
def test_how_a_file_is_used_may_be_said_anew_whatever_its_kind(tmp_path, suffix):
    model = save_model(small_cnn(), tmp_path / "net.pt", input_shape=(1, 8, 8), time_steps=5)
    write_nir(model, tmp_path / "net.nir")
    found = load_any(tmp_path / f"net.{suffix}", time_steps=7, encoding="spikes", input_shape=(1, 8, 8))
    assert (found.time_steps, found.encoding) == (7, "spikes")
    with pytest.raises(ModelError, match=r"takes an input of 1x8x8, not of 2x8x8"):
        load_any(tmp_path / f"net.{suffix}", input_shape=(2, 8, 8))
    with pytest.raises(ModelError, match="'morse': no such encoding; known: direct, rate, spikes"):
        load_any(tmp_path / f"net.{suffix}", encoding="morse")
    for dt in (0.0, -1e-4, math.inf, math.nan):
        with pytest.raises(ModelError, match=f"`dt_s` is a number of seconds above 0, found {dt:g}"):
            load_any(tmp_path / f"net.{suffix}", dt_s=dt)
    with pytest.raises(ModelError, match="read-out 'membrane' needs neurons without threshold"):
        load_any(tmp_path / f"net.{suffix}", read_out="membrane")

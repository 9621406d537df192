import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch

from spear_deploy.data import encode, load_data
from spear_deploy.data.folder import read_folder
from spear_deploy.data.stored import InFile, Packed
from spear_deploy.errors import DataError

SHAPE = (30, 5, 2, 3, 8)
"""Samples, time steps, channels, height, width."""


def events(seed=0, shape=SHAPE):
    return (np.random.default_rng(seed).random(shape) < 0.2).astype(np.uint8)


def arrays(x):
    labels = np.arange(len(x)) % 3
    return {"x_train": x, "y_train": labels, "x_test": x[:9], "y_test": labels[:9]}


def folder_of(path, content):
    path.mkdir()
    for name, values in content.items():
        np.save(path / f"{name}.npy", values)
    return path


@pytest.mark.parametrize("size", [1, 7, 64, 65])
def test_packed_events_take_a_bit_each_and_come_back_as_they_were(size):
    x = events(shape=(size, 3, 5))
    packed = Packed.of(x)
    assert packed.bits.nbytes == size * 2  # 15 bits
    assert (packed.tensor().numpy() == x).all()
    assert len(packed) == size


@pytest.fixture(params=["packed", "in a file", "in a file, packed"])
def stored(request, tmp_path):
    x = events()
    if request.param == "packed":
        return Packed.of(x), x
    packed = request.param.endswith("packed")
    name = "x_train_bits" if packed else "x_train"
    folder_of(tmp_path / "data", {name: np.packbits(x, axis=-1) if packed else x})
    return read_folder(tmp_path / "data")[0]["x_train"], x


@pytest.mark.parametrize(
    "index", [slice(0, 4), slice(29, 40), slice(5, 5), torch.tensor([3, 3, 29, 0, 1, 2]), np.array([7])]
)
def test_some_samples_are_those_of_the_whole(stored, index):
    samples, x = stored
    assert (samples[index].numpy() == x[index]).all()
    assert (samples.take(index).tensor().numpy() == x[index]).all()
    assert (samples.take(slice(3, 25))[slice(2, 9)].numpy() == x[5:12]).all()


def test_what_another_process_gets_of_samples_in_a_file_is_where_they_lie(tmp_path):
    folder_of(tmp_path / "data", {"x_train": events()})
    samples = read_folder(tmp_path / "data")[0]["x_train"]
    sent = pickle.dumps(samples)
    assert len(sent) < 2000
    assert (pickle.loads(sent).tensor() == samples.tensor()).all()


@pytest.mark.parametrize("packed", [False, True])
def test_a_folder_of_npy_files_is_the_data_set_that_an_npz_is(tmp_path, packed):
    content = arrays(events())
    np.savez(tmp_path / "data.npz", **content)
    if packed:
        for part in ("train", "test"):
            content[f"x_{part}_bits"] = np.packbits(content.pop(f"x_{part}"), axis=-1)
    folder = folder_of(tmp_path / "data", content)
    by_npz, by_folder = load_data(tmp_path / "data.npz"), load_data(folder)
    for one, other in zip(by_npz.splits, by_folder.splits, strict=True):
        assert isinstance(other.x, InFile)
        assert (one.y == other.y).all()
        assert (one.index == other.index).all()
        a, b = (encode(each, "spikes", SHAPE[1]) for each in (one, other))
        assert torch.equal(a.inputs, b.inputs)
        assert torch.equal(a.take(torch.tensor([2, 0])).inputs, b.inputs[:, [2, 0]])


def test_folders_beside_arrays_are_told_and_hidden_ones_are_not(tmp_path):
    folder = folder_of(tmp_path / "data", arrays(events()))
    (folder / ".git").mkdir()
    plain = load_data(folder)
    for name in ("train", "test"):
        (folder / name).mkdir()
    told, *others = load_data(folder).notices
    assert told == "samples are those of its .npy files; folders in it are passed over: test, train"
    assert tuple(others) == plain.notices


def test_values_that_a_regression_learns_come_from_a_folder_as_from_an_npz(tmp_path):
    content = arrays(events())
    for part in ("train", "test"):
        count = len(content[f"x_{part}"])
        content[f"y_{part}"] = np.linspace(0, 1, 3 * count).reshape(count, 3)
    found = load_data(folder_of(tmp_path / "folder", content))
    np.testing.assert_array_equal(found.test.y, content["y_test"].astype(np.float32))


def test_images_in_a_folder_are_shown_in_every_step_without_being_copied(tmp_path):
    images = np.random.default_rng(0).random((12, 1, 4, 4)).astype(np.float32)
    data = load_data(folder_of(tmp_path / "data", arrays(images)))
    shown = encode(data.test, "direct", 6).take(slice(2, 5))
    assert shown.inputs.stride(0) == 0
    assert shown.inputs.shape == (6, 3, 1, 4, 4)
    assert (shown.inputs[4].numpy() == images[2:5]).all()
    in_memory = load_data(folder_of(tmp_path / "more", arrays(images)))
    rates = encode(replace(in_memory.test, x=torch.from_numpy(images[:9])), "rate", 6).inputs
    assert torch.equal(encode(data.test, "rate", 6).inputs, rates)


def test_counts_in_a_folder_are_clipped_by_the_batch(tmp_path):
    counts = np.random.default_rng(0).integers(0, 4, SHAPE).astype(np.uint8)
    data = load_data(folder_of(tmp_path / "data", arrays(counts)))
    clipped = encode(data.test, "clipped", SHAPE[1])
    assert not clipped.analog
    assert (clipped.inputs.numpy() == np.minimum(counts[:9], 1).swapaxes(0, 1)).all()
    with pytest.raises(DataError, match="needs samples of 0 and 1"):
        encode(data.test, "spikes", SHAPE[1])


def test_events_weigh_an_eighth_of_their_bytes_once_they_are_loaded(tmp_path):
    np.savez(tmp_path / "data.npz", **arrays(events()))
    data = load_data(tmp_path / "data.npz")
    assert isinstance(data.train.x, Packed)
    assert data.train.x.bits.nbytes * 8 == np.prod(data.train.x.shape)
    assert encode(data.train, "spikes", SHAPE[1]).stored is data.train.x


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"x_test": events()}, r"missing x_train, found x_test"),
        (
            {"x_train": events(), "x_train_bits": events(), "x_test": events()},
            r"holds both x_train.npy and x_train_bits",
        ),
        (
            arrays(events()) | {"x_validation_bits": events()},
            r"x_validation is read by no one: samples for validation are x_val",
        ),
        ({"x_train_bits": events().astype(np.float32), "x_test": events()}, r"must hold bytes, found float32"),
        ({"x_train": np.array(["a"]), "x_test": events()}, r"must hold numbers, found <U1"),
        (
            {"x_train": np.asfortranarray(events()), "x_test": events()},
            r"is in Fortran order; write it with numpy.save",
        ),
        ({"x_train": np.full((3, 2), np.nan), "x_test": np.ones((3, 2))}, r"x_train holds values that are not finite"),
        ({"x_train": events(), "x_test": events(shape=(3, 4))}, r"samples of x_test are 4, those of x_train 5 x 2 x 3"),
    ],
)
def test_a_folder_that_is_no_data_set_is_refused(tmp_path, content, message):
    with pytest.raises(DataError, match=message):
        load_data(folder_of(tmp_path / "data", content))


def test_a_file_that_was_cut_is_refused_before_it_is_used_and_while(tmp_path):
    folder = folder_of(tmp_path / "data", arrays(events()))
    samples, file = read_folder(folder)[0]["x_train"], folder / "x_train.npy"
    file.write_bytes(file.read_bytes()[:-10])
    with pytest.raises(DataError, match=r"x_train.npy: ends before sample 29"):
        samples.tensor()
    with pytest.raises(DataError, match=r"damaged \(x_train.npy: its header says"):
        load_data(folder)

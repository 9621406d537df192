import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from spear_deploy.data import Dataset, check_fits, data_of, load_data
from spear_deploy.data.recordings import read_recording
from spear_deploy.errors import DataError


def arrays(train=20, test=6, shape=(3,), classes=4, seed=0):
    rng = np.random.default_rng(seed)
    return {
        "x_train": rng.random((train, *shape)),
        "y_train": rng.integers(0, classes, train),
        "x_test": rng.random((test, *shape)),
        "y_test": rng.integers(0, classes, test),
    }


@pytest.fixture
def written(tmp_path):
    def write(**content):
        path = tmp_path / "samples.npz"
        np.savez(path, **content)
        return path

    return write


def test_the_digits_are_split_into_1097_300_and_400_disjoint_images():
    digits = load_data("digits")
    assert [len(split) for split in digits.splits] == [1097, 300, 400]
    together = np.concatenate([split.index for split in digits.splits])
    assert sorted(together.tolist()) == list(range(1797))


def test_each_digit_is_the_image_of_scikit_learn_that_its_index_names():
    images, labels = load_digits(return_X_y=True)
    for split in load_data("digits").splits:
        assert torch.equal(split.x.flatten(1).double() * 16, torch.from_numpy(images[split.index]))
        assert split.y.tolist() == labels[split.index].tolist()


def test_the_splits_of_the_digits_never_change():
    digits = load_data("digits")
    assert [split.index[:4].tolist() for split in digits.splits] == [
        [360, 1773, 1482, 600],
        [376, 1118, 710, 1795],
        [1532, 1640, 1279, 372],
    ]
    # kept samples and old reports name the data by this
    assert digits.sha256 == "f8fdbc9c20d5d8aab555a12242b78be3ba38863af8ff3278cf3357813ed8f455"


def test_15_percent_of_every_class_of_train_become_validation(written):
    content = arrays(train=100)
    data = load_data(written(**content))
    held = data.validation.index
    assert sorted([*held, *data.train.index]) == list(range(100))
    np.testing.assert_array_equal(data.validation.x, content["x_train"][held].astype(np.float32))
    np.testing.assert_array_equal(data.validation.y, content["y_train"][held])
    counts, expected = np.bincount(data.validation.y), 0.15 * np.bincount(content["y_train"])
    assert np.abs(counts - expected).max() <= 0.5


def test_validation_samples_that_are_given_are_used(written):
    content = arrays(train=10)
    extra = arrays(train=4, seed=1)
    data = load_data(written(**content, x_val=extra["x_train"], y_val=extra["y_train"]))
    assert [len(split) for split in data.splits] == [10, 4, 6]
    np.testing.assert_array_equal(data.validation.x, extra["x_train"].astype(np.float32))


def test_the_hash_tells_data_apart(written):
    content = arrays()
    first = load_data(written(**content)).sha256
    assert load_data(written(**content)).sha256 == first
    content["y_test"][0] = (content["y_test"][0] + 1) % 4
    assert load_data(written(**content)).sha256 != first


def test_other_arrays_of_a_file_are_no_one_s_business(written):
    others = {name: np.ones(3) for name in ("x_valence", "y_deviation", "classes")}
    assert load_data(written(**arrays(), **others)).sha256 == load_data(written(**arrays())).sha256


def test_samples_without_any_labels_are_taken_and_said_to_have_none(written):
    content = {key: value for key, value in arrays(train=20).items() if key.startswith("x")}
    data = load_data(written(**content, x_val=arrays(train=4, seed=1)["x_train"]))
    assert [len(split) for split in data.splits] == [20, 4, 6]
    assert data.labels == "none"
    assert all((split.y < 0).all() for split in data.splits)
    assert load_data(written(**arrays())).labels == "data"


def _too_large(content):
    content["x_test"][0, 0] = 1e300


def _nan(content):
    content["x_train"][3, 1] = np.nan


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.pop("y_test"), r"needs x_train, y_train, x_test, y_test; missing y_test, found x_test"),
        (lambda c: c.pop("y_train"), r"missing y_train, found .*; without any labels \(no y_...\), the network's own"),
        (lambda c: (c.pop("y_train"), c.pop("y_test"), c.update(y_val=np.ones(2, int))), "missing y_train, y_test,"),
        (lambda c: c.update(x_val=np.ones((2, 3))), "x_val and y_val belong together, found only one"),
        (lambda c: c.update(y_val=np.ones(2, int)), "x_val and y_val belong together, found only one"),
        (lambda c: c.update(x_valid=np.ones((2, 3))), "x_valid is read by no one: samples for validation are x_val"),
        (lambda c: c.update(x_dev=np.ones((2, 3))), "x_dev is read by no one: samples for validation are x_val"),
        (lambda c: c.update(x_train=np.array([["a"] * 3] * 20)), "x_train must hold numbers, found <U1"),
        (
            lambda c: c.update(y_train=np.ones(20, bool)),
            r"y_train must hold integers .*, found bool; write y\.astype\(int",
        ),
        (
            lambda c: c.update(y_train=np.ones(20)),
            "y_train is float64, y_test int64: labels are integers .* in all, or fl",
        ),
        (
            lambda c: c.update(y_train=np.ones((20, 4, 1))),
            r"y_train needs a value a sample, \[20\], .*that change over ti",
        ),
        (lambda c: c.update(y_test=np.ones(5)), r"y_test needs a value a sample, \[6\], .*found shape \(5,\)"),
        (lambda c: c.update(y_test=np.full(6, np.inf)), "y_test holds values that are not finite"),
        (
            lambda c: c.update(y_train=np.ones((20, 2)), y_test=np.ones((6, 3))),
            r"is of shape \(20, 2\), y_test \(6, 3\): as many values a sample",
        ),
        (
            lambda c: c.update(y_train=np.eye(20, dtype=int)),
            r"y_train needs one label a sample, 20, found .*\(20, 20\), one-hot rows; write y\.argmax\(1\)",
        ),
        (
            lambda c: c.update(y_train=np.arange(80).reshape(20, 4) % 3),
            r"found shape \(20, 4\); a label for each step is not learned, only one .* write y\[:, -1\] where the last",
        ),
        (lambda c: c.update(y_train=np.ones((20, 4), int)), r"found shape \(20, 4\); write y\[:, 0\]"),
        (lambda c: c.update(y_train=np.ones((20, 1), int)), r"found shape \(20, 1\); write y\[:, 0\]"),
        (lambda c: c.update(y_train=np.ones((20, 4, 4), int)), r"found .*; maps of labels are not learned, only one"),
        (lambda c: c.update(y_test=np.ones(5, int)), r"y_test needs one label a sample, 6, found shape \(5,\)"),
        (lambda c: c.update(x_test=np.ones((0, 3)), y_test=np.ones(0, int)), "x_test holds no samples"),
        (lambda c: c.update(x_test=np.ones((6, 4))), r"samples of x_test are 4, those of x_train 3"),
        (_nan, "x_train holds values that are not finite"),
        (_too_large, "x_test holds values that are not finite"),
        (lambda c: c.update(y_train=np.full(20, -1)), "labels start at 0, y_train holds -1"),
        (lambda c: c.update(x_train=np.array(1.0)), "x_train holds no samples"),
        (lambda c: c.update(x_train=np.ones((2, 3)), y_train=np.ones(2, int)), "2 training samples are too few"),
    ],
)
def test_a_faulty_npz_is_refused_by_array_and_numbers(written, change, message):
    content = arrays()
    change(content)
    with pytest.raises(DataError, match=rf"samples\.npz: .*{message}"):
        load_data(written(**content))


@pytest.mark.parametrize(
    ("y", "way_out"),
    [
        (np.arange(40).reshape(20, 2), "y.astype('float32')"),
        (np.eye(20, dtype=int), "y.astype('float32')"),
        (np.ones((20, 1), int), "y.astype('float32')"),
        (np.arange(20) - 5, "y.astype('float32')"),
        (np.arange(20) << 40, "y.astype('float32')"),
        (np.arange(180).reshape(20, 3, 3), "y.reshape(len(y), -1).astype('float32')"),
    ],
)
def test_integers_that_are_no_classes_are_values_by_the_way_out_that_is_told(y, way_out):
    content = arrays() | {"y_train": y, "y_test": y[:6]}
    with pytest.raises(DataError) as told:
        Dataset.of_arrays(**content)
    assert str(told.value).endswith(f"; where they are values that a regression is to tell, write {way_out}")
    values = {"y_train": y.astype("float32").reshape(20, -1), "y_test": y[:6].astype("float32").reshape(6, -1)}
    assert Dataset.of_arrays(**(content | values)).test.y.shape == (6, y[0].size)


@pytest.mark.parametrize("content", [b"", b"no archive at all", b"PK\x03\x04 cut off"])
def test_a_file_that_is_no_npz_is_refused(tmp_path, content):
    path = tmp_path / "samples.npz"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"samples\.npz: not an npz file, or damaged"):
        load_data(path)


def test_a_truncated_npz_is_refused(written):
    path = written(**arrays())
    path.write_bytes(path.read_bytes()[:-300])
    with pytest.raises(DataError, match=r"samples\.npz: not an npz file, or damaged"):
        load_data(path)


def test_an_npz_whose_arrays_are_damaged_is_refused(written):
    path = written(**arrays())
    content = bytearray(path.read_bytes())
    content[200:260] = bytes(60)
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"samples\.npz: not an npz file, or damaged"):
        load_data(path)


def test_an_npz_of_python_objects_is_refused_and_runs_nothing(written):
    content = arrays() | {"x_train": np.array([{"a": 1}] * 20, dtype=object)}
    with pytest.raises(DataError, match=r"samples\.npz: x_train: holds Python objects, where numbers are needed"):
        load_data(written(**content))


def test_sequences_of_unequal_length_in_an_npz_are_refused_with_the_way_out(written):
    rows = np.empty(20, dtype=object)
    rows[:] = [np.ones((3 + number % 4, 6)) for number in range(20)]
    with pytest.raises(
        DataError, match=r"x_train: holds Python objects, .*: pad rows of unequal length to one, and name"
    ):
        load_data(written(**arrays() | {"x_train": rows}))


def test_python_objects_in_a_folder_or_a_recording_are_no_damage_either(tmp_path):
    rows = np.array([[1, 2], None], dtype=object)
    np.save(tmp_path / "x_train.npy", rows)
    np.savez(tmp_path / "events.npz", x=rows, y=rows, t=rows, p=rows)
    with pytest.raises(DataError, match=f"^{tmp_path}: x_train.npy: holds Python objects, where numbers are needed"):
        load_data(tmp_path)
    with pytest.raises(DataError, match=r"events\.npz: x: holds Python objects, where numbers are needed"):
        read_recording(tmp_path / "events.npz")


@pytest.mark.parametrize("name", ["samples.h5", "samples.pt", "x_train.npy"])
def test_a_file_of_another_kind_is_no_data_set_and_told_what_is(tmp_path, name):
    (tmp_path / name).write_bytes(b"anything")
    said = rf"{name}: no file of a data set; known: digits, the path of an \.npz file with .* as \.npy files, or"
    with pytest.raises(DataError, match=said):
        load_data(tmp_path / name)


def test_a_single_array_is_no_npz(tmp_path):
    with (tmp_path / "samples.npz").open("wb") as file:
        np.save(file, np.ones((3, 3)))
    with pytest.raises(DataError, match=r"samples\.npz: not an npz file"):
        load_data(tmp_path / "samples.npz")


def test_a_missing_file_and_an_unknown_name_are_told_apart(tmp_path):
    with pytest.raises(DataError, match=r"none\.npz: no such data file"):
        load_data(tmp_path / "none.npz")
    with pytest.raises(DataError, match=r"no data set called 'cifar'; known: digits, the path of an \.npz file"):
        load_data("cifar")


def test_samples_that_do_not_suit_the_network_are_refused(written):
    data = load_data(written(**arrays(shape=(2, 3))))
    with pytest.raises(DataError, match=r"samples are 2 x 3 a time step, the network takes 2 x 4"):
        check_fits(data, "direct", (2, 4), classes=4)
    of_bits = load_data(written(**arrays(shape=(2, 32))))
    with pytest.raises(DataError, match=r"the network takes 2 x 30; bits in a file are a multiple of 8"):
        check_fits(of_bits, "direct", (2, 30), classes=4)
    with pytest.raises(DataError, match=r"labels go up to 3, the network has 3 outputs \(labels 0 to 2\)"):
        check_fits(data, "direct", (2, 3), classes=3)
    check_fits(data, "direct", (2, 3), classes=4)
    check_fits(data, "spikes", (3,), classes=4)
    with pytest.raises(DataError, match=r"samples are 2 x 3, without time, and encoding 'delta' needs them in each"):
        check_fits(data, "delta", (2, 3), classes=4)


@pytest.mark.parametrize("label", [2**64 - 1, 2**63, 2**31])
@pytest.mark.parametrize("key", ["y_train", "y_test"])
def test_labels_beyond_all_classes_are_refused_and_never_wrapped(written, key, label):
    """As int64 the first would be -1, which stands for no label."""
    content = arrays()
    content[key] = content[key].astype(np.uint64)
    content[key][0] = label
    with pytest.raises(DataError, match=f"labels number classes, {key} holds {label}"):
        load_data(written(**content))


@pytest.mark.parametrize(
    ("labels", "way_out"),
    [
        (lambda n: np.eye(4)[np.arange(n) % 4], r" of one-hot rows; write y\.argmax\(1\)"),
        (lambda n: np.arange(n) % 4 * 1.0, r"; write y\.astype\(int\)"),
        (lambda n: np.linspace(0, 1, n), r"; where it is to tell these values, say `objective='regression'`"),
    ],
)
def test_values_are_no_labels_of_a_network_that_tells_classes(written, labels, way_out):
    content = arrays(shape=(2, 3)) | {"y_train": labels(20), "y_test": labels(6)}
    with pytest.raises(DataError, match=rf"tells classes, which are integers, and labels of train are floats{way_out}"):
        check_fits(load_data(written(**content)), "direct", (2, 3), classes=4)


def test_a_regression_takes_as_many_values_as_it_tells_and_no_classes(written):
    values = {"y_train": np.random.rand(20, 2), "y_test": np.random.rand(6, 2)}
    data = load_data(written(**arrays(shape=(2, 3)) | values))
    check_fits(data, "direct", (2, 3), 2, "regression")
    with pytest.raises(DataError, match="labels are 2 values a sample, the network tells 3"):
        check_fits(data, "direct", (2, 3), 3, "regression")
    with pytest.raises(DataError, match=r"labels are 2 values a sample, the network tells 1; a value for each step is"):
        check_fits(data, "direct", (2, 3), 1, "regression")
    with pytest.raises(DataError, match=r"learns values, which are floats, .* train are integers; write y\.astype"):
        check_fits(load_data(written(**arrays(shape=(2, 3)))), "direct", (2, 3), 4, "regression")


@pytest.mark.parametrize("shape", [(7, 2), (4, 6), (6, 8, 8)])
def test_values_over_time_boxes_and_maps_are_refused_as_such(written, shape):
    values = {"y_train": np.random.rand(20, *shape), "y_test": np.random.rand(6, *shape)}
    told = (
        r"found shape \(20, .*\); maps are given flat, and neither boxes nor values that change over time are learned$"
    )
    with pytest.raises(DataError, match=told):
        load_data(written(**arrays(shape=(2, 3)) | values))


def test_validation_of_values_is_drawn_at_random_and_each_sample_keeps_its_own(written):
    content = arrays(train=40) | {"y_train": np.linspace(0, 1, 40), "y_test": np.linspace(0, 1, 6)}
    data = load_data(written(**content))
    taken = np.concatenate([data.train.index, data.validation.index])
    assert sorted(taken) == list(range(40))
    assert len(data.validation) == 6
    assert data.validation.source == "x_train, at random, seed 0"
    for split in (data.train, data.validation):
        np.testing.assert_array_equal(split.y[:, 0], content["y_train"][split.index].astype(np.float32))


class Told:
    """A data set of PyTorch's kind whose labels are values, or classes in arrays of one."""

    def __init__(self, labels):
        self.labels = labels

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        return torch.full((2, 3), float(index)), self.labels[index]


def test_labels_of_a_torch_data_set_are_values_where_they_are_floats_and_else_classes():
    values = data_of(Told(torch.rand(20, 2)), Told(torch.rand(5, 2)))
    assert values.train.y.shape[1:] == values.test.y.shape[1:] == (2,)
    assert values.train.y.is_floating_point()
    classes = data_of(Told(torch.arange(20)[:, None] % 4), Told([0, 1, 2]))
    assert classes.test.y.tolist() == [0, 1, 2]
    assert not classes.train.y.is_floating_point()
    with pytest.raises(DataError, match=r"test 1 has a label of shape \(2,\), the first of \(1,\)"):
        data_of(Told(torch.rand(20, 1)), Told([torch.rand(1), torch.rand(2)]))

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace

import numpy as np
import pytest

from spear_deploy.hardware import Activity
from spear_deploy.measure import SpikeRecord
from spear_deploy.pruning import ANY_WIDTH, Widths
from spear_deploy.search import Features, LreSample, SampleStore, StoreKey
from spear_deploy.training import Recipe

KEY = StoreKey("model", "data", "direct", Recipe(), ANY_WIDTH, seed=0, threads=1, torch="2")


def activity(rng, inferences):
    spikes = {name: rng.integers(0, 900, shape) / inferences for name, shape in (("input", (1, 3, 3)), ("fc", (4,)))}
    shapes = {"input": (1, 3, 3), "fc": (4,)}
    bits = {name: rng.integers(0, 256, (4, 5, size), dtype=np.uint8) for name, size in (("input", 2), ("fc", 1))}
    tail, peak = (float(rng.integers(1, 99)) for _ in range(2))
    return Activity(spikes, 4, True, None, inferences, tail, peak, SpikeRecord(bits, shapes, 4, 5))


def made(count, seed=0):
    rng = np.random.default_rng(seed)
    samples = []
    for _ in range(count):
        layers = {"fc": rng.random() / 3, "out": rng.random() * 1e5}
        features = Features(rng.random(3), rng.random() * 1e5, rng.random() * 1e5, layers, dict(layers))
        before, after = activity(rng, 97), activity(rng, 1097)
        samples.append(LreSample(features, rng.random() * 1e5, rng.random(), before, after, layers))
    return samples


def plain(samples):
    """Everything a sample holds, in values that can be compared."""

    def each(value):
        if isinstance(value, dict):
            return {key: each(inner) for key, inner in value.items()}
        return (value.shape, value.tolist()) if isinstance(value, np.ndarray) else value

    return [None if sample is None else each(asdict(sample)) for sample in samples]


@pytest.fixture
def notices():
    return []


@pytest.fixture
def store(tmp_path, notices):
    return SampleStore(tmp_path / "deep" / "cache", KEY, notices.append)


def test_samples_read_back_are_equal_bit_for_bit(store):
    samples = [*made(3), None, *made(2, seed=1)]
    store.save(samples)
    assert plain(store.load()) == plain(samples)


def test_means_that_are_no_fractions_of_the_inferences_are_kept_exactly_too(store):
    (sample,) = made(1)
    odd = replace(sample, before=replace(sample.before, spikes={"fc": np.random.default_rng(3).random(5)}))
    store.save([odd])
    assert plain(store.load()) == plain([odd])


def test_without_a_file_nothing_is_known(store, notices):
    assert store.load() == []
    assert notices == []


def test_the_file_can_be_read_by_a_person(store):
    store.save(made(2))
    content = json.loads(store.path.read_text())
    assert content["key"]["recipe"] == {"epochs": 6, "batch": 64, "learning_rate": 0.002}
    assert len(content["samples"]) == 2


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[: len(text) // 2],
        lambda text: "",
        lambda text: "[]",
        lambda text: text.replace('"accuracy":0.', '"accuracy":0.1', 1),
        lambda text: text.replace('"seed":0', '"seed":1'),
        lambda text: text.replace('"samples"', '"sample"'),
    ],
)
def test_a_damaged_file_is_told_and_not_used(store, notices, damage):
    store.save(made(2))
    whole = store.path.read_text()
    store.path.write_text(damage(whole))
    assert damage(whole) != whole
    assert store.load() == []
    assert len(notices) == 1
    assert "damaged" in notices[0]
    store.save(made(1))
    assert len(store.load()) == 1


def test_a_file_of_other_bytes_is_told_and_not_used(store, notices):
    store.save(made(1))
    store.path.write_bytes(b"\xff\xfe\x00")
    assert store.load() == []
    assert "cannot be read" in notices[0]


def test_a_shorter_list_never_replaces_a_longer_one(store):
    store.save(made(3))
    store.save(made(2))
    assert len(store.load()) == 3


@pytest.mark.parametrize(
    "other",
    [
        {"model": "x"},
        {"data": "x"},
        {"recipe": Recipe(epochs=1)},
        {"widths": Widths(2)},
        {"seed": 1},
        {"threads": 2},
        {"device": "cuda:0 (NVIDIA H200)"},
        {"torch": "3"},
        {"scheme": 99},
    ],
)
def test_samples_of_another_key_are_not_taken(store, other):
    store.save(made(1))
    assert SampleStore(store.folder, replace(KEY, **other)).load() == []


def test_runs_side_by_side_leave_a_whole_file_and_no_others(store):
    """Many writers and readers at once: whatever is read is a beginning of the same sequence."""
    samples = made(12)
    expected = plain(samples)

    def write_and_read(count):
        store.save(samples[:count])
        return plain(store.load())

    with ThreadPoolExecutor(8) as pool:
        seen = list(pool.map(write_and_read, [1, 12, 3, 7, 5, 12, 2, 9] * 4))
    assert all(found and found == expected[: len(found)] for found in seen)
    assert plain(store.load()) == expected[: len(store.load())]
    assert list(store.folder.iterdir()) == [store.path]


def test_a_folder_that_cannot_be_written_is_told(tmp_path, notices):
    (tmp_path / "file").write_text("")
    SampleStore(tmp_path / "file", KEY, notices.append).save(made(1))
    assert len(notices) == 1
    assert "cannot be kept" in notices[0]

import hashlib
import json
import os
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace

import numpy as np
import pytest

from spear_deploy.hardware import Activity
from spear_deploy.measure import SpikeRecord
from spear_deploy.pruning import ANY_WIDTH, Widths
from spear_deploy.search import Features, LreSample, SampleStore, StoreKey
from spear_deploy.search.lre.sampling import Made
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
        total = sum(layers.values())
        features = Features(rng.random(3), total, total, layers, dict(layers))
        before, after = activity(rng, 97), activity(rng, 1097)
        samples.append(LreSample(features, total, rng.random(), before, after, layers))
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


def keep(store, samples):
    for number, sample in enumerate(samples):
        store.save(number, Made(sample, 1.5))


def ratios_of(samples):
    return [np.zeros(3) if sample is None else sample.features.keep_ratios for sample in samples]


def loaded(store, samples):
    """What the store gives for these networks, by number, in values that can be compared."""
    return {number: plain([made.sample]) for number, made in store.load(ratios_of(samples)).items()}


def test_samples_read_back_are_equal_bit_for_bit(store):
    samples = [*made(3), None, *made(2, seed=1)]
    keep(store, samples)
    assert loaded(store, samples) == {number: plain([sample]) for number, sample in enumerate(samples)}


def test_means_that_are_no_fractions_of_the_inferences_are_kept_exactly_too(store):
    (sample,) = made(1)
    odd = replace(sample, before=replace(sample.before, spikes={"fc": np.random.default_rng(3).random(5)}))
    keep(store, [odd])
    assert loaded(store, [odd]) == {0: plain([odd])}


def test_each_sample_is_kept_by_its_number_whatever_came_before_it(store):
    samples = made(4)
    store.save(3, Made(samples[3], 2.0))
    store.save(1, Made(samples[1], 2.0))
    assert loaded(store, samples) == {1: plain([samples[1]]), 3: plain([samples[3]])}


def test_without_a_file_nothing_is_known(store, notices):
    assert store.load(ratios_of(made(2))) == {}
    assert notices == []


def test_what_was_made_before_is_told_with_what_it_cost(store, notices):
    samples = made(3)
    keep(store, samples[:2])
    store.load(ratios_of(samples))
    assert notices == [f"2 of 3 LRE samples were made by an earlier run, in 3 s of work, and come from {store.folder}"]


def test_samples_are_told_of_those_that_are_asked_for(store, notices):
    """A run that asks for two and may make a third where LRE is not sure."""
    samples = made(3)
    keep(store, samples)
    asked = replace(store, asked=2)
    asked.load(ratios_of(samples[:2]))
    asked.load(ratios_of(samples))
    assert [text[: text.index(" were")] for text in notices] == [
        "2 of 2 LRE samples",
        "2 of 2 LRE samples and 1 beyond them",
    ]


def test_a_file_can_be_read_by_a_person(store):
    keep(store, made(2))
    content = json.loads((store.folder / "00001.json").read_text())
    wanted = {"epochs": 6, "batch": 64, "learning_rate": 0.002, "optimiser": "adam"}
    assert {key: content["key"]["recipe"][key] for key in wanted} == wanted
    assert (content["number"], content["seconds"]) == (1, 1.5)


def rehashed(change):
    """Changes the sample and gives the file the hash of what it holds then."""

    def damage(text):
        head, body = text.split('"sample": ')
        body = change(body[: body.rindex("}")])
        old = head.split('"sha256": "')[1].split('"')[0]
        return f'{head.replace(old, hashlib.sha256(body.encode()).hexdigest())}"sample": {body}}}\n'

    return damage


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[: len(text) // 2],
        lambda text: "",
        lambda text: "[]",
        lambda text: "[" * 100_000,
        lambda text: text.replace('"accuracy":0.', '"accuracy":0.1', 1),
        lambda text: text.replace('"seed":0', '"seed":1'),
        lambda text: text.replace('"number": 0', '"number": 1'),
        lambda text: text.replace('"sample"', '"samples"'),
        rehashed(lambda body: re.sub(r'"accuracy":[\d.]+', '"accuracy":7.5', body)),
        rehashed(lambda body: re.sub(r'"synops":[\d.]+', '"synops":1.0', body)),
        rehashed(lambda body: re.sub(r'"keep_ratios":\[[\d.]+', '"keep_ratios":[0.125', body)),
    ],
)
def test_a_damaged_file_is_told_and_not_used(store, notices, damage):
    samples = made(2)
    keep(store, samples)
    path = store.folder / "00000.json"
    whole = path.read_text()
    path.write_text(damage(whole))
    assert damage(whole) != whole
    assert loaded(store, samples) == {1: plain([samples[1]])}
    assert "00000.json: cannot be used" in notices[0]
    store.save(0, Made(samples[0], 1.0))
    assert len(store.load(ratios_of(samples))) == 2


@pytest.mark.parametrize("kind", ["bytes", "a pipe", "a device", "a folder"])
def test_a_file_of_another_kind_is_told_and_not_used(store, notices, kind):
    keep(store, made(1))
    path = store.folder / "00000.json"
    path.unlink()
    match kind:
        case "bytes":
            path.write_bytes(b"\xff\xfe\x00")
        case "a pipe":
            os.mkfifo(path)
        case "a device":
            path.symlink_to("/dev/zero")
        case _:
            path.mkdir()
    assert store.load(ratios_of(made(1))) == {}
    assert "cannot be used" in notices[0]


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
    keep(store, made(1))
    another = SampleStore(store.cache, replace(KEY, **other))
    assert another.load(ratios_of(made(1))) == {}
    another.folder.mkdir()
    (store.folder / "00000.json").rename(another.folder / "00000.json")
    assert another.load(ratios_of(made(1))) == {}


def test_runs_side_by_side_leave_whole_files_and_no_others(store):
    """Many writers and readers at once: whatever is read is a sample of the sequence."""
    samples = made(6)
    expected = {number: plain([sample]) for number, sample in enumerate(samples)}

    def write_and_read(number):
        store.save(number, Made(samples[number], 1.0))
        return loaded(store, samples)

    with ThreadPoolExecutor(8) as pool:
        seen = list(pool.map(write_and_read, [1, 5, 3, 0, 2, 4, 2, 1] * 4))
    assert all(found and found.items() <= expected.items() for found in seen)
    assert loaded(store, samples) == expected
    assert len(list(store.folder.iterdir())) == 6


def test_a_folder_that_cannot_be_written_is_told_once(tmp_path, notices):
    (tmp_path / "file").write_text("")
    store = SampleStore(tmp_path / "file", KEY, notices.append)
    for number, sample in enumerate(made(3)):
        store.save(number, Made(sample, 1.0))
    assert len(notices) == 1
    assert "cannot be kept" in notices[0]

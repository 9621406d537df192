from contextlib import nullcontext

import numpy as np
import pytest
from made_task import arrays, untrained
from scipy.stats import qmc

from spear_deploy.data import encode, load_data
from spear_deploy.pruning import ANY_WIDTH
from spear_deploy.search import CandidateFactory, SampleStore, StoreKey, collect_samples, draw_ratios
from spear_deploy.search.lre import sampling
from spear_deploy.search.lre.halton import halton
from spear_deploy.system.executors import Processes
from spear_deploy.training import Recipe

RECIPE = Recipe(epochs=1, batch=40, learning_rate=1e-2)


@pytest.mark.parametrize("dimensions", [1, 2, 7, 30])
def test_the_points_are_scipys_halton_sequence_to_the_last_bit(dimensions):
    ours = halton(dimensions, 500, np.random.default_rng((3, 1)))
    theirs = qmc.Halton(dimensions, scramble=True, rng=np.random.default_rng((3, 1))).random(500)
    assert np.array_equal(ours, theirs)


def test_a_quarter_of_the_ratios_is_drawn_low():
    drawn = draw_ratios(groups=3, count=40, seed=0)
    assert drawn.shape == (40, 3)
    low = drawn[(drawn <= 0.3).all(1)]
    assert len(low) >= 10
    assert low.min() < 0.1
    assert drawn.min() >= 0.06
    assert 0.95 < drawn.max() <= 1.0


@pytest.mark.parametrize("groups", [1, 4, 20])
def test_every_group_is_covered_evenly(groups):
    drawn = draw_ratios(groups, count=32, seed=1)
    for ratios in drawn.T:
        counts, _ = np.histogram(ratios, np.linspace(0.25, 1.0, 6))
        assert counts.min() >= 2


def test_asking_for_more_keeps_those_drawn_before():
    most = draw_ratios(5, 40, seed=2)
    for count in (1, 2, 6, 13, 39):
        assert np.array_equal(draw_ratios(5, count, seed=2), most[:count])


def test_any_beginning_holds_low_ratios_and_high_ones():
    drawn = draw_ratios(3, 40, seed=0)
    for count in (8, 12, 16, 24):
        low = (drawn[:count] <= 0.3).all(1).sum()
        assert low == count // 4
        assert drawn[:count].max() > 0.8


def test_ratios_follow_from_the_seed_alone():
    assert np.array_equal(draw_ratios(3, 24, seed=5), draw_ratios(3, 24, seed=5))
    assert not np.array_equal(draw_ratios(3, 24, seed=5), draw_ratios(3, 24, seed=6))


@pytest.mark.parametrize("count", [1, 2, 8])
def test_any_number_can_be_drawn(count):
    assert draw_ratios(2, count, seed=0).shape == (count, 2)


@pytest.fixture(scope="module")
def factory(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "samples.npz"
    np.savez(path, **arrays())
    model = untrained()
    return CandidateFactory(model, encode(load_data(path).train, model.encoding, model.time_steps))


@pytest.fixture(scope="module")
def fresh(factory):
    return collect_samples(factory, 20, RECIPE, seed=3)


def figures(samples):
    """All figures of samples, to the last bit."""
    return [
        (
            each.features.keep_ratios.tolist(),
            each.features.pruned_synops,
            each.features.recalibrated_synops,
            each.synops,
            each.accuracy,
            dict(each.synops_by_layer),
            {name: spikes.tolist() for name, spikes in each.after.spikes.items()},
            (each.before.p99_synops, each.before.busiest_step_synops),
            (each.after.p99_synops, each.after.busiest_step_synops),
        )
        for each in samples
    ]


def store_in(folder):
    return SampleStore(folder, StoreKey("m", "d", "direct", RECIPE, ANY_WIDTH, seed=3, threads=1, torch="t"))


def kept_in(folder):
    """Numbers of the samples that lie in a store."""
    return sorted(int(path.stem) for path in store_in(folder).folder.iterdir())


def interrupting(monkeypatch, after):
    """Ctrl-C comes while a sample is made, after so many others."""
    make, made = sampling.make_sample, []

    def until(*job):
        if len(made) == after:
            raise KeyboardInterrupt
        made.append(job)
        return make(*job)

    monkeypatch.setattr(sampling, "make_sample", until)
    return made


def test_each_sample_is_kept_as_it_is_made_and_none_is_made_twice(factory, fresh, tmp_path, monkeypatch):
    said = []
    with monkeypatch.context() as patch:
        interrupting(patch, after=5)
        with pytest.raises(KeyboardInterrupt) as caught:
            collect_samples(factory, 20, RECIPE, 3, store=store_in(tmp_path), notice=said.append)
    assert kept_in(tmp_path) == [0, 1, 2, 3, 4]
    assert caught.value.__notes__ == ["5 LRE samples are kept, 20 were asked for; the same command goes on from there"]
    assert said == ["interrupted; samples in flight have 5 s to end"]
    (store_in(tmp_path).folder / "00001.json").unlink()
    with monkeypatch.context() as patch:
        again = interrupting(patch, after=16)
        found = collect_samples(factory, 20, RECIPE, 3, store=store_in(tmp_path))
    assert len(again) == 16
    assert figures(found) == figures(fresh)


def test_layers_add_up_to_the_networks_synops(fresh):
    for sample in fresh:
        assert sum(sample.synops_by_layer.values()) == pytest.approx(sample.synops)
        assert sum(sample.features.pruned_by_layer.values()) == pytest.approx(sample.features.pruned_synops)
        assert sum(sample.features.recalibrated_by_layer.values()) == pytest.approx(sample.features.recalibrated_synops)
        assert sample.after.busiest_step_synops < sample.after.p99_synops * 1.5
        assert sample.synops < sample.after.p99_synops


def test_samples_from_the_store_equal_fresh_ones_and_asking_for_more_extends_them(factory, fresh, tmp_path):
    first = collect_samples(factory, 6, RECIPE, seed=3, store=store_in(tmp_path))
    more = collect_samples(factory, 20, RECIPE, seed=3, store=store_in(tmp_path))
    assert figures(first) == figures(fresh[: len(first)])
    assert figures(more) == figures(fresh)
    assert kept_in(tmp_path) == list(range(20))


def test_nothing_is_made_again_that_the_store_holds(factory, fresh, tmp_path, monkeypatch):
    collect_samples(factory, 8, RECIPE, seed=3, store=store_in(tmp_path))
    monkeypatch.setattr(sampling, "make_sample", lambda *_: pytest.fail("made a sample"))
    told = []
    kept = collect_samples(factory, 8, RECIPE, 3, lambda: told.append(1), store=store_in(tmp_path))
    assert figures(kept) == figures(fresh[: len(kept)])
    assert len(told) == 8


def test_sampling_stops_where_it_is_enough_whatever_the_store_holds(factory, fresh, tmp_path):
    asked = []

    def enough(samples):
        asked.append(len(samples))
        return len(asked) == 2

    found = collect_samples(factory, 20, RECIPE, 3, enough=enough, store=store_in(tmp_path))
    assert figures(found) == figures(fresh[: len(found)])
    assert kept_in(tmp_path) == list(range(16))
    collect_samples(factory, 20, RECIPE, 3, store=store_in(tmp_path))
    asked.clear()
    assert figures(collect_samples(factory, 20, RECIPE, 3, enough=enough, store=store_in(tmp_path))) == figures(found)


@pytest.mark.slow
def test_samples_do_not_depend_on_the_number_of_workers(factory, fresh):
    found = collect_samples(factory, 20, RECIPE, 3, executor=Processes(2), enough=lambda samples: True)
    assert figures(found) == figures(fresh[: len(found)])
    assert len(found) < len(fresh)


@pytest.mark.parametrize(
    ("options", "rounds"),
    [({}, [30]), ({"enough": lambda samples: False, "fewest": 18}, [18, 2, 4, 4, 2])],
    ids=["nobody asks whether they are enough", "asked from 18 on"],
)
def test_no_worker_waits_for_another_before_it_is_asked_whether_samples_are_enough(
    factory, monkeypatch, options, rounds
):
    handed = []

    class Maker:
        def run(self, jobs):
            handed.append(len(jobs))
            return ((place, sampling.Made(None, 0.0)) for place in range(len(jobs)))

    monkeypatch.setattr(sampling, "_maker", lambda *given: nullcontext(Maker()))
    collect_samples(factory, 30, RECIPE, 3, **options)
    assert handed == rounds


def test_a_process_that_waits_for_samples_gives_back_the_memory_that_keeping_one_took(factory, tmp_path, monkeypatch):
    told, store = [], store_in(tmp_path)
    keep = store.save
    monkeypatch.setattr(SampleStore, "save", lambda self, number, made: (keep(number, made), told.append("kept")))
    monkeypatch.setattr(sampling, "give_back_memory", lambda: told.append("given back"))
    collect_samples(factory, 3, RECIPE, 3, executor=Processes(2), store=store)
    assert told[:7] == ["given back", *3 * ["kept", "given back"]]


def test_networks_that_no_longer_spike_are_left_out_and_counted(factory, fresh, monkeypatch):
    make, made, told = sampling.make_sample, [], []

    def silent_at_first(*job):
        made.append(job)
        return None if len(made) <= 3 else make(*job)

    monkeypatch.setattr(sampling, "make_sample", silent_at_first)
    found = collect_samples(factory, 6, RECIPE, 3, notice=told.append)
    assert figures(found) == figures(fresh[3:6])
    assert told == ["3 of LRE's 6 sampled networks cannot be used: pruned and fine-tuned, they no longer spike"]


def test_a_samples_fine_tune_that_met_nan_is_told_with_its_number(factory):
    told = []
    endless = Recipe(epochs=1, batch=40, learning_rate=float("inf"))
    collect_samples(factory, 2, endless, seed=3, notice=told.append)
    assert any(line.startswith("LRE sample 1: a fine-tune met a loss") for line in told)
    assert any(line.startswith("LRE sample 2: ") and "last finite network" in line for line in told)

"""A run that is ended at any moment goes on from what is finished, to the same weights and figures."""

import os
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
from made_task import arrays, write_task
from test_interruption import Told

from spear_deploy import __version__
from spear_deploy.errors import OutputError, RunError
from spear_deploy.hardware import load_profile, parse_budget
from spear_deploy.jobs.deploy import recorded, resuming
from spear_deploy.jobs.deploy.deploy import deploy
from spear_deploy.jobs.deploy.recorded import plain_request, request_from
from spear_deploy.jobs.deploy.request import DeployRequest
from spear_deploy.jobs.deploy.resuming import unfinished, unfinished_request
from spear_deploy.jobs.progress import Silent
from spear_deploy.search import TuningPlan
from spear_deploy.search.lre.store import SampleStore
from spear_deploy.system.journal import Step
from spear_deploy.training import Recipe

RECIPE = Recipe(epochs=1, batch=32, learning_rate=5e-3)
TIMES = {"seconds", "peak_memory_mib", "earlier", "told", "request", "command"}
"""Of a report, what may differ between a run that went on and one that was not interrupted."""


class Killed(BaseException):
    """Ends a run as a signal that nobody hears: nothing is tidied on its account."""


class Ended(Silent):
    """Ends the run when a stage has advanced so far, the first or a later one of that name; keeps the notices."""

    def __init__(self, stage="", after=0, which=1):
        self.at, self.after, self.left, self.notices = stage, after, which, []

    @contextmanager
    def stage(self, name, total):
        done = 0
        self.left -= name == self.at

        def advance(done_so_far=None, detail=None):
            nonlocal done
            done += 1
            if name == self.at and done == self.after and not self.left:
                raise Killed

        if name == self.at and not self.after and not self.left:
            raise Killed
        yield advance

    def notice(self, text):
        self.notices.append(text)


@pytest.fixture(scope="module")
def request_for(tmp_path_factory):
    model = write_task(tmp_path_factory.mktemp("task"))

    def make(folder, name="run", **changes):
        return replace(
            DeployRequest(
                model=model,
                targets=(load_profile("loihi2"),),
                out=folder / name,
                budgets=("30%", parse_budget("cores=40")),
                lre_samples=8,
                evaluations=8,
                finalists=1,
                plan=TuningPlan(RECIPE, replace(RECIPE, epochs=3), patience=2),
                lava=False,
                cache=folder / "cache",
            ),
            **changes,
        )

    return make


@pytest.fixture(scope="module")
def undisturbed(request_for, tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    (report,) = deploy(request_for(folder), Silent()).values()
    return folder, report


@pytest.fixture
def finished_steps(monkeypatch):
    """How often each step that is kept was done, samples by their number."""
    done = Counter()
    keep, save = Step.keep, SampleStore.save

    def kept(step, value, seconds):
        if step.journal.keeps and "epoch" not in step.key:
            done[step.key] += 1
        keep(step, value, seconds)

    def saved(store, number, made):
        done[number] += 1
        save(store, number, made)

    monkeypatch.setattr(Step, "keep", kept)
    monkeypatch.setattr(SampleStore, "save", saved)
    return done


def figures(report):
    return report.model_dump(exclude=TIMES)


def results(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix in (".pt", ".nir", ".onnx")}


@pytest.mark.parametrize(("stage", "after"), [("LRE samples", 3), ("search", 5), ("fine-tune", 2), ("LRE check", 0)])
def test_it_ends_as_if_it_had_not_been_killed_and_nothing_is_done_twice(
    request_for, undisturbed, finished_steps, tmp_path, stage, after
):
    whole, expected = undisturbed
    with pytest.raises(Killed):
        deploy(request_for(tmp_path), Ended(stage, after))
    assert not (tmp_path / "run").exists()
    before = Counter(finished_steps)
    told = Ended()
    (report,) = deploy(request_for(tmp_path), told).values()
    assert figures(report) == figures(expected)
    assert results(tmp_path / "run") == results(whole / "run")
    assert set(finished_steps.values()) == {1}
    assert sum(before.values()) > 3
    assert sum(found.steps for found in report.earlier.values()) > 3
    assert len([line for line in told.notices if "goes on with the unfinished run" in line]) == 1
    assert not list((tmp_path / "cache").glob("run-*"))


IN_TWO_ROUNDS = {"plan": TuningPlan(RECIPE, replace(RECIPE, epochs=3), rounds=2, learned=1.1), "finalists": 2}


@pytest.fixture(scope="module")
def undisturbed_in_two_rounds(request_for, tmp_path_factory):
    folder = tmp_path_factory.mktemp("rounds")
    (report,) = deploy(request_for(folder, **IN_TWO_ROUNDS), Silent()).values()
    return folder, report


@pytest.mark.parametrize(("stage", "after"), [("search", 5), ("fine-tune", 1), ("fine-tune", 2)])
def test_one_that_its_user_cut_short_ends_as_if_it_had_not_been(
    request_for, undisturbed_in_two_rounds, tmp_path, stage, after
):
    whole, expected = undisturbed_in_two_rounds
    asked = request_for(tmp_path, **IN_TWO_ROUNDS)
    (cut,) = deploy(asked, Told(stage, after)).values()
    assert cut.interrupted == stage
    (report,) = deploy(asked, Silent()).values()
    assert figures(report) == figures(expected)
    assert report.told[:1] == [text for text in report.told if "goes on with the unfinished run" in text]
    assert results(tmp_path / "run") == results(whole / "run")


def test_it_is_found_by_what_was_asked_whatever_its_folder(request_for, undisturbed, tmp_path):
    with pytest.raises(Killed):
        deploy(request_for(tmp_path, "first"), Ended("search", 5))
    told = Ended()
    (report,) = deploy(request_for(tmp_path, "second", workers=2), told).values()
    assert report.earlier["evaluation"].steps > 0
    assert figures(report) == figures(undisturbed[1])


def test_of_several_results_those_that_are_complete_are_no_hindrance(request_for, finished_steps, tmp_path):
    asked = request_for(tmp_path, budgets=(), pareto=(parse_budget("60%"), parse_budget("30%")), force=False)
    with pytest.raises(Killed):
        deploy(asked, Ended("search", 3, which=2))
    first = results(tmp_path / "run" / "60pct")
    assert first
    assert not (tmp_path / "run" / "30pct").exists()
    with pytest.raises(OutputError, match="is not empty"):
        deploy(replace(asked, seed=1), Ended())  # of another request
    reports = deploy(unfinished(asked.cache, asked.out).request, Ended())
    assert [place.name for place in reports] == ["60pct", "30pct"]
    assert results(tmp_path / "run" / "60pct") == first
    assert set(finished_steps.values()) == {1}
    with pytest.raises(OutputError, match="is not empty"):
        deploy(asked, Ended())  # nothing of it is unfinished any more


def test_another_seed_does_not_go_on_with_it(request_for, tmp_path):
    with pytest.raises(Killed):
        deploy(request_for(tmp_path), Ended("LRE samples", 1))
    told = Ended("LRE samples", 1)
    with pytest.raises(Killed):
        deploy(request_for(tmp_path, seed=1), told)
    assert not [line for line in told.notices if "goes on" in line]
    assert len(list((tmp_path / "cache").glob("run-*"))) == 2


def test_it_is_found_by_its_folder_too(request_for, tmp_path):
    asked = request_for(tmp_path)
    with pytest.raises(Killed):
        deploy(asked, Ended("LRE samples", 1))
    found = unfinished(asked.cache, asked.out)
    assert found.request == asked
    assert found.steps == 3  # the dense network, measured on two splits and fine-tuned
    with pytest.raises(RunError, match=r"no unfinished run of that folder(.|\n)*unfinished are:\n.*run \(model.pt"):
        unfinished_request(asked.cache, tmp_path / "elsewhere")


def test_paths_of_an_unfinished_run_lead_where_they_led(request_for, tmp_path, monkeypatch):
    asked = request_for(tmp_path)
    monkeypatch.chdir(asked.model.parent)
    here = replace(asked, model=asked.model.relative_to(asked.model.parent), data="samples.npz")
    with pytest.raises(Killed):
        deploy(here, Ended("LRE samples", 1))
    assert unfinished(asked.cache, asked.out).request == here
    monkeypatch.chdir(tmp_path)
    found = unfinished(asked.cache, asked.out).request
    assert (found.model, found.data) == (asked.model, str(asked.model.parent / "samples.npz"))


def test_samples_that_changed_since_are_told_and_nothing_of_the_run_before_is_lost(request_for, tmp_path):
    asked = request_for(tmp_path)
    model = write_task(tmp_path)
    asked = replace(asked, model=model)
    with pytest.raises(Killed):
        deploy(asked, Ended("LRE samples", 1))
    (before,) = (tmp_path / "cache").glob("run-*")
    np.savez(tmp_path / "samples.npz", **arrays(seed=1))
    told = Ended("LRE samples", 1)
    with pytest.raises(Killed):
        deploy(unfinished(asked.cache, asked.out).request, told)
    (line,) = [line for line in told.notices if line.startswith("begins anew: since the unfinished run of ")]
    assert line.endswith(f" the samples changed; its 3 finished steps stay in {before}")
    assert len(list(before.glob("*.step"))) == 3
    assert not [line for line in told.notices if "goes on" in line]


def test_steps_of_another_version_are_told_by_it(request_for, tmp_path, monkeypatch):
    asked = request_for(tmp_path)
    with pytest.raises(Killed):
        deploy(asked, Ended("LRE samples", 1))
    monkeypatch.setattr(recorded, "__version__", "99.0")
    told = Ended("LRE samples", 1)
    with pytest.raises(Killed):
        deploy(asked, told)
    (line,) = [line for line in told.notices if line.startswith("begins anew")]
    assert f" spear-deploy became 99.0 (was {__version__}); its 3 finished steps stay in " in line


def test_it_is_found_though_the_folder_that_it_was_asked_from_is_gone(request_for, tmp_path, monkeypatch):
    asked = request_for(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    with pytest.raises(Killed):
        deploy(asked, Ended("LRE samples", 1))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "elsewhere").rmdir()
    assert unfinished(asked.cache, asked.out).request == asked


def begun(request, steps=1):
    """Begin a run and end it early; the folder that its steps are kept in."""
    before = set(request.cache.glob("run-*"))
    with pytest.raises(Killed):
        deploy(request, Ended("LRE samples", steps))
    (folder,) = set(request.cache.glob("run-*")) - before
    return folder


def test_of_two_runs_for_one_folder_the_later_is_gone_on_with_whatever_the_clock_said(request_for, tmp_path):
    asked = request_for(tmp_path)
    earlier, later = begun(asked), begun(replace(asked, seed=1))
    for folder, seconds in ((earlier, 2e9), (later, 1e9)):  # the clock was set back between the two
        for path in folder.iterdir():
            os.utime(path, (seconds, seconds))
    assert unfinished(asked.cache, asked.out).request.seed == 1
    with pytest.raises(Killed):
        deploy(asked, Ended("LRE samples", 1))  # gone on with, it is the later one again
    assert unfinished(asked.cache, asked.out).request.seed == 0


def test_a_clock_that_is_far_ahead_forgets_none_of_the_last_runs(request_for, tmp_path, monkeypatch):
    monkeypatch.setattr(resuming, "KEPT_RUNS", 2)
    folders = [begun(request_for(tmp_path, seed=seed)) for seed in range(3)]
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 1000 * 24 * 3600)
    assert begun(request_for(tmp_path, seed=3)).exists()
    assert [folder.exists() for folder in folders] == [False, True, True]


@pytest.mark.parametrize("damage", [("", "{"), ('"prune_multiple": 1.4', '"prune_multiple": Infinity')])
def test_a_record_that_cannot_be_read_costs_no_more_than_the_name(request_for, tmp_path, damage):
    """Nor does one of a request that an earlier version took and this one refuses."""
    asked = request_for(tmp_path)
    with pytest.raises(Killed):
        deploy(asked, Ended("LRE samples", 1))
    (record,) = (tmp_path / "cache").glob("run-*/run.json")
    assert damage[0] in record.read_text()
    record.write_text(record.read_text().replace(*damage, 1))
    assert unfinished(asked.cache, asked.out) is None
    told = Ended("LRE samples", 1)
    with pytest.raises(Killed):
        deploy(asked, told)
    assert [line for line in told.notices if "goes on" in line]


def test_without_a_cache_nothing_is_kept(request_for, tmp_path):
    with pytest.raises(Killed):
        deploy(request_for(tmp_path, cache=None), Ended("LRE samples", 1))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("chip", ["loihi2", "akd1000", "brainscales2"])
def test_a_request_comes_back_from_what_is_recorded_of_it(request_for, tmp_path, chip):
    asked = request_for(tmp_path, targets=(load_profile(chip),), pareto=(parse_budget("50%"),))
    assert request_from(plain_request(asked)) == asked
    assert request_from(plain_request(asked)).targets[0].inherited == asked.targets[0].inherited

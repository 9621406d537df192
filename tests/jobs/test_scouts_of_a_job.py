"""Which processes a job's search may have evaluate ahead."""

import os
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from made_task import write_task

from spear_deploy.hardware import load_profile
from spear_deploy.jobs.deploy import search
from spear_deploy.jobs.deploy.prepare import prepare
from spear_deploy.jobs.deploy.request import DeployRequest
from spear_deploy.jobs.progress import Silent
from spear_deploy.search import TuningPlan
from spear_deploy.system.executors import HERE
from spear_deploy.training import Recipe


@pytest.fixture(scope="module")
def asked(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scouts")
    target = load_profile("loihi2")
    recipe = Recipe(epochs=1, batch=32, learning_rate=5e-3)
    request = DeployRequest(
        model=write_task(folder),
        targets=(target,),
        out=folder / "out",
        lre_samples=8,
        lava=False,
        plan=TuningPlan(recipe, recipe),
    )
    return request, prepare(request, Silent())


@pytest.mark.parametrize(("threads", "processors", "count"), [(1, 2, 2), (1, 1, 1), (2, 2, 1), (2, 4, 2)])
def test_they_have_processors_that_the_search_leaves(asked, monkeypatch, threads, processors, count):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(processors)), raising=False)
    request, prepared = asked
    assert search._scouts(replace(request, threads=threads, workers=2), prepared).slots == count


def test_on_a_gpu_the_search_has_it_alone(asked, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(8)), raising=False)
    request, prepared = asked
    on_gpu = SimpleNamespace(model=prepared.factory.model, train=SimpleNamespace(device=torch.device("cuda")))
    assert search._scouts(replace(request, workers=2), replace(prepared, factory=on_gpu)) == HERE

"""What tests of the search share."""

import numpy as np
import pytest
from made_task import write_task
from made_tuner import SHORT

from spear_deploy.hardware import load_profile, parse_budgets
from spear_deploy.jobs.deploy.prepare import prepare
from spear_deploy.jobs.deploy.request import DeployRequest
from spear_deploy.jobs.deploy.searching import pose
from spear_deploy.jobs.progress import Clock, Silent
from spear_deploy.search import CandidateFactory


@pytest.fixture(scope="module")
def posed(tmp_path_factory):
    """A target with a limit on single inferences beside that on their mean, and a search that has its candidates."""
    folder = tmp_path_factory.mktemp("crew")
    request = DeployRequest(
        model=write_task(folder),
        targets=(load_profile("loihi2"),),
        out=folder / "out",
        budgets=parse_budgets(["60%", "p99=70%"]),
        lre_samples=8,
        lava=False,
        plan=SHORT,
    )
    prepared = prepare(request, Silent())
    (target,) = prepared.targets
    problem = pose(target, request, prepared, Clock(Silent()))
    for ratios in ([0.9, 0.5], [0.5, 0.9], [0.7, 0.7]):
        problem.evaluate(np.array(ratios))
    return target, problem


@pytest.fixture
def made_here(monkeypatch):
    """The candidates that this process made."""
    made, candidate = [], CandidateFactory.candidate

    def noted(self, ratios, **options):
        made.append(tuple(ratios))
        return candidate(self, ratios, **options)

    monkeypatch.setattr(CandidateFactory, "candidate", noted)
    return made

"""One agent for all budgets of a run: trained once, kept beside the results, and carried to another run."""

import hashlib
import os
import signal
from collections import Counter
from contextlib import contextmanager
from dataclasses import replace

import pytest
from made_networks import Chain
from made_task import CLASSES, STEPS, write_task

from spear_deploy.errors import RunError, SearchError
from spear_deploy.hardware import load_profile, parse_budget
from spear_deploy.jobs.deploy.deploy import deploy
from spear_deploy.jobs.deploy.request import DeployConfig, DeployRequest
from spear_deploy.jobs.deploy.resuming import unfinished
from spear_deploy.jobs.progress import Silent
from spear_deploy.jobs.reproduce import reproduce
from spear_deploy.report.tables import origin
from spear_deploy.search import TuningPlan
from spear_deploy.search.strategies.agent_file import AGENT_FILE, agent_bytes, read_agent
from spear_deploy.system.journal import Step
from spear_deploy.training import Recipe

RECIPE = Recipe(epochs=1, batch=16, learning_rate=5e-3)
EVALUATIONS = 9
TRAINING = 6
"""Of each budget; a third is left for its answer."""

BUDGETS = (parse_budget("60%"), parse_budget("30%"))


class Listening(Silent):
    """Keeps the notices and the stages; acts when a stage has advanced so far for the first time."""

    def __init__(self, stage="", after=0, act=lambda: None):
        self.at, self.after, self.act, self.notices, self.stages = stage, after, act, [], []

    @contextmanager
    def stage(self, name, total):
        done, first = 0, name not in [earlier for earlier, _ in self.stages]
        self.stages.append((name, total))

        def advance(done_so_far=None, detail=None):
            nonlocal done
            done += 1
            if first and name == self.at and done == self.after:
                self.act()

        yield advance

    def notice(self, text):
        self.notices.append(text)


@pytest.fixture(scope="module")
def request_for(tmp_path_factory):
    model = write_task(tmp_path_factory.mktemp("task"))

    def make(folder, name="run", **changes):
        asked = DeployRequest(
            model=model,
            targets=(load_profile("loihi2"),),
            out=folder / name,
            budgets=(),
            pareto=BUDGETS,
            strategy="agent",
            seed=2,
            lre_samples=8,
            evaluations=EVALUATIONS,
            finalists=1,
            plan=TuningPlan(RECIPE, replace(RECIPE, epochs=2)),
            lava=False,
            cache=folder / "cache",
        )
        return replace(asked, **changes)

    return make


@pytest.fixture(scope="module")
def front(request_for, tmp_path_factory):
    """A run that trained an agent: its folder, its reports, and what it told."""
    folder, told = tmp_path_factory.mktemp("front"), Listening()
    reports = list(deploy(request_for(folder), told).values())
    return folder / "run", reports, told


def carried(request_for, folder, agent, **changes):
    """A request that carries an agent to a single budget."""
    return request_for(folder, pareto=(), budgets=("40%",), agent=agent, **changes)


def history(report):
    return [tuple(each.keep_ratios) for each in report.search.history[:EVALUATIONS]]


def test_it_is_trained_once_for_all_budgets_and_has_the_evaluations_of_other_searches(front):
    _, reports, told = front
    searches = [total for name, total in told.stages if name == "search"]
    assert searches == [2 * TRAINING, EVALUATIONS - TRAINING, EVALUATIONS - TRAINING]
    for report in reports:
        assert report.search.strategy == "agent"
        # Its moves may lead to networks that are known, which are none; equal ratios come once more as a finalist.
        assert TRAINING < len(report.search.history) <= EVALUATIONS
        assert not report.interrupted


def test_it_lies_beside_each_result_and_the_report_tells_what_it_learned_from(front):
    folder, reports, _ = front
    for place, report in zip(("60pct", "30pct"), reports, strict=True):
        content = (folder / place / AGENT_FILE).read_bytes()
        told = report.search.agent
        assert (told.carried, told.sha256) == (False, hashlib.sha256(content).hexdigest())
        assert told.groups == {"lif1": 8, "lif2": 12}
        assert list(told.budgets) == ["60% on loihi2", "30% on loihi2"]
        assert told.budgets["60% on loihi2"] == pytest.approx(2 * told.budgets["30% on loihi2"], rel=1e-6)
        assert (told.evaluations, told.seed) == (2 * TRAINING, 2)


def test_the_page_says_where_the_agent_comes_from(front):
    for report in front[1]:
        rows = dict(origin(report).table.rows)
        assert rows["search strategy"] == "agent, trained in this run"
        assert rows["SHA-256 of the agent"] == report.search.agent.sha256
        assert rows["the agent learned from"] == "12 candidates of lif1 8, lif2 12 (60% on loihi2, 30% on loihi2)"


def test_it_is_carried_to_another_budget_and_chip_without_training_and_that_can_be_repeated(
    front, request_for, tmp_path
):
    trained = front[0] / "30pct" / AGENT_FILE
    other, told = load_profile("generic-45nm"), Listening()
    (report,) = deploy(carried(request_for, tmp_path, trained, targets=(other,)), told).values()
    assert [total for name, total in told.stages if name == "search"] == [EVALUATIONS]
    assert (report.search.strategy, report.search.agent.carried) == ("agent", True)
    assert report.search.agent.sha256 == hashlib.sha256(trained.read_bytes()).hexdigest()
    assert not (tmp_path / "run" / AGENT_FILE).exists()
    (line,) = [line for line in report.told if "is carried, and not trained here" in line]
    assert f"{2 * TRAINING} candidates" in line
    assert line.endswith("on the same groups of channels as here")

    elsewhere = tmp_path / "elsewhere.npz"
    elsewhere.write_bytes(trained.read_bytes())
    assert reproduce(tmp_path / "run", agent=elsewhere).same
    agent = read_agent(trained).agent
    elsewhere.write_bytes(agent_bytes(replace(agent, trained_on=replace(agent.trained_on, seed=9))))
    with pytest.raises(RunError, match=r"is not the agent that .* carried: its SHA-256 differs"):
        reproduce(tmp_path / "run", agent=elsewhere)
    with pytest.raises(RunError, match="is not there; say where it lies now"):
        reproduce(tmp_path / "run", agent=tmp_path / "nowhere.npz")


class Killed(BaseException):
    """Ends a run as a signal that nobody hears."""


def kill():
    raise Killed


def test_a_run_that_was_killed_while_it_learned_goes_on_and_evaluates_nothing_twice(
    front, request_for, tmp_path, monkeypatch
):
    done, keep = Counter(), Step.keep

    def counted(step, value, seconds):
        done[step.key] += step.what in ("evaluation", "prediction")
        keep(step, value, seconds)

    monkeypatch.setattr(Step, "keep", counted)
    asked = request_for(tmp_path)
    with pytest.raises(Killed):
        deploy(asked, Listening("search", after=8, act=kill))
    assert done.total() > 8
    reports = deploy(unfinished(asked.cache, asked.out).request, Silent())
    assert max(done.values()) == 1
    for found, expected in zip(reports.values(), front[1], strict=True):
        assert found.search == expected.search
    for place in ("60pct", "30pct"):
        for name in (AGENT_FILE, "pruned.pt"):
            assert (tmp_path / "run" / place / name).read_bytes() == (front[0] / place / name).read_bytes()


@pytest.mark.parametrize("after", [1, 7])
def test_an_interrupt_while_it_learns_ends_every_search_with_the_best_so_far(request_for, tmp_path, after):
    """After the first evaluation the second budget has none yet: equal ratios are its best."""
    told = Listening("search", after, act=lambda: os.kill(os.getpid(), signal.SIGINT))
    reports = deploy(request_for(tmp_path), told).values()
    assert [report.interrupted for report in reports] == ["search", "search"]
    assert len([name for name, _ in told.stages if name == "search"]) == 1
    assert all(report.search.history for report in reports)
    assert [report.search.agent for report in reports] == [None, None]
    assert (tmp_path / "run" / "30pct" / "pruned.nir").is_file()


def test_where_one_layer_can_be_pruned_no_agent_is_trained(request_for, tmp_path):
    network = Chain((1, 6, 6), seed=1).flatten().linear("fc1", 16).neurons("a").linear("fc2", CLASSES).neurons("b")
    model, told = write_task(tmp_path, network.model(STEPS, data="samples.npz")), Listening()
    for report in deploy(request_for(tmp_path, model=model), told).values():
        assert (report.search.strategy, report.search.agent) == ("uniform", None)
    assert [total for name, total in told.stages if name == "search"] == [1, 1]
    assert [line for line in told.notices if "there is nothing to search" in line]


def test_a_single_budget_on_a_single_chip_is_refused_with_the_ways_out(request_for, tmp_path):
    with pytest.raises(SearchError, match=r"a front of budgets.*several targets.*`agent`.*'ddpg'"):
        deploy(request_for(tmp_path, pareto=(), budgets=("30%",)), Silent())
    with pytest.raises(SearchError, match="which ones a largest drop of accuracy leads to is not known before"):
        deploy(request_for(tmp_path, pareto=(), budgets=(parse_budget("max-drop=1"),)), Silent())
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_agent_is_refused_before_the_long_work(request_for, tmp_path):
    (tmp_path / "agent.npz").write_bytes(b"nothing of the kind")
    told = Listening()
    with pytest.raises(SearchError, match=r"agent.npz: no agent that can be used"):
        deploy(carried(request_for, tmp_path, tmp_path / "agent.npz"), told)
    assert told.stages == []


def test_an_agent_is_asked_by_no_other_strategy(tmp_path):
    assert DeployConfig(agent="agent.npz").strategy == "agent"
    for other in ("ddpg", "uniform"):
        with pytest.raises(SearchError, match="is asked by the strategy 'agent', not by"):
            DeployConfig(agent="agent.npz", strategy=other)

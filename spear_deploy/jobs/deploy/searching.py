"""How the targets of a run are searched for: each problem as it is posed, and an agent that learns from all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from spear_deploy.errors import SearchError
from spear_deploy.jobs.deploy.interruption import Interruption, first_interrupt_finishes
from spear_deploy.jobs.deploy.prepare import Prepared
from spear_deploy.jobs.deploy.request import DeployRequest
from spear_deploy.jobs.progress import Advance, Clock, Progress
from spear_deploy.measure import SCORINGS
from spear_deploy.search import (
    ANCHORS,
    ESTIMATORS,
    STRATEGIES,
    AnchoredEstimator,
    Claim,
    ConstantEstimator,
    Estimator,
    Evaluation,
    FrontAgent,
    SearchProblem,
    Strategy,
    TrainedAgent,
    anchored,
    chosen_estimator,
    expected,
    sure_enough,
)
from spear_deploy.search.pipelines import Pipeline, pipeline_named
from spear_deploy.search.strategies.agent_file import read_agent
from spear_deploy.system.journal import Journal
from spear_deploy.targets.target import Target

STAGE = "search"
ANCHORING = "LRE at the limit"


@dataclass(frozen=True)
class AskedStrategy:
    """The strategy that looked for candidates, and the SHA-256 of the file that its agent came from, if from any."""

    strategy: Strategy
    carried: str = ""

    @property
    def agent(self) -> TrainedAgent | None:
        """The agent, carried or trained in the run; None of a search that has none."""
        return self.strategy if isinstance(self.strategy, TrainedAgent) else None


@dataclass(frozen=True)
class Searching:
    """What is known of a run's search before any target is searched for alone.

    Attributes:
        asked: what each target is searched for with.
        problems: those that an agent learned from, by the target's key, with all that was evaluated of them.
        interrupted: the stage in which the user cut the agent's training or an earlier target short; empty where nobody
            did.

    """

    asked: AskedStrategy
    problems: Mapping[str, SearchProblem] = field(default_factory=dict)
    interrupted: str = ""


def asked_for(request: DeployRequest) -> Searching:
    """The strategy that a request names, with the agent of its file.

    Raises:
        SearchError: the file holds no agent that can be used.

    """
    if request.agent is None:
        return Searching(AskedStrategy(STRATEGIES[request.strategy]))
    found = read_agent(request.agent)
    return Searching(AskedStrategy(found.agent, found.sha256))


def check_trainable(request: DeployRequest) -> None:
    """Whether there is more than one budget or chip for an agent to learn from, where one is to be trained.

    Raises:
        SearchError: there is not.

    """
    if request.agent is not None or not isinstance(STRATEGIES[request.strategy], FrontAgent):
        return
    if request.searched_drop is not None:
        raise SearchError(
            "the strategy 'agent' learns from all budgets of a run, and which ones a largest drop of accuracy leads to"
            " is not known before; give a front of budgets, or an agent that is trained (`agent`)"
        )
    if len(request.targets) * max(len(request.pareto), 1) == 1:
        raise SearchError(
            "the strategy 'agent' learns from several budgets or chips, and this is one of each; give a front of"
            " budgets, such as 70%,50%,30%, or several targets, an agent that is trained (`agent`), or take 'ddpg',"
            " which is this search for a single one"
        )


def nothing_to_search(request: DeployRequest, prepared: Prepared) -> bool:
    """Whether one group alone can be pruned: projection onto the budget says how far."""
    return request.projects and len(prepared.factory.groups) == 1


def learned(
    searching: Searching, targets: Sequence[Target], request: DeployRequest, prepared: Prepared, progress: Progress
) -> tuple[Searching, Prepared]:
    """The search with its agent trained on the problems of all targets, where it is one that learns from all.

    What was told on the way and what it took is in the preparation that comes back.
    """
    strategy, clock = searching.asked.strategy, Clock(progress, prepared.seconds, prepared.notices)
    if isinstance(strategy, TrainedAgent):
        clock.progress.notice(_origin(strategy, request, prepared))
    elif isinstance(strategy, FrontAgent) and not nothing_to_search(request, prepared):
        searching = _trained(searching, strategy, targets, request, prepared, clock)
    return searching, replace(prepared, seconds=clock.seconds, notices=clock.notices)


def _trained(
    searching: Searching,
    strategy: FrontAgent,
    targets: Sequence[Target],
    request: DeployRequest,
    prepared: Prepared,
    clock: Clock,
) -> Searching:
    problems = {target.key: pose(target, request, prepared, clock) for target in targets}
    named = {f"{target.limits[0].granted} on {target.chip.name}": problems[target.key] for target in targets}
    total = strategy.training(len(named), request.evaluations, len(prepared.factory.groups))
    scoring = SCORINGS[prepared.factory.model.objective.kind]
    found: Strategy = strategy
    with first_interrupt_finishes(clock.progress.hint, STAGE) as interruption, clock.stage(STAGE, total) as advance:

        def tell(evaluation: Evaluation) -> None:
            advance(detail=f"the agent learns, last {evaluation.summary(scoring)}")
            _end_where_wanted(interruption)

        with suppress(_SearchStoppedError):
            found = strategy.trained(named, request.evaluations, request.seed, tell)
    return replace(searching, asked=AskedStrategy(found), problems=problems, interrupted=interruption.stage)


def _origin(agent: TrainedAgent, request: DeployRequest, prepared: Prepared) -> str:
    """What a carried agent was trained on, beside what it is asked here."""
    then, here = agent.trained_on, {group.name: group.size for group in prepared.factory.groups}
    shares = ", ".join(f"{share:.0%}" for share in sorted(then.budgets.values(), reverse=True))
    network = (
        "on the same groups of channels as here"
        if dict(then.groups) == here
        else f"on {len(then.groups)} other groups of channels: the {len(here)} here are new to it, its answer a start"
    )
    return (
        f"the agent of {request.agent} is carried, and not trained here: it learned from {then.evaluations} candidates,"
        f" where a search might use {shares} of the dense SynOps, {network}"
    )


def pose(target: Target, request: DeployRequest, prepared: Prepared, clock: Clock) -> SearchProblem:
    """The search problem of one target."""
    pipeline = pipeline_named(request.pipeline)
    journal = prepared.journal.within(target.key)
    limit = target.to_torch(prepared.plan.search_multiple * target.budget_synops)
    trusted = _trusted(pipeline, limit, request, prepared, clock, journal)
    return SearchProblem(
        prepared.factory,
        trusted.estimator,
        limit,
        target.structural,
        target.validation,
        activity_limits=target.predicted_limits(prepared.factory, prepared.samples),
        claim=trusted.claim,
        multiple=prepared.plan.search_multiple,
        projects=request.projects,
        strict=pipeline.strict,
        journal=journal,
    )


def search(
    problem: SearchProblem,
    strategy: Strategy,
    evaluations: int,
    seed: int,
    advance: Advance,
    interruption: Interruption,
    hint: Callable[[str], None],
) -> None:
    """Run the strategy; an interrupted one leaves what it evaluated in the problem's history.

    `hint` is told where it ends before it evaluated as many networks as were asked for.
    """
    scoring = SCORINGS[problem.factory.model.objective.kind]

    def tell(evaluation: Evaluation) -> None:
        advance(detail=f"best {problem.best(1)[0].summary(scoring)}")
        _end_where_wanted(interruption)

    with suppress(_SearchStoppedError):
        strategy.run(problem, evaluations, seed, tell)
        if len(problem.history) < evaluations and strategy is not STRATEGIES["uniform"]:
            hint(
                f"the search ended with {len(problem.history)} of {evaluations} networks: what it proposed by then"
                " were networks that it knew"
            )


class _SearchStoppedError(Exception):
    """Leaves a search that was interrupted."""


def _end_where_wanted(interruption: Interruption) -> None:
    if interruption.wanted():
        raise _SearchStoppedError


@dataclass(frozen=True)
class _Trusted:
    """An estimator, and what of its predictions a search takes."""

    estimator: Estimator
    claim: Claim


def _trusted(
    pipeline: Pipeline, limit: float, request: DeployRequest, prepared: Prepared, clock: Clock, journal: Journal
) -> _Trusted:
    """What the search goes by; where no estimator is sure enough, three networks that are fine-tuned at its limit."""
    if pipeline.estimator is not None:
        return _Trusted(ESTIMATORS[pipeline.estimator](prepared.samples), pipeline.claim)
    factory, chosen, progress = prepared.factory, chosen_estimator(prepared.samples), clock.progress
    if sure_enough(factory, [limit])(prepared.samples):
        progress.notice(f"LRE: {chosen.name} ({chosen.reason})")
        return _Trusted(ESTIMATORS[chosen.name](prepared.samples), pipeline.claim)
    with clock.stage(ANCHORING, len(ANCHORS)) as advance:
        anchors = anchored(factory, limit, prepared.plan.plain, request.seed, progress.notice, journal, advance)
    unsure = f"LRE is not sure enough to search with ({chosen.name}, {len(prepared.samples)} samples):"
    if len(anchors) < AnchoredEstimator.fewest_samples:
        progress.notice(
            f"{unsure} of {len(ANCHORS)} uniform networks near the limit {len(anchors)} still spike after a fine-tune,"
            " and the search goes by the mean ratio of the samples; more samples make it sure"
        )
        return _Trusted(ConstantEstimator.fit(prepared.samples), expected)
    progress.notice(
        f"{unsure} {len(anchors)} uniform networks were fine-tuned near the limit, and the search goes by their ratio;"
        " more samples make it sure"
    )
    return _Trusted(AnchoredEstimator(anchors, ESTIMATORS[chosen.name](prepared.samples)), expected)

"""One agent for many budgets and chips: trained once over all of them, it answers each in one walk."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from spear_deploy.errors import SearchError
from spear_deploy.search.problem import SearchProblem
from spear_deploy.search.strategies.ddpg import DdpgConstants
from spear_deploy.search.strategies.front_state import budget_share
from spear_deploy.search.strategies.greedy import shift_greedily
from spear_deploy.search.strategies.policy import Policy
from spear_deploy.search.strategies.strategy import OnEvaluation, evaluate_proposed, evaluate_uniform

ALONE = "alone"
"""What a problem is called that has no others beside it."""


@dataclass(frozen=True)
class AgentConstants:
    """How the evaluations of a front are shared between the agent's training and its answers.

    Attributes:
        moves_per_group: greedy moves from the agent's answer, for each group of channels: one wider and one narrower
            are what a round of the greedy search takes.
        answered_share: the share of a problem's evaluations that its answer and these moves take at most.
        ddpg: of the agent itself.

    Raises:
        SearchError: a constant is out of its range.

    """

    moves_per_group: int = 2
    answered_share: float = 1 / 3
    ddpg: DdpgConstants = field(default_factory=DdpgConstants)

    def __post_init__(self) -> None:
        if self.moves_per_group < 0 or not 0 <= self.answered_share < 1:
            raise SearchError(
                f"greedy moves for each group are 0 or more, found {self.moves_per_group}, and the share of evaluations"
                f" for answers is below 1 and not below 0, found {self.answered_share:g}"
            )

    def answered(self, evaluations: int, groups: int) -> int:
        """Of a problem's evaluations, those that are left for the trained agent's answer and moves from there."""
        return min(1 + self.moves_per_group * groups, int(self.answered_share * evaluations))


@dataclass(frozen=True)
class TrainedOn:
    """What an agent was trained on.

    Attributes:
        groups: prunable groups of the network, in their order, with their channels.
        budgets: what a search might use, as a share of the dense network's SynOps, by the problem's name.
        evaluations: candidates that it learned from.
        seed: of the training.

    Raises:
        SearchError: nothing can have been trained on that.

    """

    groups: Mapping[str, int]
    budgets: Mapping[str, float]
    evaluations: int
    seed: int

    def __post_init__(self) -> None:
        channels, shares = self.groups.values(), self.budgets.values()
        if not channels or min(channels) < 1:
            raise SearchError(f"groups have 1 channel or more, found {dict(self.groups)}")
        if not shares or not all(0 < share < math.inf for share in shares):
            raise SearchError(f"budgets are shares above 0 of the dense SynOps, found {dict(self.budgets)}")
        if self.evaluations < 1:
            raise SearchError(f"an agent learns from 1 candidate or more, found {self.evaluations}")


@dataclass(frozen=True)
class TrainedAgent:
    """The search that asks an agent: its answer, and greedy moves from there.

    Groups are told to it by how they compare with the others of their network, so that it can walk a network of
    another number or kind of groups. Its answer there is no more than a start.
    """

    policy: Policy
    trained_on: TrainedOn
    constants: AgentConstants = field(default_factory=AgentConstants)
    name: str = "agent"
    learns: bool = False

    def run(
        self, problem: SearchProblem, evaluations: int, seed: int, on_evaluation: OnEvaluation | None = None
    ) -> None:
        """Evaluate equal ratios, the answer, and moves; what was evaluated of the problem before counts."""
        from spear_deploy.search.strategies.front_environment import FrontEnvironment

        if not problem.history:
            evaluate_uniform(problem, on_evaluation)
        left = evaluations - len(problem.history)
        if left <= 0:
            return
        environment = FrontEnvironment({ALONE: problem}, np.random.default_rng(seed))
        evaluation = environment.walk(ALONE, self.policy)
        if on_evaluation is not None:
            on_evaluation(evaluation)
        proposing = partial(shift_greedily, problem, evaluation, left - 1, seed)
        evaluate_proposed(problem, proposing, left - 1, on_evaluation)


@dataclass(frozen=True)
class FrontAgent:
    """DDPG that sees the budget and the chip's limits, trained once for all problems of a run."""

    name: str = "agent"
    learns: bool = True
    constants: AgentConstants = field(default_factory=AgentConstants)

    def run(
        self, problem: SearchProblem, evaluations: int, seed: int, on_evaluation: OnEvaluation | None = None
    ) -> None:
        """Train on the one problem, and ask."""
        self.trained({ALONE: problem}, evaluations, seed, on_evaluation).run(problem, evaluations, seed, on_evaluation)

    def training(self, problems: int, evaluations: int, groups: int) -> int:
        """How many evaluations the training takes of all those of so many problems, equal ratios included."""
        return problems * (evaluations - self.constants.answered(evaluations, groups))

    def trained(
        self,
        problems: Mapping[str, SearchProblem],
        evaluations: int,
        seed: int,
        on_evaluation: OnEvaluation | None = None,
    ) -> TrainedAgent:
        """The agent after its training on problems of one network, each of which has the same number of turns.

        Args:
            problems: by what they are called.
            evaluations: of each problem, of which some are left for the answer: see `AgentConstants`.
            seed: the same one trains the same agent.
            on_evaluation: told of each evaluation.

        """
        from spear_deploy.search.strategies.agent import policy_of, trained_agent
        from spear_deploy.search.strategies.front_environment import FrontEnvironment

        for problem in problems.values():
            evaluate_uniform(problem, on_evaluation)
        some = next(iter(problems.values()))
        training = self.training(len(problems), evaluations, some.dimensions)
        environment = FrontEnvironment(problems, np.random.default_rng(seed))
        agent = trained_agent(environment, self.constants.ddpg, training - len(problems), seed, on_evaluation)
        trained_on = TrainedOn(
            groups={group.name: group.size for group in some.factory.groups},
            budgets={name: budget_share(problem) for name, problem in problems.items()},
            evaluations=training,
            seed=seed,
        )
        return TrainedAgent(policy_of(agent, some.lowest), trained_on, self.constants)

"""Pruning for one of several budgets and chips, which stand in the state."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np

from spear_deploy.search.candidate import Ratios
from spear_deploy.search.problem import Evaluation, SearchProblem
from spear_deploy.search.strategies.environment import PruningEnvironment, State
from spear_deploy.search.strategies.front_state import STATE, budget_place
from spear_deploy.search.strategies.policy import Policy


class FrontEnvironment(PruningEnvironment):
    """Walks the groups for one problem after the other: all of the same network, each with a budget and a chip.

    The state is AMC's, then where the budget lies, and the largest keep ratio with which the present group fits the
    chip (`STATE`). At the end of a walk the reward is that of TAR less the reward of equal ratios on the same problem,
    so that a policy learns what it gains by its choice and not how hard the budget is: they are evaluated before.
    """

    def __init__(self, problems: Mapping[str, SearchProblem], generator: np.random.Generator) -> None:
        self.problems = dict(problems)
        super().__init__(next(iter(self.problems.values())))
        self.observation_space = gymnasium.spaces.Box(0.0, 1.0, (len(STATE),), np.float32)
        self._generator = generator
        self._ahead: list[str] = []

    def ask(self, name: str) -> State:
        """Begin a walk for this problem."""
        self.problem = self.problems[name]
        return super().reset()[0]

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[State, dict[str, Any]]:
        """Begin a walk for one of the problems; each has its turn before one comes again."""
        if not self._ahead:
            names = list(self.problems)
            self._ahead = [names[place] for place in self._generator.permutation(len(names))]
        return self.ask(self._ahead.pop()), {}

    def step(self, action: Any) -> tuple[State, float, bool, bool, dict[str, Any]]:
        """As in every walk, with the reward of equal ratios subtracted at its end."""
        state, reward, done, cut, info = super().step(action)
        if done:
            reward -= self.problem.history[0].reward.value
        return state, reward, done, cut, info

    def state(self, ratios: Ratios, at: int) -> State:
        """The state before group `at` is decided: see `STATE`."""
        widest = self.problem.structure.widest(ratios, at)
        return np.append(super().state(ratios, at), [budget_place(self.problem), widest]).astype(np.float32)

    def walk(self, name: str, policy: Policy) -> Evaluation:
        """The evaluation of what a policy answers to a problem."""
        state, done, info = self.ask(name), False, dict[str, Any]()
        while not done:
            state, _, done, _, info = self.step(np.array([policy(state)]))
        found: Evaluation = info["evaluation"]
        return found

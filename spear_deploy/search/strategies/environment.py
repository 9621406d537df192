"""Pruning as a reinforcement-learning environment: one step a layer, as in AMC."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from spear_deploy.pruning import Role
from spear_deploy.search.candidate import Ratios
from spear_deploy.search.problem import Evaluation, SearchProblem

State = NDArray[np.float32]


class PruningEnvironment(gymnasium.Env[State, NDArray[np.float32]]):
    """Walks the prunable groups in order; each action is the keep ratio of one group.

    The state is AMC's (He et al., ECCV 2018, section 3.1), each entry scaled to [0, 1] over the
    groups: index, kind of weights, input and output channels, height and width, stride, kernel,
    SynOps of the layer, SynOps already removed, SynOps left, last action. SynOps of layers that
    are pruned on the way are estimated by the product of the keep ratios on both sides.

    After the last group the ratios are projected onto the limits and evaluated; the step's
    `info` then holds the `evaluation` and the `episode_states`, `episode_actions` that the
    executed ratios correspond to.
    """

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012 - gymnasium's own interface

    def __init__(self, problem: SearchProblem) -> None:
        self.problem = problem
        count = problem.dimensions
        self.observation_space = gymnasium.spaces.Box(0.0, 1.0, (12,), np.float32)
        self.action_space = gymnasium.spaces.Box(problem.lowest, 1.0, (1,), np.float32)
        self._fixed = _fixed_features(problem)
        self._synops = _synops_by_group(problem)
        self._ratios = np.ones(count)
        self._at = 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[State, dict[str, Any]]:
        """Back to the first group, nothing pruned."""
        super().reset(seed=seed)
        self._at = 0
        self._ratios = np.ones(self.problem.dimensions)
        return self.state(self._ratios, 0), {}

    def step(self, action: NDArray[np.float32]) -> tuple[State, float, bool, bool, dict[str, Any]]:
        """Set the keep ratio of the current group; the last one ends the episode with TAR as reward."""
        self._ratios[self._at] = float(action[0])
        self._at += 1
        if self._at < self.problem.dimensions:
            return self.state(self._ratios, self._at), 0.0, False, False, {}
        evaluation = self.problem.evaluate(self._ratios)
        executed = evaluation.ratios
        states = [self.state(executed, at) for at in range(self.problem.dimensions)]
        states.append(np.zeros_like(states[0]))
        info = {"evaluation": evaluation, "episode_states": states, "episode_actions": executed}
        return states[-1], evaluation.reward.value, True, False, info

    def state(self, ratios: Ratios, at: int) -> State:
        """The state before group `at` is decided, when the groups before it have their ratios."""
        decided = np.where(np.arange(len(ratios)) < at, ratios, 1.0)
        total = self._synops.sum()
        kept_before = decided * np.concatenate([[1.0], decided[:-1]])
        removed = float((self._synops[:at] * (1 - kept_before[:at])).sum()) / total
        left = float(self._synops[at:].sum()) / total
        last = float(ratios[at - 1]) if at else 1.0
        varying = [self._synops[at] / self._synops.max(), removed, left, last]
        return np.concatenate([self._fixed[at], varying]).clip(0, 1).astype(np.float32)


def last_evaluation(info: dict[str, Any]) -> Evaluation | None:
    """The evaluation that ended an episode, if the step ended one."""
    found: Evaluation | None = info.get("evaluation")
    return found


def _fixed_features(problem: SearchProblem) -> NDArray[np.float64]:
    """What of the state does not depend on the ratios, scaled over the groups, `[G, 8]`."""
    network = problem.factory.model.network
    rows = []
    for place, group in enumerate(problem.factory.groups):
        producers = group.nodes(Role.PRODUCER)
        node = network.nodes[producers[0].node] if producers else None
        weight = getattr(node, "weight", np.zeros((group.size, 1)))
        shape = network.shapes[group.name]
        stride = float(np.max(np.asarray(getattr(node, "stride", 1))))
        height, width = (shape[1], shape[2]) if len(shape) == 3 else (1, 1)
        kernel = float(weight.shape[-1]) if weight.ndim > 2 else 1.0
        convolution = float(weight.ndim > 2)
        rows.append([place, convolution, weight.shape[1], group.size, height, width, stride, kernel])
    table = np.array(rows, dtype=np.float64)
    low, high = table.min(0), table.max(0)
    scaled: NDArray[np.float64] = (table - low) / np.where(high > low, high - low, 1.0)
    return scaled


def _synops_by_group(problem: SearchProblem) -> NDArray[np.float64]:
    """Dense SynOps of the layers that consume each group's spikes, `[G]`."""
    network = problem.factory.model.network
    layers = problem.factory.dense.layers
    shares = []
    for group in problem.factory.groups:
        members = {member.node for member in group.nodes(Role.CARRIER)}
        targets = {connection.target for connection in network.connections if connection.source in members}
        shares.append(sum(layers[target].synops for target in targets))
    array = np.array(shares, dtype=np.float64)
    return array if array.sum() > 0 else np.ones(len(array))

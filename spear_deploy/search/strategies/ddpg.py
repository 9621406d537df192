"""SPEAR's search: DDPG over the groups of channels."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from spear_deploy.errors import SearchError
from spear_deploy.search.problem import SearchProblem
from spear_deploy.search.strategies.strategy import OnEvaluation, evaluate_uniform


@dataclass(frozen=True)
class DdpgConstants:
    """AMC's settings (He et al., ECCV 2018, section 4 and its published code), for fewer episodes.

    Attributes:
        warm_up_share: share of the episodes with uniformly random actions (AMC: 100 of 400).
        noise: standard deviation, in keep ratio, of the normal distribution around the actor's
            answer, truncated to the ratios allowed, that actions are drawn from after the warm-up.
        noise_decay: factor on it after each episode.
        actor_rate, critic_rate: learning rates.
        hidden: units of the two hidden layers of actor and critic.
        tau: soft update of the target networks.
        batch: transitions a gradient step.
        gradient_steps: for each step in the environment. AMC takes one, in 300 to 800 episodes
            of dozens of layers; networks on neuromorphic chips have a few, and we grant fewer
            episodes, in which one would hardly move the target networks.
        baseline_rate: how fast the moving average of the rewards, which is subtracted from them
            before the critic learns, follows those of a batch.

    Raises:
        SearchError: a constant is out of its range.

    """

    warm_up_share: float = 0.25
    noise: float = 0.5
    noise_decay: float = 0.95
    actor_rate: float = 1e-4
    critic_rate: float = 1e-3
    hidden: int = 300
    tau: float = 0.01
    batch: int = 64
    gradient_steps: int = 4
    baseline_rate: float = 0.5

    def __post_init__(self) -> None:
        shares = ("warm_up_share", "noise_decay", "tau", "baseline_rate")
        wrong = [name for name in shares if not 0 <= getattr(self, name) <= 1]
        wrong += [name for name in ("noise", "actor_rate", "critic_rate") if not 0 < getattr(self, name) < math.inf]
        wrong += [name for name in ("hidden", "batch", "gradient_steps") if getattr(self, name) < 1]
        if wrong:
            found = ", ".join(f"{name} {getattr(self, name):g}" for name in wrong)
            raise SearchError(
                f"DDPG's shares ({', '.join(shares)}) lie between 0 and 1, its rates and its noise are finite and above"
                f" 0, its numbers at least 1; found {found}"
            )


@dataclass(frozen=True)
class Ddpg:
    """SPEAR's search: an agent walks the groups; an episode is an evaluation."""

    name: str = "ddpg"
    learns: bool = True
    constants: DdpgConstants = field(default_factory=DdpgConstants)

    def run(
        self, problem: SearchProblem, evaluations: int, seed: int, on_evaluation: OnEvaluation | None = None
    ) -> None:
        """Evaluate equal ratios, then one candidate an episode."""
        evaluate_uniform(problem, on_evaluation)
        episodes = evaluations - 1
        if episodes:
            from spear_deploy.search.strategies.agent import trained_agent
            from spear_deploy.search.strategies.environment import PruningEnvironment

            trained_agent(PruningEnvironment(problem), self.constants, episodes, seed, on_evaluation)

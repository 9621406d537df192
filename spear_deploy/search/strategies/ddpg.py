"""The paper's search: DDPG over the groups of channels."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from stable_baselines3 import DDPG
from stable_baselines3.common.buffers import ReplayBuffer
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.noise import NormalActionNoise

from spear_deploy.search.problem import SearchProblem
from spear_deploy.search.strategies.environment import PruningEnvironment, last_evaluation
from spear_deploy.search.strategies.strategy import OnEvaluation, evaluate_uniform


@dataclass(frozen=True)
class DdpgConstants:
    """AMC's settings (He et al., ECCV 2018, section 4 and its published code), for fewer episodes.

    Attributes:
        warm_up_share: share of the episodes with uniformly random actions (AMC: 100 of 400).
        noise: standard deviation of the action noise after the warm-up.
        noise_decay: factor on the noise after each episode.
        learning_rate: one rate for actor and critic, as Stable-Baselines3 has it
            (AMC: 1e-4 and 1e-3).
        hidden: units of the two hidden layers of actor and critic.
        tau: soft update of the target networks.
        batch: transitions a gradient step.

    """

    warm_up_share: float = 0.25
    noise: float = 0.5
    noise_decay: float = 0.95
    learning_rate: float = 1e-3
    hidden: int = 300
    tau: float = 0.01
    batch: int = 64


class ExecutedReplayBuffer(ReplayBuffer):
    """Stores what was executed, not what the actor said, with the episode's reward on every step.

    Ratios are rounded to channels and projected onto the limits before they are evaluated;
    learning from the raw action is a known defect of AMC's code. An episode is held back until
    its last step tells what was executed.
    """

    def add(self, obs: Any, next_obs: Any, action: Any, reward: Any, done: Any, infos: Any) -> None:
        """Add the whole episode when it ends."""
        if not done[0]:
            return
        info = infos[0]
        states, actions = info["episode_states"], info["episode_actions"]
        low, high = self.action_space.low, self.action_space.high  # type: ignore[attr-defined]
        for at, ratio in enumerate(actions):
            scaled = 2.0 * (np.array([ratio]) - low) / (high - low) - 1.0  # the policy's own units
            last = np.array([at == len(actions) - 1])
            super().add(states[at], states[at + 1], scaled, reward, last, [{}])


@dataclass(frozen=True)
class Ddpg:
    """The paper's search: an agent walks the groups; an episode is an evaluation."""

    name: str = "ddpg"
    constants: DdpgConstants = field(default_factory=DdpgConstants)

    def run(
        self, problem: SearchProblem, evaluations: int, seed: int, on_evaluation: OnEvaluation | None = None
    ) -> None:
        """Evaluate equal ratios, then one candidate an episode."""
        evaluate_uniform(problem, on_evaluation)
        episodes = evaluations - 1
        if not episodes:
            return
        constants = self.constants
        environment = PruningEnvironment(problem)
        steps = problem.dimensions
        noise = NormalActionNoise(np.zeros(1), np.full(1, constants.noise))
        agent = DDPG(
            "MlpPolicy",
            environment,
            learning_rate=constants.learning_rate,
            learning_starts=round(constants.warm_up_share * episodes) * steps,
            buffer_size=max(episodes * steps, constants.batch),
            batch_size=constants.batch,
            tau=constants.tau,
            gamma=1.0,
            train_freq=(1, "episode"),
            gradient_steps=steps,
            action_noise=noise,
            replay_buffer_class=ExecutedReplayBuffer,
            policy_kwargs={"net_arch": [constants.hidden, constants.hidden]},
            seed=seed,
            device="cpu",
        )
        agent.learn(episodes * steps, callback=_EachEpisode(noise, constants, on_evaluation))


class _EachEpisode(BaseCallback):
    """Lets the noise decay once the warm-up is over, and tells of each evaluation."""

    def __init__(
        self,
        noise: NormalActionNoise,
        constants: DdpgConstants,
        on_evaluation: OnEvaluation | None,
    ) -> None:
        super().__init__()
        self.noise = noise
        self.constants = constants
        self.on_evaluation = on_evaluation

    def _on_step(self) -> bool:
        evaluation = last_evaluation(self.locals["infos"][0])
        if evaluation is not None:
            if self.num_timesteps > self.model.learning_starts:  # type: ignore[attr-defined]
                self.noise._sigma = self.noise._sigma * self.constants.noise_decay
            if self.on_evaluation is not None:
                self.on_evaluation(evaluation)
        return True

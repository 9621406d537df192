"""SPEAR's search: DDPG over the groups of channels."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy import stats
from stable_baselines3 import DDPG
from stable_baselines3.common.buffers import ReplayBuffer
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.type_aliases import ReplayBufferSamples
from stable_baselines3.common.utils import update_learning_rate

from spear_deploy.search.problem import SearchProblem
from spear_deploy.search.strategies.environment import PruningEnvironment, last_evaluation
from spear_deploy.search.strategies.strategy import OnEvaluation, evaluate_uniform
from spear_deploy.training.compiler import import_compiler


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


class ExecutedReplayBuffer(ReplayBuffer):
    """Stores what was executed, not what the actor said, with the episode's reward on every step.

    Ratios are rounded to channels and projected onto the limits before they are evaluated;
    learning from the raw action is a known defect of AMC's code. An episode is held back until
    its last step tells what was executed. A moving average of the rewards is subtracted when
    they are read, as in AMC.
    """

    def __init__(self, *arguments: Any, baseline_rate: float, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.baseline_rate = baseline_rate
        self.baseline: float | None = None

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

    def sample(self, batch_size: int, env: Any = None) -> ReplayBufferSamples:
        """A batch of transitions, their rewards against the moving average."""
        samples = super().sample(batch_size, env)
        mean = float(samples.rewards.mean())
        before = mean if self.baseline is None else self.baseline
        self.baseline = before + self.baseline_rate * (mean - before)
        return samples._replace(rewards=samples.rewards - self.baseline)


class AmcAgent(DDPG):
    """Stable-Baselines3's DDPG with AMC's exploration and a learning rate each for actor and critic."""

    def __init__(
        self, *arguments: Any, constants: DdpgConstants, generator: np.random.Generator, **options: Any
    ) -> None:
        self.noise = constants.noise
        self.rates = (constants.actor_rate, constants.critic_rate)
        self.generator = generator
        super().__init__(*arguments, **options)

    def _sample_action(self, learning_starts: int, action_noise: Any = None, n_envs: int = 1) -> tuple[Any, Any]:
        if self.num_timesteps < learning_starts:
            return super()._sample_action(learning_starts, None, n_envs)
        low, high = (float(bound.item()) for bound in (self.action_space.low, self.action_space.high))  # type: ignore[attr-defined]
        answer = self.predict(self._last_obs, deterministic=True)[0].astype(np.float64).clip(low, high)  # type: ignore[arg-type]
        ends = (low - answer) / self.noise, (high - answer) / self.noise
        drawn = stats.truncnorm.rvs(*ends, answer, self.noise, answer.shape, random_state=self.generator)
        drawn = drawn.astype(np.float32)
        return drawn, self.policy.scale_action(drawn)

    def _update_learning_rate(self, optimizers: Any) -> None:
        for optimizer, rate in zip(optimizers, self.rates, strict=True):
            update_learning_rate(optimizer, rate)


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
            trained_agent(PruningEnvironment(problem), self.constants, episodes, seed, on_evaluation)


def trained_agent(
    environment: PruningEnvironment,
    constants: DdpgConstants,
    episodes: int,
    seed: int,
    on_evaluation: OnEvaluation | None = None,
) -> AmcAgent:
    """An agent that walked the groups of an environment so many times."""
    steps = environment.problem.dimensions
    import_compiler()
    agent = AmcAgent(
        "MlpPolicy",
        environment,
        constants=constants,
        generator=np.random.default_rng(seed),
        learning_starts=round(constants.warm_up_share * episodes) * steps,
        buffer_size=max(episodes * steps, constants.batch),
        batch_size=constants.batch,
        tau=constants.tau,
        gamma=1.0,
        train_freq=(1, "episode"),
        gradient_steps=constants.gradient_steps * steps,
        replay_buffer_class=ExecutedReplayBuffer,
        replay_buffer_kwargs={"baseline_rate": constants.baseline_rate},
        policy_kwargs={"net_arch": [constants.hidden, constants.hidden]},
        seed=seed,
        device="cpu",
    )
    agent.set_logger(Logger(folder=None, output_formats=[]))  # its own would leave a folder behind
    agent.learn(episodes * steps, callback=_EachEpisode(agent, constants.noise_decay, on_evaluation))
    return agent


class _EachEpisode(BaseCallback):
    """Lets the noise decay once the warm-up is over, and tells of each evaluation."""

    def __init__(self, agent: AmcAgent, decay: float, on_evaluation: OnEvaluation | None) -> None:
        super().__init__()
        self.agent = agent
        self.decay = decay
        self.on_evaluation = on_evaluation

    def _on_step(self) -> bool:
        evaluation = last_evaluation(self.locals["infos"][0])
        if evaluation is not None:
            if self.num_timesteps > self.agent.learning_starts:
                self.agent.noise *= self.decay
            if self.on_evaluation is not None:
                self.on_evaluation(evaluation)
        return True

"""SPEAR's agent, made of Stable-Baselines3's: imported by whoever searches with it, as no other search needs that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from scipy import stats
from stable_baselines3 import DDPG
from stable_baselines3.common.buffers import ReplayBuffer
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.type_aliases import ReplayBufferSamples
from stable_baselines3.common.utils import update_learning_rate

from spear_deploy.search.strategies.environment import PruningEnvironment, last_evaluation
from spear_deploy.search.strategies.policy import Policy
from spear_deploy.search.strategies.strategy import OnEvaluation
from spear_deploy.training.compiler import import_compiler

if TYPE_CHECKING:
    from spear_deploy.search.strategies.ddpg import DdpgConstants


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


def policy_of(agent: AmcAgent, lowest: float) -> Policy:
    """The agent's actor as plain arrays; `lowest` is the smallest keep ratio that it was allowed."""
    layers = [layer for layer in agent.policy.actor.mu if isinstance(layer, torch.nn.Linear)]
    return Policy(
        weights=tuple(layer.weight.detach().numpy().copy() for layer in layers),
        biases=tuple(layer.bias.detach().numpy().copy() for layer in layers),
        lowest=lowest,
    )


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

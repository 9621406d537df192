"""What every search strategy is to its caller, and the loop that most of them share."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import Protocol

import numpy as np

from spear_deploy.search.candidate import Ratios
from spear_deploy.search.problem import Evaluation, SearchProblem

OnEvaluation = Callable[[Evaluation], None]
"""Is told of each evaluation when it is done."""


class Strategy(Protocol):
    """Looks for good keep ratios; what it found is in the problem's history."""

    @property
    def name(self) -> str:
        """What users call it."""
        ...

    @property
    def learns(self) -> bool:
        """Whether it trains something of its own beside its evaluations, which takes time."""
        ...

    def run(
        self, problem: SearchProblem, evaluations: int, seed: int, on_evaluation: OnEvaluation | None = None
    ) -> None:
        """Evaluate equal ratios first, then others: `evaluations` in all, the same ones for the same seed.

        The one exception is `uniform`, which has nothing to evaluate after the first.
        """
        ...


Proposals = Generator[Ratios, Evaluation, None]
"""Keep ratios without end; each is answered with its evaluation."""

Propose = Callable[[SearchProblem, Evaluation, int, int], Proposals]
"""From the problem, its evaluation of equal ratios, the number of evaluations left and the seed."""


MOST_PROPOSED = 4
"""For each network that is to be evaluated, so many proposals are looked at on average."""


@dataclass(frozen=True)
class Proposing:
    """A strategy that only has to say what to evaluate next."""

    name: str
    propose: Propose
    learns: bool = False

    def run(
        self, problem: SearchProblem, evaluations: int, seed: int, on_evaluation: OnEvaluation | None = None
    ) -> None:
        """Evaluate equal ratios, then what is proposed."""
        evaluation = evaluate_uniform(problem, on_evaluation)
        proposing = partial(self.propose, problem, evaluation, evaluations - 1, seed)
        evaluate_proposed(problem, proposing, evaluations - 1, on_evaluation)


def evaluate_proposed(
    problem: SearchProblem,
    proposing: Callable[[], Proposals],
    count: int,
    on_evaluation: OnEvaluation | None = None,
) -> None:
    """Evaluate so many networks of what is proposed, each answered with its evaluation.

    What leads to a network that is known is answered and does not count: a third of greedy's moves come back to one.
    Where hardly anything else is proposed any more, the search ends before.
    """
    proposals, answers = proposing(), list[Evaluation]()
    new = 0
    for _ in range(MOST_PROPOSED * count):
        if new == count:
            break
        ratios = proposals.send(answers[-1]) if answers else next(proposals)
        coming = _likely_to_come(problem, proposing, answers)  # worked out where somebody looks
        problem.scouts.look(problem, ratios, islice(coming, 1, count - new))
        evaluation, is_new = problem.evaluate_anew(ratios)
        answers.append(evaluation)
        if is_new:
            new += 1
            if on_evaluation is not None:
                on_evaluation(evaluation)


def _likely_to_come(
    problem: SearchProblem, proposing: Callable[[], Proposals], answers: Sequence[Evaluation]
) -> Iterator[Ratios]:
    """What is proposed after such answers, and then where nothing turns out better than the worst that is known."""
    proposals = proposing()
    ratios = next(proposals)
    for answer in answers:
        ratios = proposals.send(answer)
    worst = min(problem.history, key=lambda one: one.reward.value)
    while True:
        yield ratios
        ratios = proposals.send(replace(worst, ratios=ratios))


def evaluate_uniform(problem: SearchProblem, on_evaluation: OnEvaluation | None) -> Evaluation:
    """Equal ratios, as wide as the limits grant: what every strategy has to beat."""
    evaluation = problem.evaluate(np.ones(problem.dimensions))
    if on_evaluation is not None:
        on_evaluation(evaluation)
    return evaluation

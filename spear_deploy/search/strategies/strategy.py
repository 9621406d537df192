"""What every search strategy is to its caller, and the loop that most of them share."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
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
        evaluate_proposed(
            problem, self.propose(problem, evaluation, evaluations - 1, seed), evaluations - 1, on_evaluation
        )


def evaluate_proposed(
    problem: SearchProblem, proposals: Proposals, count: int, on_evaluation: OnEvaluation | None = None
) -> None:
    """Evaluate so many networks of what is proposed, each answered with its evaluation.

    What leads to a network that is known is answered and does not count: a third of greedy's moves come back to one.
    Where hardly anything else is proposed any more, the search ends before.
    """
    evaluation: Evaluation | None = None
    new = 0
    for _ in range(MOST_PROPOSED * count):
        if new == count:
            break
        ratios = next(proposals) if evaluation is None else proposals.send(evaluation)
        evaluation, is_new = problem.evaluate_anew(ratios)
        if is_new:
            new += 1
            if on_evaluation is not None:
                on_evaluation(evaluation)


def evaluate_uniform(problem: SearchProblem, on_evaluation: OnEvaluation | None) -> Evaluation:
    """Equal ratios, as wide as the limits grant: what every strategy has to beat."""
    evaluation = problem.evaluate(np.ones(problem.dimensions))
    if on_evaluation is not None:
        on_evaluation(evaluation)
    return evaluation

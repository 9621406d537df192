"""Equal keep ratios everywhere: no search at all."""

from __future__ import annotations

from dataclasses import dataclass

from spear_deploy.search.problem import SearchProblem
from spear_deploy.search.strategies.strategy import OnEvaluation, evaluate_uniform


@dataclass(frozen=True)
class Uniform:
    """One evaluation: equal ratios on the limits."""

    name: str = "uniform"
    learns: bool = False

    def run(
        self, problem: SearchProblem, evaluations: int, seed: int, on_evaluation: OnEvaluation | None = None
    ) -> None:
        """Evaluate equal ratios; nothing is random, and there is nothing else to evaluate."""
        evaluate_uniform(problem, on_evaluation)

"""What people ask for in words, as values: budgets, gates."""

from __future__ import annotations

from collections.abc import Sequence

from spear_deploy.errors import BudgetError
from spear_deploy.hardware import Limit, parse_budgets
from spear_deploy.hardware.gates import Gate

GATES = {str(gate): gate for gate in Gate}
"""What a check can be stopped at, by name."""


def budgets_of(
    texts: Sequence[str], max_drop: float | None = None, min_accuracy: float | None = None
) -> tuple[Limit, ...]:
    """Budgets such as `120k`, `3uJ` or `cores=4`, and limits on accuracy in points and per cent.

    Raises:
        BudgetError: one cannot be understood, or two speak of the same.

    """
    return parse_budgets(
        [
            *texts,
            *([] if max_drop is None else [f"max-drop={max_drop:g}"]),
            *([] if min_accuracy is None else [f"min-accuracy={min_accuracy:g}%"]),
        ]
    )


def gates_of(text: str) -> set[Gate]:
    """The gates that a list such as `misfit,budget` names.

    Raises:
        BudgetError: one is not known.

    """
    names = [name.strip() for name in text.split(",") if name.strip()]
    unknown = [name for name in names if name not in GATES]
    if unknown:
        raise BudgetError(f"no gate called {unknown[0]!r}; known: {', '.join(GATES)}")
    return {GATES[name] for name in names}

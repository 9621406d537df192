"""What people ask for in words, as values: budgets, gates, splits, bits of weights."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal

from spear_deploy.backends.fixed_point.weight_bits import LEAST, MOST, WeightBits
from spear_deploy.data import SplitName
from spear_deploy.errors import BudgetError, DataError, MachineError, ModelError, SearchError, quoted
from spear_deploy.hardware import Limit, parse_budget, parse_budgets
from spear_deploy.hardware.chip.spellings import product
from spear_deploy.hardware.gates import Gate

GATES = {str(gate): gate for gate in Gate}
"""What a check can be stopped at, by name."""

_BYTES = {
    **{"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9},
    **{"kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30},
}
"""Of a unit of memory, in small letters."""


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
            *([] if max_drop is None else [f"max-drop={_typed(max_drop)}"]),
            *([] if min_accuracy is None else [f"min-accuracy={_typed(min_accuracy)}%"]),
        ]
    )


def _typed(number: float) -> str:
    """A number with every digit that was typed, and without an exponent, which budgets do not know."""
    return f"{Decimal(str(number)).normalize():f}"


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


def weight_bits_of(text: str | int | None) -> WeightBits:
    """`6`, `conv1=8,fc=4` or `6,conv1=8` as bits; none where nothing is typed.

    Raises:
        ModelError: it is none of these.

    """
    everywhere: int | None = None
    named: dict[str, int] = {}
    for word in () if text is None else str(text).split(","):
        name, equals, number = (part.strip() for part in word.rpartition("="))
        nameless = not name and (equals or everywhere is not None)
        if nameless or not number.isdecimal() or not LEAST <= int(number) <= MOST:
            raise ModelError(
                f"weight bits {text}: give bits from {LEAST} to {MOST} for all layers (6), by layer (conv1=8,fc=4),"
                " or both (6,conv1=8)"
            )
        if name:
            named[name] = int(number)
        else:
            everywhere = int(number)
    return WeightBits(everywhere, named)


def front_of(text: str) -> tuple[Limit, ...]:
    """The budgets of a list such as `70%,50%,30%`, each once, however it is spelled.

    Raises:
        BudgetError: one cannot be understood.

    """
    if not text.strip():
        return ()
    found: dict[tuple[object, ...], Limit] = {}
    for one in (parse_budget(each.strip()) for each in text.split(",")):
        found.setdefault((one.quantity.key, one.allowed, one.share), one)
    return tuple(found.values())


def error_of(text: str) -> float:
    """A relative error such as 3%, as a fraction.

    Raises:
        SearchError: it is no percentage above 0 and below 100.

    """
    try:
        percent = float(text.strip().removesuffix("%"))
    except ValueError:
        percent = 0.0
    if not text.strip().endswith("%") or not 0 < percent < 100:
        raise SearchError(f"LRE's error {text!r}: give a percentage, such as 3%")
    return percent / 100


def split_of(name: str | int) -> SplitName:
    """The split of a name.

    Raises:
        DataError: there is none.

    """
    if name not in list(SplitName):
        raise DataError(f"no split called {name!r}; known: {', '.join(SplitName)}")
    return SplitName(name)


def memory_of(text: str | None) -> int | None:
    """Bytes of an amount of memory such as `4GiB` or `500MB`; None where none is given.

    Raises:
        MachineError: it is none.

    """
    if text is None:
        return None
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*", text)
    amount = 0.0 if found is None else product(found[1], _BYTES.get(found[2].lower(), 0))
    if not 1 <= amount < float("inf"):
        raise MachineError(f"memory {quoted(text)}: give an amount such as 4GiB or 500MiB")
    return int(amount)

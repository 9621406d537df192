"""What `check` and `compare` stop a pipeline at."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

import typer

from spear_deploy.hardware.gates import Gate, stopped_at
from spear_deploy.jobs.check import Checked

Budgets = Annotated[
    list[str] | None,
    typer.Option(
        "--budget", help="A budget that the model is held to, such as 120k, 3uJ, 2ms, core-step=5k; repeatable."
    ),
]
FailOn = Annotated[str, typer.Option(help=f"Exit with 1 at any of these: {', '.join(Gate)}.", metavar="A,B")]


def gates(text: str) -> set[Gate]:
    """The gates of `--fail-on`.

    Raises:
        typer.BadParameter: one is not known.

    """
    names = [name.strip() for name in text.split(",") if name.strip()]
    unknown = [name for name in names if name not in list(Gate)]
    if unknown:
        raise typer.BadParameter(f"--fail-on {unknown[0]}: known are {', '.join(Gate)}")
    return {Gate(name) for name in names}


def stop(found: Iterable[Checked], at: set[Gate]) -> None:
    """End with exit code 1 where a gate is not passed."""
    if any(stopped_at(each.row, each.held) & at for each in found):
        raise typer.Exit(1)


def held_json(checked: Checked) -> list[dict[str, Any]]:
    """The budgets as plain values."""
    return [
        {
            "budget": each.limit.granted,
            "quantity": each.limit.quantity.key,
            "allowed": each.limit.allowed,
            "used": None if each.use is None else each.use.used,
            "unit": each.limit.unit,
            "kept": None if each.use is None else each.kept,
            "missing": each.missing or None,
        }
        for each in checked.held
    ]

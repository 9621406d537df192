"""Fitted prices of a chip and what they leave of each row, as tables."""

from __future__ import annotations

from rich.console import Group

from spear_deploy.hardware.amounts import amount_text
from spear_deploy.hardware.calibration import SIDE_BY_SIDE, Calibration
from spear_deploy.hardware.chip.figures import Spread
from spear_deploy.report.terminal.table import Table


def calibration_text(found: Calibration) -> Group:
    """Prices with their intervals, what the rows do not tell of them, residuals, and what was not used."""
    prices = Table("price", "value", "95 % interval", title="prices", title_justify="left")
    for price in found.prices:
        interval = Spread(price.low, price.value, price.high)
        prices.add_row(price.key, amount_text(price.value, price.unit), amount_text(interval, price.unit))
    errors = Table("row", "measured", "predicted / measured", title="residuals", title_justify="left")
    for each in found.residuals:
        over = "not known" if each.predicted is None else f"{each.predicted / each.measured:.2f}"
        errors.add_row(each.network, each.what, over)
    keys = ", ".join(found.added)
    added = [f"predictions add what no row counts and the profile has a price of: {keys}"] if keys else []
    return Group(prices, *_not_told(found), errors, *_sums(found), *added, *found.unused)


def _not_told(found: Calibration) -> list[str]:
    """What the rows say little or nothing of."""
    lines = [f"the rows cannot tell apart: {', '.join(group)}: none of them is given" for group in found.together]
    lines += [f"no row waits for {key}, what goes on beside it takes longer: it is not given" for key in found.unseen]
    if nothing := [price.key for price in found.prices if price.value == 0]:
        lines.append(f"at 0, the least that a price can be: {', '.join(nothing)}")
    if near := [price.key for price in found.prices if price.low == 0 < price.value]:
        lines.append(f"not told apart from 0: {', '.join(near)}")
    return lines


def _sums(found: Calibration) -> list[str]:
    """What sums over steps leave open."""
    if not {price.key for price in found.prices}.issuperset(SIDE_BY_SIDE):
        return []
    return ["rows hold sums over steps: check predicts more where some steps wait for updates and others for SynOps"]

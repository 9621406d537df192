"""Fitted prices of a chip and what they leave of each row, as tables."""

from __future__ import annotations

from rich.console import Group

from spear_deploy.hardware.amounts import amount_text
from spear_deploy.hardware.calibration import Calibration
from spear_deploy.hardware.chip.figures import Spread
from spear_deploy.report.terminal.table import Table


def calibration_text(found: Calibration) -> Group:
    """Prices with their intervals, prices that the rows cannot tell apart, residuals, and what was not used."""
    prices = Table("price", "value", "95 % interval", title="prices", title_justify="left")
    for price in found.prices:
        interval = Spread(price.low, price.value, price.high)
        prices.add_row(price.key, amount_text(price.value, price.unit), amount_text(interval, price.unit))
    errors = Table("row", "measured", "predicted / measured", title="residuals", title_justify="left")
    for each in found.residuals:
        errors.add_row(each.network, each.what, f"{each.predicted / each.measured:.2f}")
    apart = [f"the rows cannot tell apart: {', '.join(group)}: none of them is given" for group in found.together]
    return Group(prices, *apart, errors, *found.unused)

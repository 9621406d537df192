"""Limits of made-up quantities, and what is used of them."""

from spear_deploy.hardware import Follows, Limit, Quantity, Use


def limit(name, allowed, unit="", origin="made up", follows=Follows.ACTIVITY):
    """A limit of a quantity whose values a test gives itself."""
    return Limit(Quantity(name, name, unit, follows, lambda on_chip: float("nan"), {}), allowed, origin)


def use(name, used, allowed, **more):
    """So much used of so much allowed."""
    return Use(limit(name, allowed, **more), used)

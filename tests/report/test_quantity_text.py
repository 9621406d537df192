"""Limits in words."""

from spear_deploy.report.schema import LimitReport
from spear_deploy.report.words.quantity_text import limit_names


def limit(name, origin):
    return LimitReport(name=name, unit="cores", allowed=4, dense=4, pruned=4, origin=origin, binds=False)


def test_limits_that_the_chip_and_the_user_set_on_one_quantity_are_told_apart():
    limits = [limit("cores", "profile loihi2"), limit("cores", "budget cores=4"), limit("neurons", "budget neurons=9")]
    assert limit_names(limits) == ["cores (profile loihi2)", "cores (budget cores=4)", "neurons"]

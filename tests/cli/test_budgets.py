"""What is typed for budgets, a largest drop and a least accuracy, as limits."""

import pytest

from spear_deploy.errors import BudgetError
from spear_deploy.jobs.deploy.request import allowed


@pytest.mark.parametrize(
    ("typed", "max_drop", "min_accuracy", "front", "granted"),
    [
        ([], None, None, False, ["50%"]),
        (["30%", "cores=4"], None, None, False, ["30%", "cores=4"]),
        ([], 1.0, None, False, ["max-drop=1"]),
        ([], 0.0, None, False, ["max-drop=0"]),
        ([], None, 92.5, False, ["50%", "min-accuracy=92.5%"]),
        (["30%"], 1.5, 90.0, False, ["30%", "max-drop=1.5", "min-accuracy=90%"]),
        ([], 1.0, None, True, ["max-drop=1"]),
        ([], 0.00001, 95.123456789, False, ["max-drop=0.00001", "min-accuracy=95.123456789%"]),
        ([], 20.0, 100.0, False, ["max-drop=20", "min-accuracy=100%"]),
        ([], None, None, True, []),
    ],
)
def test_half_of_the_synops_is_meant_where_nothing_else_sets_them(typed, max_drop, min_accuracy, front, granted):
    found = allowed(typed, max_drop, min_accuracy, front=front)
    assert [limit.granted for limit in found] == granted


def test_a_drop_that_is_typed_twice_is_refused():
    with pytest.raises(BudgetError, match="'max-drop=2' and 'max-drop=1' both speak of accuracy lost"):
        allowed(["max-drop=2"], 1.0, None, front=False)

import numpy as np
import pytest

from spear_deploy.search import draw_ratios


def test_a_quarter_of_the_ratios_is_drawn_low():
    drawn = draw_ratios(groups=3, count=40, seed=0)
    assert drawn.shape == (40, 3)
    low = drawn[(drawn <= 0.3).all(1)]
    assert len(low) >= 10
    assert low.min() < 0.1
    assert drawn.min() >= 0.06
    assert 0.95 < drawn.max() <= 1.0


def test_every_group_is_covered_evenly():
    drawn = draw_ratios(groups=4, count=32, seed=1)
    for ratios in drawn.T:
        counts, _ = np.histogram(ratios, np.linspace(0.3, 1.0, 8))
        assert counts.min() >= 2


def test_ratios_follow_from_the_seed_alone():
    assert np.array_equal(draw_ratios(3, 24, seed=5), draw_ratios(3, 24, seed=5))
    assert not np.array_equal(draw_ratios(3, 24, seed=5), draw_ratios(3, 24, seed=6))


def test_low_ratios_do_not_all_come_first():
    drawn = draw_ratios(3, 40, seed=0)
    assert (drawn[:10] > 0.3).any()


@pytest.mark.parametrize("count", [1, 2, 8])
def test_any_number_can_be_drawn(count):
    assert draw_ratios(2, count, seed=0).shape == (count, 2)

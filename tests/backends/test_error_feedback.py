import nir
import numpy as np
import pytest
import torch

from spear_deploy.backends.fixed_point import error_feedback
from spear_deploy.backends.fixed_point.error_feedback import feedback_mantissas, input_factors, second_moments
from spear_deploy.backends.fixed_point.formats import LOIHI2

LATTICE = LOIHI2.lattice(mixed=True)


def spikes(*shape, seed=0):
    return (torch.rand(*shape, generator=torch.Generator().manual_seed(seed)) < 0.3).to(torch.uint8)


def conv(channels=(3, 4), groups=1):
    weight = np.random.default_rng(0).normal(size=(channels[1], channels[0] // groups, 3, 3)).astype(np.float32)
    return nir.Conv2d(None, weight, 1, 1, 1, groups, np.zeros(channels[1]))


def by_definition(weights, lattice, factor):
    """GPTQ as its paper writes it: one weight after the other, the error spread over all those behind it."""
    left = np.clip(weights, lattice.low, lattice.high)
    for column in range(left.shape[1]):
        held = np.clip(np.rint(left[:, column] / lattice.step) * lattice.step, lattice.low, lattice.high)
        error = (left[:, column] - held) / factor[column, column]
        left[:, column + 1 :] -= np.outer(error, factor[column, column + 1 :])
        left[:, column] = held
    return left


def test_second_moments_are_those_of_every_patch_that_a_convolution_multiplies():
    source = spikes(2, 5, 3, 6, 6)
    (found,) = second_moments((), conv(), source)
    padded = torch.nn.functional.pad(source.flatten(0, 1), (1, 1, 1, 1)).numpy()
    patches = [frame[:, y : y + 3, x : x + 3].ravel() for frame in padded for y in range(6) for x in range(6)]
    rows = np.array(patches, dtype=np.float64)
    assert (found == rows.T @ rows).all()


def test_groups_have_moments_of_their_own():
    source = spikes(1, 3, 4, 5, 5)
    (found,) = second_moments((), conv((4, 4), groups=2), source)
    for group in range(2):
        (alone,) = second_moments((), conv((2, 2)), source[:, :, 2 * group : 2 * group + 2])
        assert (found[group] == alone[0]).all()


@pytest.mark.parametrize("at_once", [1, 700, 1 << 22])
def test_memory_bounds_how_many_vectors_are_held_and_changes_no_moment(monkeypatch, at_once):
    monkeypatch.setattr(error_feedback, "ROWS", 200)
    source, pool = spikes(3, 8, 3, 8, 8), nir.SumPool2d(2, 2, 0)
    (expected,) = second_moments((pool,), conv(), source)
    monkeypatch.setattr(error_feedback, "VALUES_AT_ONCE", at_once)
    (found,) = second_moments((pool,), conv(), source)
    assert (found == expected).all()


def test_the_frames_of_a_long_series_are_taken_from_its_first_to_its_last_step():
    source = torch.zeros((40, 64, 3, 6, 6), dtype=torch.uint8)
    source[30:] = spikes(10, 64, 3, 6, 6)
    (late,) = second_moments((), conv(), source)
    (all_along,) = second_moments((), conv(), spikes(40, 64, 3, 6, 6))
    share = np.trace(late[0]) / np.trace(all_along[0])
    assert share == pytest.approx(10 / 40, rel=0.1)


def test_input_values_too_large_for_float32_are_summed_exactly():
    source = torch.full((1, 300, 4), 255.0)
    (found,) = second_moments((), nir.Linear(np.ones((2, 4))), source)
    assert (found == 300 * 255**2).all()


def test_rounding_in_blocks_of_columns_is_gptq():
    weights = np.random.default_rng(1).normal(0, 40, size=(7, 150))
    factors = input_factors((), nir.Linear(weights), spikes(4, 100, 150))
    found = feedback_mantissas(weights, 0, LATTICE, factors)
    assert (found == by_definition(weights, LATTICE, factors[0][0])).all()


def test_a_neuron_with_many_inputs_hands_errors_on_within_parts_of_them(monkeypatch):
    monkeypatch.setattr(error_feedback, "BLOCK", 64)
    weights, source = np.random.default_rng(1).normal(0, 40, size=(7, 150)), spikes(4, 100, 150)
    factors = input_factors((), nir.Linear(weights), source)
    assert [factor.shape for factor in factors] == [(1, 50, 50)] * 3
    found = feedback_mantissas(weights, 0, LATTICE, factors)
    for start in (0, 50, 100):
        part = slice(start, start + 50)
        (alone,) = input_factors((), nir.Linear(weights[:, part]), source[..., part])
        assert (found[:, part] == feedback_mantissas(weights[:, part], 0, LATTICE, [alone])).all()


def test_a_synapse_that_is_not_there_gets_no_error():
    weights = np.random.default_rng(1).normal(0, 40, size=(7, 30))
    weights[:, ::3] = 0
    found = feedback_mantissas(weights, 0, LATTICE, input_factors((), nir.Linear(weights), spikes(4, 100, 30)))
    assert not found[:, ::3].any()
    assert found[:, 1::3].any()

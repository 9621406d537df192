import torch
from conversion_matrix import REFUSALS, Combination, combinations, convert_and_compare
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

ALL = list(combinations())


@settings(
    max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(combination=st.sampled_from(ALL), seed=st.integers(0, 2**31 - 1))
def test_any_supported_combination_comes_back_from_nir_with_every_spike(tmp_path, combination: Combination, seed):
    torch.set_num_threads(1)
    refused = convert_and_compare(combination, seed, tmp_path)
    assert refused is None or refused in REFUSALS.values()

"""A job leaves torch as it found it."""

import pytest
import torch

from spear_deploy.jobs.torch_settings import flushes_denormals, torch_settings


@pytest.fixture(params=[False, True])
def flushed(request):
    before = flushes_denormals()
    torch.set_flush_denormal(request.param)
    yield request.param
    torch.set_flush_denormal(before)


@pytest.mark.parametrize("fails", [False, True])
def test_threads_and_denormals_are_those_of_the_job_inside_and_the_callers_own_after_it(flushed, fails):
    before = torch.get_num_threads()
    try:
        with torch_settings(threads=2):
            assert torch.get_num_threads() == 2
            assert flushes_denormals()
            if fails:
                raise RuntimeError
    except RuntimeError:
        pass
    assert torch.get_num_threads() == before
    assert flushes_denormals() == flushed

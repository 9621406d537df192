import errno
import mmap
import pickle

import numpy as np
import pytest
import torch

from spear_deploy.system.handed import Parcel, handed_over
from spear_deploy.system.handing import hand_over

WHOLE = torch.arange(24, dtype=torch.float32).reshape(2, 3, 4)
VALUES = {
    "array": np.arange(5, dtype=np.int16),
    "whole": WHOLE,
    "shown in every step": WHOLE[0].expand(1000, 3, 4),
    "turned": WHOLE.transpose(0, 2),
    "some of them": WHOLE[1:],
    "bytes": torch.arange(7, dtype=torch.uint8),
    "none": torch.zeros((0, 3)),
    "one": torch.tensor(2.5, dtype=torch.float64),
    "learned": torch.nn.Parameter(torch.ones(2)),
}


@pytest.mark.parametrize("name", VALUES)
def test_what_is_handed_over_arrives(name, tmp_path):
    value = VALUES[name]
    hand_over((value, "beside"), tmp_path / "start")
    found, beside = handed_over(tmp_path / "start")
    assert type(found) is type(value)
    assert beside == "beside"
    assert found.dtype == value.dtype
    plain, expected = (torch.as_tensor(each).detach() for each in (found, value))
    assert torch.equal(plain, expected)


def test_a_sample_shown_in_every_step_is_handed_over_once(tmp_path):
    hand_over(VALUES["shown in every step"], tmp_path / "start")
    assert sum(each.stat().st_size for each in tmp_path.iterdir()) < 2000
    assert handed_over(tmp_path / "start").stride(0) == 0


def test_arrays_are_mapped_and_what_is_written_into_them_stays_here(tmp_path):
    hand_over({"array": VALUES["array"], "tensor": WHOLE}, tmp_path / "start")
    first, second = (handed_over(tmp_path / "start") for _ in range(2))
    base = first["array"]
    while not isinstance(base, mmap.mmap):
        base = base.obj if isinstance(base, memoryview) else base.base
    first["array"][:] = 7
    first["tensor"].zero_()
    np.testing.assert_array_equal(second["array"], VALUES["array"])
    assert torch.equal(second["tensor"], WHOLE)


def test_a_disk_that_is_full_is_named(tmp_path, monkeypatch):
    def full(*arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(pickle, "dump", full)
    with pytest.raises(OSError, match=r"No space left on device: '.*start'"):
        hand_over(WHOLE, tmp_path / "start")


def test_what_is_passed_on_unread_arrives_too(tmp_path):
    hand_over({"array": VALUES["array"], "tensor": WHOLE, "none": np.zeros(0)}, tmp_path / "start")
    parcel = pickle.loads(pickle.dumps(Parcel.of(tmp_path / "start")))
    first, second = parcel.opened(), parcel.opened()
    first["array"][:] = 7
    first["tensor"].zero_()
    np.testing.assert_array_equal(second["array"], VALUES["array"])
    assert torch.equal(second["tensor"], WHOLE)
    assert second["none"].shape == (0,)


def test_an_array_of_nothing_is_handed_over(tmp_path):
    hand_over(np.zeros((0, 3)), tmp_path / "start")
    assert handed_over(tmp_path / "start").shape == (0, 3)

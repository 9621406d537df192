from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from spear_deploy.measure import Measurement, measure
from spear_deploy.system.values import Form, from_plain, to_plain


class Colour(StrEnum):
    RED = "red"


@dataclass(frozen=True)
class Inner:
    counts: NDArray[np.int64]
    weights: Tensor
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outer:
    by_name: Mapping[str, Inner]
    pair: tuple[int, float]
    colour: Colour
    where: Path
    maybe: int | None
    raw: bytes
    several: Sequence[bool] = field(default=())


def test_a_dataclass_comes_back_field_by_field():
    inner = Inner(np.array([[3, 1 << 40]]), torch.tensor([1.5, float("inf")]), ("a", "b"))
    outer = Outer({"x": inner}, (3, 0.1), Colour.RED, Path("runs/a"), None, b"\x00\xff", [True])
    found = from_plain(Outer, to_plain(outer))
    assert (found.pair, found.colour, found.where, found.maybe, found.raw) == (
        outer.pair,
        Colour.RED,
        outer.where,
        None,
        b"\x00\xff",
    )
    back = found.by_name["x"]
    np.testing.assert_array_equal(back.counts, inner.counts)
    assert back.counts.dtype == inner.counts.dtype
    assert torch.equal(back.weights, inner.weights)
    assert back.names == ("a", "b")


def test_a_slice_is_written_without_what_it_was_cut_from():
    plain = to_plain(torch.zeros(1000)[:2])
    assert plain.untyped_storage().nbytes() == 8


@pytest.mark.parametrize(
    ("kind", "plain"),
    [
        (int, 1.0),
        (int, True),
        (float, "1"),
        (str, 1),
        (bool, 1),
        (tuple[int, int], [1]),
        (tuple[int, ...], [1, "2"]),
        (dict[str, int], [1]),
        (int | None, "x"),
        (Colour, "blue"),
        (NDArray[np.int64], torch.zeros(2)),
        (Inner, {"counts": torch.zeros(1, dtype=torch.int64)}),
        (Inner, {"counts": torch.zeros(1, dtype=torch.int64), "weights": torch.zeros(1), "more": 1}),
        (object, 1),
    ],
)
def test_what_is_of_another_type_is_refused(kind, plain):
    with pytest.raises((ValueError, TypeError)):
        from_plain(kind, plain)


def test_what_has_no_plain_form_is_not_written():
    with pytest.raises(TypeError, match="object cannot be written"):
        to_plain({"a": object()})


def test_a_form_writes_what_is_no_dataclass():
    forms = {complex: Form(lambda value: [value.real, value.imag], lambda plain: complex(*plain))}
    assert from_plain(tuple[complex, ...], to_plain((1 + 2j,), forms), forms) == (1 + 2j,)


def test_a_measurement_comes_back_as_it_was_made(build):
    from made_task import STEPS, untrained

    model = untrained()
    inputs = (torch.rand(STEPS, 7, 1, 6, 6, generator=torch.Generator().manual_seed(0)) < 0.5).float()
    made = measure(model, inputs, torch.zeros(7, dtype=torch.int64), analog_input=False)
    found = from_plain(Measurement, to_plain(made))
    assert (found.synops, found.accuracy, found.layers) == (made.synops, made.accuracy, made.layers)
    for name in ("per_sample", "peak_step_synops", "predictions"):
        assert torch.equal(getattr(found, name), getattr(made, name))
    assert found.record.shapes == made.record.shapes
    for name, bits in made.record.bits.items():
        np.testing.assert_array_equal(found.record.bits[name], bits)

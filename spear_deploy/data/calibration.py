"""Which training samples the scales of a chip's integers are chosen on."""

from __future__ import annotations

import numpy as np

from spear_deploy.data.drawing import drawn, drawn_in_words, drawn_of
from spear_deploy.data.encoding import EncodedSplit
from spear_deploy.data.stored import pieces


def telling(data: EncodedSplit, count: int) -> EncodedSplit:
    """`count` samples that stand for all, such that they show whether inputs are values or zeros and ones.

    Where those that are drawn of analog samples hold zeros and ones alone, half of them give way to
    samples that hold other values, if there are any.
    """
    values = _values_missed(data, count)
    if not values:
        return drawn(data, count)
    others = drawn_of(values, _half(count))
    rest = drawn_of(sorted(set(range(len(data))).difference(values)), count - len(others))
    return data.take(np.array(sorted([*rest, *others]), dtype=np.int64))


def telling_in_words(data: EncodedSplit, count: int) -> str:
    """Which samples `telling` takes: "256 of 7,000 training samples, spread over them at random (seed 0)"."""
    told, others = drawn_in_words(len(data), count), min(len(_values_missed(data, count)), _half(count))
    return f"{told}, {others} of them among those that hold values other than 0 and 1" if others else told


def _values_missed(data: EncodedSplit, count: int) -> list[int]:
    """The samples that hold values, where those that are drawn hold none; else nothing."""
    missed = data.analog and len(data) > count and not holds_values(drawn(data, count))
    return _with_values(data) if missed else []


def _half(count: int) -> int:
    return max(count // 2, 1)


def holds_values(data: EncodedSplit) -> bool:
    """Whether any sample holds something else than 0 and 1."""
    return bool(_with_values(data))


def _with_values(data: EncodedSplit) -> list[int]:
    """The samples that hold something else than 0 and 1."""
    found: list[int] = []
    for part in pieces(len(data)):
        x = data.take(part).as_stored()
        x = x[:1] if x.stride(0) == 0 else x
        holds = ((x != 0) & (x != 1)).transpose(0, 1).flatten(1).any(1)
        found += (holds.nonzero().flatten() + part.start).tolist()
    return found

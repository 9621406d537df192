"""Loops as machine code: they run where nothing can be kept, and share their work among threads."""

import threading

import numba
import numpy as np
import pytest

from spear_deploy.network import compiled as room


def doubled(values):
    for place in range(len(values)):
        values[place] *= 2


def test_a_loop_is_compiled_each_time_where_what_is_compiled_cannot_be_kept(monkeypatch):
    def without_a_place(**settings):
        if settings.get("cache"):
            raise RuntimeError("cannot cache function: no locator available for file")
        return numba.njit(**settings)

    monkeypatch.setattr(room, "njit", without_a_place)
    values = np.arange(4.0)
    room.compiled(doubled)(values)
    assert values.tolist() == [0, 2, 4, 6]


@pytest.mark.parametrize(("count", "threads"), [(0, 2), (1, 2), (7, 1), (7, 2), (7, 3), (3, 8)])
def test_threads_share_all_of_the_work_and_do_nothing_twice(count, threads):
    done, where = np.zeros(count, int), set()

    def run(first, last):
        where.add(threading.get_ident())
        done[first:last] += 1

    room.in_threads(run, count, threads)
    assert (done == 1).all()
    assert len(where) <= threads


def test_what_fails_in_a_thread_fails_for_the_caller():
    def run(first, last):
        raise ValueError(f"{first} to {last}")

    with pytest.raises(ValueError, match="to"):
        room.in_threads(run, 4, 2)

"""Events counted, weighed and recorded in one pass over memory, by a compiled loop. Needs Numba."""

from __future__ import annotations

import numpy as np

from spear_deploy.network.compiled import compiled

_GATHER = np.uint64(0x8040201008040201)
"""Moves the lowest bit of each byte of what is multiplied by it into the highest byte, the first byte's to the top."""


@compiled
def count(values, reached, sums, counts, bits):
    """Of `[S, B, N]` where it is not zero: how often each of the N is, where it is, and what it reaches.

    Adds to `counts` `[N]`; writes `bits` `[S, B, ceil(N / 8)]`, as `numpy.packbits` has them, and for each row of
    whole numbers `reached` `[K, N]` their sums in `sums` `[K, S, B]`. For processors whose lowest byte is the first.
    """
    steps, batch, neurons = values.shape
    zero, no, yes, top = values.dtype.type(0), np.uint8(0), np.uint8(1), np.uint64(56)
    flags = np.zeros(8 * bits.shape[2], np.uint8)
    eights = flags.view(np.uint64)
    for step in range(steps):
        for sample in range(batch):
            row, packed = values[step, sample], bits[step, sample]
            for i in range(neurons):
                one = yes if row[i] != zero else no
                flags[i] = one
                counts[i] += one
            for way in range(len(reached)):
                synapses, total = reached[way], np.int64(0)
                for i in range(neurons):
                    total += np.int64(synapses[i]) * flags[i]
                sums[way, step, sample] = total
            for i in range(len(packed)):
                packed[i] = (eights[i] * _GATHER) >> top

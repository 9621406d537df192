import sys

import pytest

from benchmarks.memory import peaks

STAGES = """
import sys, time
def busy(seconds):
    start = time.process_time()
    while time.process_time() - start < seconds:
        pass
busy(0.5)
print("first  1/1, 0:00:01 passed", file=sys.stderr, flush=True)
held = bytearray(64 << 20)
for at in range(0, len(held), 4096):
    held[at] = 1
busy(1.5)
print("second  1/2, 0:00:02 passed", file=sys.stderr, flush=True)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells of the memory of others")
def test_memory_and_processor_time_belong_to_the_stage_in_which_they_are_taken():
    code, (start, first) = peaks([sys.executable, "-c", STAGES], every_s=0.02)
    assert code == 0
    assert (start.after, first.after) == ("start", "first"), "a stage that is not done is not over"
    assert 50 < first.mib - start.mib < 80
    assert start.processor_s == pytest.approx(0.5, abs=0.3)
    assert first.processor_s == pytest.approx(1.5, abs=0.3)

import json
import subprocess
import sys
from pathlib import Path

import pytest

LEFT_OVER = """
import ctypes, json, sys
from spear_deploy.network import batches
from spear_deploy.system.memory import reuse_memory

libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]

def held_mib():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmRSS")) / 1024

reuse_memory()
start, most = held_mib(), 0
for part in {loop}:
    size = (16 << 20) + (part.start << 13)  # the hole that the array before it left is too small for it
    array = libc.malloc(size)
    ctypes.memset(array, 1, size)
    libc.malloc(size)  # lies behind it and is never touched
    most = max(most, held_mib())
    libc.free(array)
print(json.dumps(most - start))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads what Linux tells of a process")
@pytest.mark.parametrize(
    ("loop", "least_mib", "most_mib"),
    [
        ("(slice(at, at + 1) for at in range(40))", 500, 1000),
        ("batches(40, 1)", 0, 250),
    ],  # where pages are huge, each of what lies between takes 2 MiB
    ids=["elsewhere", "in batches"],
)
def test_what_batches_leave_in_memory_does_not_add_up(loop, least_mib, most_mib):
    code = f"import sys; sys.path[:0] = {[str(Path(__file__).parents[2])]!r}\n{LEFT_OVER.format(loop=loop)}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert least_mib <= json.loads(done.stdout) < most_mib

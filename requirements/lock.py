"""Writes the lock files: every package that `make setup` and `make test` install, by version and SHA-256.

    make lock

uv resolves pyproject.toml under constraints.txt, for every platform at once. torch stands apart, because
a build for the CPU needs none of what the default build for Linux needs: `cuda.lock` is installed only
where the latter is.
"""

import re
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent
TORCH_CPU = """torch==2.13.0+cpu \\
    --hash=sha256:6746dbcbeb526eb61330b76b41ff1b4eb848951103a892eeb080dfa2b264667b
"""
"""The build for the CPU (Python 3.11, Linux, x86-64) bears a version that the package index does not have, so that
it is taken where it is offered and asked for in vain elsewhere; nothing is downloaded to find out."""

LAVA = """lava-nc==0.10.0 \\
    --hash=sha256:d646723e888a72868dac77d31beee3eef1f540366a8c1a8578a2dc3302470926
"""
"""Its metadata refuses every Python that we run on, so that nothing can resolve it; it was tried."""

_HEAD = "# Written by `make lock` from pyproject.toml and constraints.txt; installed with --require-hashes.\n"
_OF_CUDA = ("nvidia-", "cuda-", "triton")
_EXTRAS = {"run": ("onnx", "lava"), "dev": ("onnx", "lava", "ray", "dev", "oracles")}


def resolved(*sources: str) -> dict[str, str]:
    """Blocks of a lock by the name of their package: uv's answer for files and extras."""
    command = [sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--universal", "--python-version", "3.11"]
    command += ["--generate-hashes", "--no-header", "--no-annotate", "--constraint", "constraints.txt"]
    ended = subprocess.run([*command, *sources], cwd=FOLDER.parent, capture_output=True, text=True, check=True)
    blocks: dict[str, str] = {}
    for block in re.split(r"(?m)^(?=[a-z0-9])", ended.stdout):
        if block.strip():
            name = re.match(r"[a-z0-9-]+", block)
            assert name is not None, block
            blocks[name[0]] = blocks.get(name[0], "") + block
    return blocks


def write(name: str, blocks: dict[str, str]) -> None:
    """One lock file."""
    (FOLDER / f"{name}.lock").write_text(_HEAD + "".join(blocks.values()), encoding="utf-8")
    print(f"{name}.lock: {len(blocks)} packages")


def main() -> None:
    """Write all of them."""
    for name, extras in _EXTRAS.items():
        found = resolved(
            "pyproject.toml", "requirements/build.in", *(word for extra in extras for word in ("--extra", extra))
        )
        torch = found.pop("torch")
        cuda = {key: found.pop(key) for key in list(found) if key.startswith(_OF_CUDA)}
        write(name, found)
    write("torch", {"torch": torch})
    write("torch-cpu", {"torch": TORCH_CPU})
    write("cuda", cuda)
    write("lava", {"lava-nc": LAVA})


if __name__ == "__main__":
    main()

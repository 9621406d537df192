"""The notebook of the examples runs as it stands, and was committed with what it printed."""

import json
import shutil
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
CELLS = [
    cell for cell in json.loads((EXAMPLES / "from_python.ipynb").read_text())["cells"] if cell["cell_type"] == "code"
]


def test_every_cell_was_run_without_a_fault():
    assert [cell["execution_count"] for cell in CELLS] == list(range(1, len(CELLS) + 1))
    assert all(output["output_type"] != "error" for cell in CELLS for output in cell["outputs"])


@pytest.mark.slow
def test_its_cells_run_in_order(tmp_path, monkeypatch, capsys):
    shutil.copy(EXAMPLES / "digits.pt", tmp_path)
    monkeypatch.chdir(tmp_path)
    names = {}
    for cell in CELLS:
        exec(compile("".join(cell["source"]), "from_python.ipynb", "exec"), names)
    printed = capsys.readouterr().out
    assert "equal: True" in printed
    assert "equal: False" not in printed

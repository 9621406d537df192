"""A sample of the table of networks; `python -m benchmarks.networks` runs them all."""

from dataclasses import replace

import pytest
import torch

from benchmarks.networks.case import Subject
from benchmarks.networks.judge import COLUMNS, judge
from benchmarks.networks.page import PAGE, joined, line_of, lines_in, page
from benchmarks.networks.registry import CASES

SAMPLE = [
    "tutorial 6: pools moved",
    "tutorial 7: loop over events",
    "regression II: recurrent",
    "U-Net",
    "shared convolution and pool",
    "depthwise and pointwise as one",
    "AvgPool2d of currents",
    "RLeaky, all to all",
]


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    torch.set_num_threads(1)


@pytest.mark.parametrize("name", SAMPLE)
def test_a_network_is_equal_or_refused_with_a_reason_in_every_column(name):
    row = judge(CASES[name])
    assert not row.refused
    assert list(row.cells) == list(COLUMNS)
    assert not [f"{column}: {cell.text}" for column, cell in row.cells.items() if cell.wrong]
    assert all(len(cell.text) > 20 for cell in row.cells.values() if cell.refused)


def test_a_network_that_does_not_load_has_the_reason_on_the_page():
    row = judge(CASES["tutorial 4: Alpha"])
    assert "Alpha is not supported" in row.refused
    assert "| tutorial 4: Alpha | snnTorch | [1] | - |" in page({row.case.name: line_of(row)})


def test_rows_that_were_not_run_stay_as_they_are():
    before = PAGE.read_text()
    assert page(joined(lines_in(before), [], list(CASES))) == before
    row = judge(CASES["tutorial 4: Alpha"])
    changed = replace(row, refused="1_alpha: another reason")
    after = lines_in(page(joined(lines_in(before), [changed], list(CASES))))
    assert after.pop(row.case.name).cells[0] == ("another reason", True)
    assert after == {name: line for name, line in lines_in(before).items() if name != row.case.name}


def test_a_spike_that_is_not_the_sources_is_told():
    case = CASES["two heads, one named"]
    right = case.read()
    spikes = right.expected["lif2"].clone()
    spikes[0, 0, 0] = 1 - spikes[0, 0, 0]
    wrong = Subject(right.model, right.inputs, {**right.expected, "lif2": spikes})
    row = judge(replace(case, read=lambda: wrong))
    assert row.wrong
    assert row.cells["spikes"].text == f"lif2: 1 of {spikes.numel()} differ"


def test_the_page_has_a_row_for_every_network_and_none_is_wrong():
    """Write it anew with `python -m benchmarks.networks --lava --to docs/networks.md`."""
    text = PAGE.read_text()
    assert all(f"\n| {name} | {case.source} | " in text for name, case in CASES.items())
    assert "**" not in text

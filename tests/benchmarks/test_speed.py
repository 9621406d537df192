import sys

import pytest
import snntorch
import torch

from benchmarks.speed import __main__ as bench
from benchmarks.speed.__main__ import MARKS, write_between
from benchmarks.speed.measured import beside_peers
from benchmarks.speed.nets import NETS
from benchmarks.speed.peers import by_snntorch, ours, products_alone
from benchmarks.speed.timing import exponent, ratio


def test_a_power_is_found_from_sizes_and_values():
    assert exponent([1, 2, 4, 8], [3, 12, 48, 192]) == pytest.approx(2)
    assert ratio([2, 9, 8], [1, 3, 2]) == 3


@pytest.mark.parametrize("net", [net for net in NETS if net.name != "VGG"], ids=lambda net: net.name)
def test_what_is_compared_is_the_same_network(net):
    x = net.inputs(2)
    with torch.no_grad():
        sent, expected = (run(x) for _, run in (ours(net), by_snntorch(net)))
    assert expected.sum() > 0, "a silent network says nothing"
    assert (sent == expected).float().mean() > 0.99


def test_products_alone_are_those_of_the_network():
    net = NETS[1]
    module, run = products_alone(net)
    assert run(net.inputs(2)).shape == (net.time_steps, 2, 10)
    assert [type(part).__name__ for part in module if any(True for _ in part.parameters())] == ["Linear", "Linear"]
    assert not any(isinstance(part, snntorch.SpikingNeuron) for part in module)


def test_products_alone_of_an_image_pass_its_first_layer_once_and_all_others_in_every_step():
    net = next(net for net in NETS if net.name == "VGG")
    module, run = products_alone(net)
    seen = []
    for part in module:
        if isinstance(part, torch.nn.Conv2d):
            part.register_forward_hook(lambda part, given, sent: seen.append(len(sent)))
    run(net.inputs(2))
    assert seen == [2, *[2 * net.time_steps] * (len(seen) - 1)]


def test_a_run_that_is_interrupted_keeps_the_networks_it_measured(tmp_path, monkeypatch):
    kept, page = tmp_path / "bench.json", tmp_path / "page.md"

    def interrupted(net, *arguments):
        if net is NETS[1]:
            raise KeyboardInterrupt
        return beside_peers(net, *arguments)

    monkeypatch.setattr(bench, "beside_peers", interrupted)
    for setting in ("set_num_threads", "set_flush_denormal"):
        monkeypatch.setattr(torch, setting, lambda value: None)  # they would hold for the tests after this one
    monkeypatch.setattr(bench, "reuse_memory", lambda: None)
    monkeypatch.setattr(sys, "argv", ["speed", "--json", str(kept), "--rounds", "1", "--most", "1"])
    with pytest.raises(KeyboardInterrupt):
        bench.main()
    page.write_text(f"{MARKS[0]}\n{MARKS[1]}\n")
    monkeypatch.setattr(sys, "argv", ["speed", "--tables-of", str(kept), "--tables", str(page)])
    assert bench.main() == 0
    assert "| digits |" in page.read_text()
    assert "| dense 784-256-10 |" not in page.read_text()


def test_tables_replace_those_between_the_marks(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(f"before\n{MARKS[0]}\nold\n{MARKS[1]}\nafter\n")
    write_between(page, "new")
    write_between(page, "newer")
    assert page.read_text() == f"before\n{MARKS[0]}\nnewer\n{MARKS[1]}\nafter\n"

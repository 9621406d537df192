"""One network, several chips in one run, the smallest of which does not hold it."""

from pathlib import Path

import numpy as np
import pytest
from made_networks import Chain
from made_task import CLASSES, SHAPE, STEPS, write_task

from spear_deploy.cli import main
from spear_deploy.network import Encoding, load_any
from spear_deploy.report import Report

QUICK = (
    *("--lre-samples", "8", "--evaluations", "8", "--finalists", "1", "--plain-epochs", "2", "--epochs", "4"),
    *("--workers", "1"),
)
CHIPS = ("loihi1", "loihi2", "speck2f", "truenorth")


def integrate_and_fire():
    """Fires without leak and takes spikes, as all four chips allow; too wide for one core of TrueNorth."""

    def neurons(chain, name):
        return chain.neurons(name, beta=np.ones(chain.shape), gain=np.ones(chain.shape))

    chain = neurons(Chain(SHAPE, seed=2).conv("conv1", 16), "if1")
    chain = neurons(chain.conv("conv2", 24, stride=2), "if2")
    chain = neurons(chain.flatten().linear("fc", CLASSES), "if3")
    return chain.model(STEPS, encoding=Encoding.RATE, data="samples.npz")


@pytest.fixture(scope="module")
def call(tmp_path_factory):
    folder = tmp_path_factory.mktemp("task")
    write_task(folder, integrate_and_fire())

    def run(monkeypatch, capsys, *words):
        monkeypatch.chdir(folder)
        with pytest.raises(SystemExit) as ended:
            main(words)
        return ended.value.code, *capsys.readouterr()

    return run


def test_every_result_passes_the_check_of_its_chip(call, monkeypatch, capsys):
    fit = {chip: call(monkeypatch, capsys, "check", "model.pt", "--target", chip)[0] == 0 for chip in CHIPS}
    assert fit == {"loihi1": True, "loihi2": True, "speck2f": True, "truenorth": False}

    many = ("--target", ",".join(CHIPS), "--budget", "50%", "--no-lava", "--out", "runs")
    code, _, err = call(monkeypatch, capsys, *many, *QUICK, "model.pt")
    assert code == 0, err
    for chip in CHIPS:
        report = Report.model_validate_json(Path(f"runs/{chip}/report.json").read_text())
        assert report.target == chip
        assert report.measured[report.verdict.basis].synops <= report.budget.synops, chip
        words = ("check", f"runs/{chip}/pruned.pt", "--target", chip, "--data", "samples.npz")
        assert call(monkeypatch, capsys, *words)[0] == 0, chip
    narrow, free = (load_any(f"runs/{chip}/pruned.pt").network for chip in ("truenorth", "loihi2"))
    assert np.size(narrow.neurons["if1"].beta) < np.size(free.neurons["if1"].beta)


def test_a_chip_that_can_never_hold_it_is_named_with_the_reason(call, monkeypatch, capsys):
    many = ("--target", "loihi2,xylo-a2", "--budget", "50%", "--no-lava", "--out", "some")
    code, _, err = call(monkeypatch, capsys, *many, *QUICK, "model.pt")
    assert code == 1, err  # not every chip got its network
    assert "xylo-a2 is left out" in err
    assert "cannot run this network, however it is pruned" in err
    assert err.splitlines()[-1] == "NOT OK: left out, as told above: xylo-a2"
    assert "input channels: 36, allowed 16" in err
    assert [path.name for path in Path("some").iterdir()] == ["loihi2"]

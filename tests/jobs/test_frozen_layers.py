"""The main job on a network of which a layer is to stay as it is."""

import numpy as np
import pytest
from made_task import write_task
from small_runs import run

from spear_deploy.network import load_any
from spear_deploy.search.lre import sampling


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_task(tmp_path_factory.mktemp("task"))


def test_a_frozen_layer_is_delivered_bit_for_bit_while_others_are_pruned_and_learn(model, tmp_path, monkeypatch):
    tuned, really = [], sampling.fine_tune

    def noted(candidate, *arguments, **options):
        tuned.append(really(candidate, *arguments, **options))
        return tuned[-1]

    monkeypatch.setattr(sampling, "fine_tune", noted)
    (report,) = run(model, tmp_path / "run", freeze="lif1", budgets=("40%",))
    before, plain, after = (load_any(each).graph.nodes for each in (model, *written(tmp_path / "run")))
    assert report.pruned.keep_ratios["lif1"] == 1.0
    assert report.pruned.keep_ratios["lif2"] < 1.0
    samples = [each.graph.nodes for each in tuned]
    assert len(samples) >= 8
    for nodes in (plain, after, *samples):
        assert nodes["conv1"].weight.tobytes() == before["conv1"].weight.tobytes()
        assert nodes["conv1"].bias.tobytes() == before["conv1"].bias.tobytes()
        assert nodes["conv2"].weight.shape[0] <= before["conv2"].weight.shape[0]
        assert not np.isin(nodes["fc"].bias, before["fc"].bias).any()
    assert any("conv1: frozen" in each for each in report.told)


def written(folder):
    return folder / "plain.pt", folder / "pruned.pt"

"""TAR's weight against a fixed one, on a network that takes no time."""

import pytest
import torch
from made_networks import Chain

from benchmarks import tar
from benchmarks.evidence.searched import Searched
from spear_deploy.data import EncodedSplit, SplitName
from spear_deploy.search import CandidateFactory, Prediction


class AsPruned:
    needs_pruned_synops = True

    def predict(self, features):
        return Prediction(features.pruned_synops, features.pruned_synops, features.pruned_synops)


@pytest.fixture(scope="module")
def given():
    chain = Chain((3,), 2).linear("fc0", 12).neurons("lif0").linear("fc1", 12).neurons("lif1")
    images = torch.rand((20, 3), generator=torch.Generator().manual_seed(0))
    split = EncodedSplit(SplitName.TRAIN, images.expand(5, 20, 3), torch.arange(20) % 4, analog=True)
    factory = CandidateFactory(chain.linear("read", 4).neurons("out").model(), split, recalibrates=False)
    return Searched(factory, AsPruned(), split, split)


def test_a_search_tells_every_episode_and_only_tars_weight_moves(given, monkeypatch):
    monkeypatch.setattr(tar, "searched", lambda setting, pipeline, estimator: given)
    runs = {arm: tar.search(None, arm, 0, 20) for arm in tar.ARMS}
    assert all(len(run["shares"]) == len(run["accuracies"]) == 20 for run in runs.values())
    assert runs[tar.FIXED]["weight_after"] == 2.0 != runs[tar.TAR]["weight_after"]
    assert max(runs[tar.TAR]["shares"]) > 1  # nothing is projected: the first network is the whole one
    assert max(runs["projected"]["shares"]) <= 1
    assert max(runs["projected, spear+"]["shares"]) <= 1 < max(runs["TAR, spear+"]["shares"])


def test_the_page_tells_first_from_last_fifth_and_pairs_by_seed():
    def run(arm, seed, late):
        return {
            "arm": arm,
            "seed": seed,
            "episodes": 10,
            "shares": [2.0, 2.0, *[1.0] * 6, *late],
            "accuracies": [0.5] * 10,
            "best": {"share": 1.0, "accuracy": 0.5},
            "weight_after": 2.0,
        }

    runs = [run(tar.TAR, seed, [0.9, 0.9]) for seed in (0, 1)] + [run(tar.FIXED, seed, [0.9, 1.1]) for seed in (0, 1)]
    columns, _, tar_row, fixed, apart = (
        [cell.strip() for cell in line.split("|")[1:-1]]
        for line in tar.page({"digits": runs}).splitlines()  # of `spear`; of `spear+` nothing was run
        if line.startswith("|")
    )
    late = columns.index("over, last fifth")
    assert [row[0] for row in (tar_row, fixed, apart)] == [tar.TAR, tar.FIXED, "TAR less fixed weight"]
    assert [row[late] for row in (tar_row, fixed, apart)] == ["0.0 ± 0.0", "50.0 ± 0.0", "-50.0 ± 0.0"]
    assert [row[late - 1] for row in (tar_row, fixed, apart)] == ["20.0 ± 0.0", "30.0 ± 0.0", "-10.0 ± 0.0"]


def test_the_page_has_a_table_for_each_pipeline_that_was_run():
    def run(arm):
        best = {"share": 1.0, "accuracy": 0.5}
        return {
            "arm": arm,
            "seed": 0,
            "shares": [1.0] * 10,
            "accuracies": [0.5] * 10,
            "best": best,
            "weight_after": 2.0,
        }

    page = tar.page({"digits": [run(arm) for arm in tar.ARMS], "mnist": [run(tar.TAR), run(tar.FIXED)]})
    heads = [line for line in page.splitlines() if line.startswith("## ")]
    assert heads == ["## digits, `spear`", "## digits, `spear+`", "## mnist, `spear`"]
    ours = page.partition("## digits, `spear+`")[2].partition("## mnist")[0]
    arms = [line.split("|")[1].strip() for line in ours.splitlines() if line.startswith("| ")][2:]
    assert arms == ["TAR", "fixed weight", "projected", "TAR less fixed weight"]

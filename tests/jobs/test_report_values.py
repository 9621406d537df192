"""What the report is made from, each value made by hand."""

from pathlib import Path

import numpy as np
import pytest
import torch
from made_limits import limit, use

from spear_deploy.hardware import MAX_DROP, SYNOPS, Follows, Limit, Use, parse_budget, parse_budgets
from spear_deploy.jobs.deploy.evidence import BothNetworks, Evidence
from spear_deploy.jobs.deploy.reporting import Provenance
from spear_deploy.jobs.deploy.request import DeployRequest
from spear_deploy.jobs.deploy.search import Pruned, Try
from spear_deploy.jobs.deploy.searching import AskedStrategy
from spear_deploy.jobs.deploy.verification import Verification
from spear_deploy.measure import Answers, EffectiveOperations, LayerCount, Measurement
from spear_deploy.report.build import answers_report, limit_reports
from spear_deploy.search import STRATEGIES

BUDGET = Limit(SYNOPS, 100, "budget 50%")


def measured(synops):
    each = torch.tensor([synops, synops], dtype=torch.float64)
    layer = {"lif": LayerCount(4, 2.0, synops)}
    return Measurement(2, 0.5, synops, 0.0, layer, each, each, torch.tensor([0, 1]), {"lif": np.ones(4)}, None)


def test_evidence_is_both_networks_in_both_arithmetics_and_what_repeated_them():
    in_torch, on_target = (
        BothNetworks(name, measured(200.0), measured(90.0)) for name in ("float64", "loihi, 8-bit weights")
    )
    answers, effective = Answers(2, 1, 0, 0, 0.5), EffectiveOperations(9, 0)
    found = Evidence(in_torch, on_target, Verification(), {}, answers, answers, answers, (effective, effective))
    assert (found.on_target.dense.synops, found.on_target.pruned.synops) == (200, 90)
    assert (found.losses, found.raster) == ((), {})


def test_a_pruned_network_says_how_it_was_found():
    by = AskedStrategy(STRATEGIES["greedy"])
    found = Pruned("model", "plain", "choice", "problem", by, tries=(Try(0.3, 0.9, 1.0, True),))
    assert (found.asked.agent, found.asked.carried) == (None, "")
    assert (found.interrupted, found.integers) == ("", None)


def asked(limits, **options):
    return DeployRequest(model=Path("net.pt"), targets=(), out=Path("out"), budgets=tuple(limits), **options)


def test_provenance_is_what_was_asked_for_and_how_it_went():
    request = asked(parse_budgets(["30%", "max-drop=1"]))
    found = Provenance(request, samples=(), effect=None, seconds={"search": 2.0})
    assert (found.request.searched_drop, found.peak_memory_mib) == (None, None)


@pytest.mark.parametrize(
    ("budgets", "pareto", "points"),
    [
        (["max-drop=1"], [], 1),
        (["max-drop=1", "cores=4"], [], 1),
        (["max-drop=1", "30%"], [], None),
        (["max-drop=1"], ["30%", "50%"], None),
        (["30%"], [], None),
    ],
)
def test_a_budget_is_looked_for_only_where_a_largest_drop_stands_without_one(budgets, pareto, points):
    request = asked(parse_budgets(budgets), pareto=tuple(map(parse_budget, pareto)))
    found = request.searched_drop
    assert (None if found is None else found.allowed) == points


def rows(*pairs):
    return limit_reports([before for before, _ in pairs], [after for _, after in pairs])


def test_the_limit_of_which_most_is_used_binds():
    found = rows((Use(BUDGET, 200), Use(BUDGET, 90)), (use("cores", 9, 4), use("cores", 3.8, 4)))
    assert [(row.name, row.dense, row.pruned, row.binds) for row in found] == [
        ("SynOps per inference", 200, 90, False),
        ("cores", 9, 3.8, True),
    ]


def test_a_full_core_binds_only_where_the_dense_network_did_not_fit():
    full = use("neurons per core", 100, 100)
    assert rows((Use(BUDGET, 200), Use(BUDGET, 90)), (full, full))[0].binds
    assert rows((Use(BUDGET, 200), Use(BUDGET, 90)), (use("neurons per core", 101, 100), full))[1].binds


def test_a_limit_on_answers_binds_only_where_it_is_broken():
    drop = Limit(MAX_DROP, 1, "budget max-drop=1")
    pair = (Use(BUDGET, 200), Use(BUDGET, 90))
    assert rows(pair, (Use(drop, 0), Use(drop, 1)))[0].binds
    assert rows(pair, (Use(drop, 0), Use(drop, 1.5)))[1].binds


def test_a_limit_keeps_its_unit_its_origin_and_whether_it_is_the_least():
    least = limit("accuracy", 90, "%", "budget min-accuracy=90%", Follows.ANSWERS)
    (row,) = rows((Use(least, 95), Use(least, 91)))
    assert (row.unit, row.allowed, row.origin, row.least) == ("%", 90, "budget min-accuracy=90%", False)


def test_what_was_lost_is_told_with_its_interval_and_what_chance_gives():
    found = answers_report(Answers(100, 80, lost=12, gained=3, guess_rate=0.1))
    assert (found.accuracy, found.reference_accuracy, found.drop_points) == (0.8, 0.89, 9)
    assert found.drop_low < 9 < found.drop_high
    assert 0.1 < found.most_by_guessing < 0.25

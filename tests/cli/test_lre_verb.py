import json

import pytest
from made_task import write_task

from spear_deploy.cli import main
from spear_deploy.search import ESTIMATORS
from spear_deploy.search.lre import sampling

BUDGETS = ("--budget", "70%", "--budget", "p99=75%", "--budget", "step=90%")
SEARCH = ("--evaluations", "4", "--finalists", "1", "--epochs", "2", "--no-lava")
QUICK = ("--lre-samples", "12", "--workers", "1", *SEARCH)


@pytest.fixture(scope="module")
def task(tmp_path_factory):
    folder = tmp_path_factory.mktemp("task")
    write_task(folder)
    return folder


@pytest.fixture
def call(task, monkeypatch, capsys):
    def run(*arguments):
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        return ended.value.code, *capsys.readouterr()

    monkeypatch.chdir(task)
    return run


def report_of(task, folder):
    return json.loads((task / folder / "report.json").read_text())


def test_a_run_tells_its_tails_and_how_well_it_predicts(call, task):
    deploy = ("--target", "loihi2", *QUICK, *BUDGETS, "--cache", "kept", "model.pt")
    call(*deploy, "--out", "first")
    (kept,) = (task / "kept").iterdir()
    written = kept.stat().st_mtime_ns
    call(*deploy, "--out", "again")
    first, again = report_of(task, "first"), report_of(task, "again")
    assert kept.stat().st_mtime_ns == written
    for report in (first, again):
        report.pop("seconds")
        report.pop("command")
        report.pop("peak_memory_mib")
    (recalled,) = [told for told in again["told"] if told not in first["told"]]
    assert "come from kept/lre-" in recalled
    again["told"].remove(recalled)
    assert first.pop("earlier") == {}
    assert again.pop("earlier")["LRE sample"]["steps"] == len(list(kept.iterdir()))
    assert again == first

    limits = {limit["name"]: limit for limit in first["budget"]["limits"]}
    for name, share in (("SynOps of the 99th percentile inference", 0.75), ("SynOps of the busiest time step", 0.9)):
        assert limits[name]["unit"] == "SynOps"
        assert 0 < limits[name]["pruned"] < limits[name]["dense"]
        assert limits[name]["allowed"] == pytest.approx(share * limits[name]["dense"], rel=0.1)  # of validation's
    assert limits["SynOps per inference"]["dense"] < limits["SynOps of the 99th percentile inference"]["dense"]

    lre = first["lre"]
    assert list(lre["estimators"]) == ["linear", "per-layer", "constant", "log-line", "ridge"]
    assert lre["estimators"]["linear"]["predicted"] == pytest.approx(lre["linear"]["predicted"])
    assert lre["samples"] == len(lre["scatter"])

    code, shown, _ = call("lre", "first")
    assert code == 0
    for name, each in lre["estimators"].items():
        assert (f"{name} *" if name == lre["estimator"] else name) in shown
        assert f"{each['loo_mean_error_percent']:.1f} %" in shown
        assert f"{each['low']:,.0f}-{each['high']:,.0f}" in shown
    assert "warning" in shown or not lre["extrapolated"]

    code, shown, _ = call("lre", "--json", "first/report.json")
    assert (code, json.loads(shown)) == (0, lre)

    old = report_of(task, "first")
    for key in ("estimators", "scatter", "extrapolated"):
        del old["lre"][key]
    (task / "old.json").write_text(json.dumps(old))
    code, shown, _ = call("lre", "old.json")
    assert code == 0
    assert "lacks estimators and scatter" in shown


@pytest.mark.parametrize(("usable", "left"), [(3, None), (4, ["log-line", "ridge"]), (5, ["ridge"])])
def test_a_run_with_few_samples_that_spike_ends_and_tells_what_they_judge(call, task, monkeypatch, usable, left):
    make, made = sampling.make_sample, []

    def silent_soon(*job):
        made.append(job)
        return make(*job) if len(made) <= usable else None

    monkeypatch.setattr(sampling, "make_sample", silent_soon)
    quick = ("--lre-samples", "8", "--workers", "1", *SEARCH, "--no-cache", "--force", "--out", "few")
    code, _, told = call("--target", "loihi2", *quick, "model.pt")
    assert f"{len(made) - usable} of LRE's {len(made)} sampled networks cannot be used" in told
    if left is None:
        assert code == 2
        assert "only 3 of LRE's sampled networks still spike after fine-tuning, 4 are needed" in told
        return
    assert code in (0, 1), told
    lre = report_of(task, "few")["lre"]
    assert lre["samples"] == usable
    assert [name for name in ESTIMATORS if name not in lre["estimators"]] == left
    shown = call("lre", "few")[1]
    assert all(name in shown for name in lre["estimators"])
    assert call("validate", "few")[0] in (0, 1)


def test_without_a_cache_nothing_is_kept(call, task):
    call("--target", "loihi2", *QUICK, "--no-cache", "--cache", "unused", "--out", "none", "model.pt")
    assert not (task / "unused").exists()


@pytest.mark.parametrize("error", ["3", "0%", "100%", "three%"])
def test_an_error_that_is_no_percentage_is_refused(call, error):
    code, _, told = call("--target", "loihi2", "--lre-error", error, "model.pt")
    assert code == 2
    assert "give a percentage, such as 3%" in told


@pytest.mark.parametrize(("content", "said"), [(None, "cannot be read"), ("{}", "not a report"), ("{", "not a report")])
def test_what_is_no_run_is_refused(call, task, content, said):
    if content is not None:
        (task / "bad.json").write_text(content)
    code, _, told = call("lre", "bad.json" if content is not None else "nowhere")
    assert code == 2
    assert said in told

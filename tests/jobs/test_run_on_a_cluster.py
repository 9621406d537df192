import json
import threading
import time
from pathlib import Path

import pytest
from made_cluster import two_machines
from made_task import write_task

from spear_deploy.cli import main
from spear_deploy.network import load_model_file
from spear_deploy.network.fingerprint import fingerprint

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")  # of Ray's own cluster for tests

FEW = ("--lre-samples", "12", "--evaluations", "8", "--finalists", "1", "--plain-epochs", "2", "--epochs", "2")


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """The main job on a small task; its exit code, stdout and stderr."""
    write_task(tmp_path)
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        with pytest.raises(SystemExit) as ended:
            main(("model.pt", *FEW, "--no-lava", "--json", *arguments))
        return ended.value.code, *capsys.readouterr()

    return call


@pytest.mark.slow
def test_a_run_on_a_cluster_that_loses_a_machine_ends_in_the_same_network(run, tmp_path):
    here, out, _ = run("--out", "here", "--workers", "1", "--cache", "kept-here")
    alone = json.loads(out)
    with two_machines() as (address, end_second):
        ending = threading.Thread(target=once_a_sample_is_kept, args=(tmp_path / "kept-there", end_second))
        ending.start()
        there, out, err = run("--out", "there", "--ray", address, "--cache", "kept-there")
        ending.join()
    shared = json.loads(out)
    assert (there, shared["measured"]) == (here, alone["measured"]), err
    assert shared["lre"]["samples"] == alone["lre"]["samples"] == 12
    ours, theirs = (fingerprint(load_model_file(Path(each, "pruned.pt"))) for each in ("here", "there"))
    assert ours == theirs


@pytest.mark.slow
def test_the_budgets_of_a_front_are_searched_for_on_two_machines_with_the_same_end(run):
    front = ("--pareto", "60%,30%", "--cache", "kept")
    here, _, _ = run("--out", "here", "--workers", "1", *front)
    with two_machines() as (address, _):
        there, _, err = run("--out", "there", "--ray", address, *front)
    assert there == here, err
    for budget in ("60pct", "30pct"):
        alone, shared = (json.loads(Path(each, budget, "report.json").read_text()) for each in ("here", "there"))
        assert shared["measured"] == alone["measured"]
        assert {*shared["seconds"]} - {*alone["seconds"]} == {"targets side by side"}
        ours, theirs = (fingerprint(load_model_file(Path(each, budget, "pruned.pt"))) for each in ("here", "there"))
        assert ours == theirs


def once_a_sample_is_kept(cache, action):
    end = time.monotonic() + 120
    while not list(cache.glob("**/00*.json")) and time.monotonic() < end:
        time.sleep(0.02)
    action()


def test_a_cluster_that_does_not_answer_is_told_before_the_long_work(run):
    code, out, err = run("--ray", "127.0.0.1:1")
    assert (code, out) == (2, "")
    assert err.strip().splitlines()[-1].startswith("spear-deploy: 127.0.0.1:1: no Ray cluster answers there (")
    assert "LRE samples" not in err

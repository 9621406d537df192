"""`simulate` of a network in a run's folder: the figures of the run's report."""

import json
from dataclasses import replace

import pytest
from made_task import untrained, write_task
from small_runs import run

from spear_deploy.cli import main
from spear_deploy.jobs.run_settings import seed_of_run
from spear_deploy.network import Encoding


def test_the_run_s_seed_stands_for_one_that_is_not_given(tmp_path, capsys):
    """Samples that are coded by rate are other spikes with another seed."""
    model = write_task(tmp_path, replace(untrained(), encoding=Encoding.RATE))
    (report,) = run(model, tmp_path / "run", seed=3, lre_samples=8, evaluations=4)
    pruned = tmp_path / "run" / "pruned.nir"

    def seen(*arguments):
        capsys.readouterr()
        with pytest.raises(SystemExit):
            main(["simulate", str(pruned), "--on", "chip", "--json", *arguments])
        out, err = capsys.readouterr()
        found = json.loads(out)
        return found["seed"], found["results"]["chip"]["synops"], "".join(err.split())

    seed, synops, said = seen()
    assert (seed, synops) == (3, pytest.approx(report.measured["chip"].synops))
    assert "samplesareencodedfromseed3,as" in said
    other, others, said = seen("--seed", "0")
    assert (other, others == synops, "encodedfromseed" in said) == (0, False, False)


def test_a_network_beside_a_report_alone_is_of_no_run(tmp_path):
    """As `--json model.pt > report.json` leaves them."""
    for name in ("model.pt", "report.json"):
        (tmp_path / name).write_text("{}")
    assert seed_of_run(tmp_path / "model.pt") is None

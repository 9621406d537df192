"""`simulate` of a network in a run's folder: the figures of the run's report."""

import json
from dataclasses import replace

import pytest
from made_task import untrained, write_task
from small_runs import run

import spear_deploy as sd
from spear_deploy.backends.fixed_point.weight_bits import WeightBits
from spear_deploy.cli import main
from spear_deploy.jobs.run_settings import settings_around
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


def test_the_run_s_chip_bits_and_seed_hold_for_every_file_in_its_folder(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = write_task(tmp_path, replace(untrained(), encoding=Encoding.RATE))
    bits = WeightBits(6)
    (report,) = run(model, tmp_path / "run", "loihi1", seed=3, lre_samples=8, evaluations=4, weight_bits=bits)

    def typed(*arguments):
        capsys.readouterr()
        with pytest.raises(SystemExit):
            main(arguments)
        return capsys.readouterr()

    seen = json.loads(typed("simulate", "run/pruned.pt", "--on", "chip", "--json").out)
    assert seen["target"] == "loihi1"
    assert seen["results"]["chip"]["synops"] == pytest.approx(report.measured["chip"].synops)

    in_torch = json.loads(typed("simulate", "run/pruned.pt", "--on", "torch", "--json").out)  # which has no such bits
    assert in_torch["results"]["torch"]["synops"] == pytest.approx(report.measured["torch"].synops)

    for source, out in (("run", "of-folder"), ("run/pruned.pt", "of-file")):
        typed("export", source, "--to", "nir", "--fixed", "--out", out)
    both = [json.loads((tmp_path / out / "export.json").read_text())["exports"] for out in ("of-folder", "of-file")]
    assert both[0] == both[1]
    assert "loihi1" in json.dumps(both[0][0]["integers"])

    checked = json.loads(typed("check", "run/pruned.pt", "--target", "generic-45nm", "--json").out)
    at_seed = sd.check(sd.load_model("run/pruned.pt"), "generic-45nm", sd.load_data("samples.npz"))
    assert checked["cost"]["synops"] != at_seed.row.cost.synops


def test_a_network_beside_a_report_alone_is_of_no_run(tmp_path):
    """As `--json model.pt > report.json` leaves them."""
    for name in ("model.pt", "report.json"):
        (tmp_path / name).write_text("{}")
    assert settings_around(tmp_path / "model.pt") is None

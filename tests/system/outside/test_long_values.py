"""However much a file holds where a word is due: what is said of it is no longer than a screen."""

import json
import zipfile

import h5py
import nir
import numpy as np
import pytest
import torch

from spear_deploy.data import load_data
from spear_deploy.errors import LONGEST_MESSAGE, SpearDeployError, quoted
from spear_deploy.exporting.bundle import open_bundle
from spear_deploy.hardware import load_profile
from spear_deploy.hardware.chip.profile_files import profile_text
from spear_deploy.jobs.calibrate import calibrate
from spear_deploy.network import load_any
from spear_deploy.report.reading import read_run
from tests.fuzz.kinds import netx as write_netx

LONG = "x" * 50_000


def profile(folder):
    path = folder / "chip.toml"
    path.write_text(profile_text("loihi2").replace('unit = "neurons"', f'unit = "{LONG}"'))
    return load_profile(path)


def parent_of_a_profile(folder):
    path = folder / "chip.toml"
    path.write_text(f'name = "chip"\ntitle = "chip"\ninherits = "{LONG}"\n')
    return load_profile(path)


def unknown_keys_of_a_profile(folder):
    path = folder / "chip.toml"
    path.write_text(profile_text("loihi2") + "\n[extra]\n" + "\n".join(f"key{n} = {n}" for n in range(3000)))
    return load_profile(path)


def description(folder):
    torch.save({"0.weight": torch.ones(2, 2)}, folder / "net.pt")
    (folder / "net.toml").write_text(
        f'time_steps = 4\ninput_shape = [2]\n[[layer]]\nname = "0"\nkind = "{LONG}"\n', encoding="utf-8"
    )
    return load_any(folder / "net.pt", arch=str(folder / "net.toml"), dt_s=1e-4)


def netx(folder):
    path = folder / "net.net"
    write_netx(path)
    with h5py.File(path, "r+") as file:
        del file["layer/0/type"]
        file["layer/0/type"] = np.array([LONG.encode()])
    return load_any(path, time_steps=4)


def node_of_nir(folder):
    path = folder / "net.nir"
    nodes = {
        "input": nir.Input(np.array([2])),
        LONG: nir.Linear(np.ones((3, 5))),
        "output": nir.Output(np.array([2])),
    }
    nir.write(path, nir.NIRGraph(nodes, [("input", LONG), (LONG, "output")], type_check=False))
    return load_any(path, time_steps=4)


def key_of_a_checkpoint(folder):
    torch.save({LONG: torch.ones(2, 2), f"{LONG}y": torch.ones(3)}, folder / "net.pt")
    return load_any(folder / "net.pt", input_shape=(2,), time_steps=4)


def archive(folder):
    np.savez(folder / "data.npz", **{f"{LONG[:60_000]}{n}": np.ones(2) for n in range(3)})
    return load_data(folder / "data.npz")


def bundle(folder):
    path = folder / "net.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("spear-deploy.json", json.dumps({"format": LONG, "model": "net.nir", "files": {}}))
    return open_bundle(path, folder)


def rows(folder):
    path = folder / "rows.csv"
    path.write_text(f"network,chips,synops,mj_total,mj_dynamic,ms\nnet,1,{LONG},1,1,1\n")
    return calibrate("loihi2", path, instrument="none")


def header_of_rows(folder):
    path = folder / "rows.csv"
    path.write_text(f"network,{LONG},synops\nnet,1,1\n")
    return calibrate("loihi2", path, instrument="none")


@pytest.mark.parametrize(
    "read",
    [
        *(profile, parent_of_a_profile, unknown_keys_of_a_profile, description, netx, node_of_nir),
        *(key_of_a_checkpoint, archive, bundle, rows, header_of_rows),
    ],
    ids=lambda read: read.__name__,
)
def test_a_refusal_is_no_longer_than_a_screen_whatever_the_file_holds(tmp_path, read):
    with pytest.raises(SpearDeployError) as told:
        read(tmp_path)
    assert len(str(told.value)) <= LONGEST_MESSAGE


def test_the_gaps_of_a_report_are_no_longer_than_a_screen_either(tmp_path):
    (tmp_path / "report.json").write_text(json.dumps({"schema_version": LONG, "verdict": {LONG: LONG}}))
    exports = {"exports": [{"format": LONG, "refused": [LONG], "files": {LONG: LONG, f"a/{LONG}": ""}}]}
    (tmp_path / "exports.json").write_text(json.dumps(exports))
    run = read_run(tmp_path)
    gaps = (*run.gaps, *run.refused)
    assert gaps
    assert all(len(gap) <= LONGEST_MESSAGE for gap in gaps)


def test_what_is_cut_out_of_a_message_is_counted_and_its_beginning_and_end_stay():
    lines = [f"line {n}: {LONG} of kind {n}" for n in range(100)]
    message = str(SpearDeployError("\n".join(lines)))
    shown = message.splitlines()
    assert len(message) <= LONGEST_MESSAGE
    assert shown[0].startswith("line 0: xxx")
    assert shown[0].endswith("x of kind 0")
    assert "characters ...]" in shown[0]
    (gap,) = (line for line in shown if line.startswith("[... "))
    assert gap == f"[... {100 - len(shown) + 1} lines ...]"
    assert shown[-1].endswith("x of kind 99")


def test_a_message_that_fits_stays_as_it_is():
    message = "\n".join(f"line {n} " + "y" * 380 for n in range(5))
    assert str(SpearDeployError(message)) == message


def test_a_value_that_is_short_is_quoted_as_python_writes_it():
    assert [quoted("lohi2"), quoted(3), quoted([1, "a"])] == ["'lohi2'", "3", "[1, 'a']"]

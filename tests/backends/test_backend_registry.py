"""Another project's backend: found by its entry point, run, compared and reported, with no line changed here."""

import importlib
import json
import sys

import numpy as np
import pytest
from made_networks import Chain
from made_task import arrays, untrained, write_task

from spear_deploy.backends.backend import Backend
from spear_deploy.backends.registry import OWN, available, backend_class, classes
from spear_deploy.cli import main
from spear_deploy.hardware import load_profile
from spear_deploy.jobs.deploy.deploy import deploy
from spear_deploy.jobs.deploy.request import DeployRequest
from spear_deploy.jobs.progress import Silent
from spear_deploy.network import save_model_file
from spear_deploy.search import TuningPlan
from spear_deploy.training import Recipe

TOY = '''
"""A simulator that another project could offer: each sample alone, in numpy's order of sums."""

import torch

from spear_deploy.backends.backend import Backend, Executable
from spear_deploy.backends.recording import Recording
from spear_deploy.network import Simulation


class Toy(Backend):
    name = "toy"
    arithmetic = "float64"
    reference = "torch"
    lost = False

    @classmethod
    def of(cls, setting):
        return cls()

    def prepare(self, model, *, reference=None):
        return Ready(model, self.lost)


class Forgetful(Toy):
    """One that loses the last step."""

    name = "forgetful"
    lost = True


class Broken(Toy):
    """One whose program is gone when it is run."""

    name = "broken"

    def prepare(self, model, *, reference=None):
        ready = Ready(model, False)
        ready.run = lambda inputs, **options: 1 / 0
        return ready


class Mute(Toy):
    def prepare(self, model, *, reference=None):
        ready = Ready(model, False)
        ready.run = lambda inputs, **options: None
        return ready


class InArrays(Toy):
    def prepare(self, model, *, reference=None):
        ready = Ready(model, False)
        ready.run = lambda inputs, **options: Recording({"lif1": inputs.numpy()})
        return ready


class NotANumber(Toy):
    def prepare(self, model, *, reference=None):
        ready = Ready(model, False)
        ready.run = lambda inputs, **options: Recording({"lif1": inputs * float("nan")})
        return ready


class Unmade(Toy):
    @classmethod
    def of(cls, setting):
        raise OSError("no licence")


class Unready(Toy):
    def prepare(self, model, *, reference=None):
        return None


class Ready(Executable):
    def __init__(self, model, lost):
        self.simulation, self.lost = Simulation(model.graph, torch.float64), lost

    @torch.no_grad()
    def run(self, inputs, *, observe=False, on_progress=None):
        runs = [self.simulation(inputs[:, i : i + 1].double()).outputs for i in range(inputs.shape[1])]
        outputs = {name: torch.cat([run[name] for run in runs], 1) for name in runs[0]}
        if self.lost:
            outputs = {name: torch.cat([sent[:-1], torch.zeros_like(sent[:1])]) for name, sent in outputs.items()}
        return Recording(outputs)
'''


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Installs entry points as pip leaves them: a module and its dist-info."""
    site = tmp_path / "site"
    info = site / "toy_project-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: toy-project\nVersion: 1.0\n")
    monkeypatch.syspath_prepend(str(site))

    def call(code, *entries):
        (site / "toy_project.py").write_text(code)
        (info / "entry_points.txt").write_text("\n".join(["[spear_deploy.backends]", *entries]))
        importlib.invalidate_caches()

    yield call
    sys.modules.pop("toy_project", None)


@pytest.fixture
def simulate(tmp_path, monkeypatch, capsys):
    np.savez(tmp_path / "samples.npz", **arrays(test=12))
    save_model_file(untrained(), tmp_path / "model.pt")
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        with pytest.raises(SystemExit) as ended:
            main(("simulate", "model.pt", *arguments))
        return ended.value.code, *capsys.readouterr()

    return call


def test_ours_say_whom_they_must_repeat_and_whether_they_are_integers():
    found = {name: (each.reference, each.integers) for name, each in classes(pytest.fail).items() if name in OWN}
    assert found == {
        "torch": (None, False),
        "chip": (None, True),
        "lava": ("torch", False),
        "lava-fixed": ("chip", True),
    }
    assert all(name == backend_class(name).name for name in OWN)


def test_an_unknown_backend_is_answered_with_the_known_ones(simulate):
    code, _, err = simulate("--on", "abacus")
    assert code == 2
    assert "'abacus'" in err
    assert all(name in err for name in OWN)


class TestATheirs:
    def test_is_run_by_its_name_and_held_against_ours(self, install, simulate):
        install(TOY, "toy = toy_project:Toy", "forgetful = toy_project:Forgetful")
        code, out, err = simulate("--on", "toy", "--json")
        assert code == 0, err
        result = json.loads(out)["results"]["toy"]
        assert result["arithmetic"] == "float64"
        assert result["layers"][0]["v"] is None  # it does not show its states
        code, out, err = simulate("--compare", "torch,toy")
        assert code == 0, err
        assert "torch and toy: equal in all 3 layers" in out
        code, out, err = simulate("--compare", "torch,forgetful")
        assert code == 1, err
        assert "torch and forgetful differ first in layer lif1" in out

    def test_is_named_in_the_help(self, install, capsys, monkeypatch):
        monkeypatch.setenv("COLUMNS", "300")
        install(TOY, "toy = toy_project:Toy")
        with pytest.raises(SystemExit):
            main(["simulate", "--on", "nothing", "model.pt"])
        assert "toy" in capsys.readouterr().err

    def test_verifies_a_run_and_stands_in_its_report(self, install, tmp_path):
        install(TOY, *(f"{name.lower()} = toy_project:{name}" for name in ("Toy", "Forgetful", "Broken", "Unmade")))
        recipe = Recipe(epochs=1, batch=16, learning_rate=5e-3)
        request = DeployRequest(
            model=write_task(tmp_path),
            targets=(load_profile("loihi2"),),
            out=tmp_path / "run",
            lre_samples=8,
            evaluations=4,
            finalists=1,
            plan=TuningPlan(recipe, recipe),
            lava=False,
        )
        (report,) = deploy(request, Silent()).values()
        assert report.agreement["torch_toy"].equal
        assert report.measured["toy"].synops == report.measured["torch"].synops
        assert report.lre.check["toy"].synops == pytest.approx(report.lre.check["torch"].synops, rel=0.2)
        assert not report.agreement["torch_forgetful"].equal
        assert not report.verdict.ok
        assert "forgetful's spikes differ from torch's from layer lif1" in report.verdict.reason
        assert (
            "not verified in broken: backend 'broken' of toy-project failed (ZeroDivisionError" in report.verdict.reason
        )
        assert "backend 'unmade' of toy-project failed (OSError: no licence" in "".join(report.told)
        assert "toy" in (tmp_path / "run" / "report.html").read_text()

    @pytest.mark.parametrize(
        ("name", "fault"),
        [
            ("Broken", "failed (ZeroDivisionError: division by zero, toy_project.py:"),
            ("Mute", "gives NoneType, no Recording with outputs by layer"),
            ("InArrays", "gives ndarray of lif1, outputs are tensors [T, B, *shape] without NaN"),
            ("NotANumber", "gives Tensor of lif1, outputs are tensors [T, B, *shape] without NaN"),
            ("Unmade", "failed (OSError: no licence, toy_project.py:"),
            ("Unready", "prepare() gives NoneType, nothing to run"),
        ],
    )
    def test_is_named_where_it_fails_or_gives_what_nothing_can_be_held_against(self, install, simulate, name, fault):
        install(TOY, f"toy = toy_project:{name}")
        code, _, err = simulate("--compare", "torch,toy")
        assert code == 2
        assert "backend 'toy' of toy-project" in err
        assert fault in err
        assert "Traceback" not in err


@pytest.mark.parametrize(
    ("code", "entry", "fault"),
    [
        ("import a_simulator_that_is_not_there", "toy_project:Toy", "ModuleNotFoundError"),
        ("1 / 0", "toy_project:Toy", "ZeroDivisionError"),
        ("", "toy_project:Toy", "AttributeError"),
        ("class Toy: pass", "toy_project:Toy", "is no subclass of"),
    ],
)
def test_one_that_cannot_be_imported_is_named_and_the_others_go_on(install, simulate, code, entry, fault):
    install(code, f"broken = {entry}")
    assert "broken" in available()
    ended, _, err = simulate("--on", "broken")
    assert ended == 2
    assert err.count("\n") == 1
    assert "backend 'broken' of toy-project" in err
    assert fault in err
    ended, _, err = simulate("--on", "torch")
    assert ended == 0, err
    told = []
    assert set(classes(told.append)) == set(OWN)
    assert len(told) == 1


def test_nobody_replaces_one_of_ours(install):
    install("class Other: pass", "torch = toy_project:Other")
    assert issubclass(backend_class("torch"), Backend)


def test_integers_of_a_chip_that_has_none_are_refused_with_a_way_out(simulate):
    code, _, err = simulate("--on", "lava-fixed", "--target", "generic-45nm", "--samples", "2")
    assert code == 2
    assert "generic-45nm: the profile names no arithmetic" in err


def test_the_integers_of_the_chip_are_the_very_ones_that_lava_s_fixed_point_runs():
    from spear_deploy.backends.backend import Setting
    from spear_deploy.backends.registry import prepared

    model = Chain((8,), seed=3).linear("a", 10).neurons("first").linear("b", 4).neurons("out").model(4)
    setting = Setting(load_profile("loihi2"), model_inputs(model))
    ready = prepared(model, [backend_class(name).of(setting) for name in ("lava-fixed", "chip")])
    assert list(ready) == ["lava-fixed", "chip"]
    assert ready["lava-fixed"].integers is ready["chip"].integers


def model_inputs(model):
    from made_networks import spike_input

    return spike_input(model)

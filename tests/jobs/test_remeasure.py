"""A run measured again gives the run's own figures."""

import numpy as np
import pytest
from made_task import write_task

from spear_deploy.backends.fixed_point.weight_bits import WeightBits
from spear_deploy.errors import RunError
from spear_deploy.hardware import load_profile
from spear_deploy.jobs.deploy.deploy import deploy
from spear_deploy.jobs.deploy.request import DeployRequest
from spear_deploy.jobs.progress import Silent
from spear_deploy.jobs.remeasure import measure_again
from spear_deploy.search import TuningPlan
from spear_deploy.training import Recipe

RECIPE = Recipe(epochs=1, batch=16, learning_rate=5e-3)


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    folder = tmp_path_factory.mktemp("task")
    request = DeployRequest(
        model=write_task(folder),
        targets=(load_profile("loihi2"),),
        out=folder / "run",
        lre_samples=8,
        evaluations=4,
        finalists=1,
        plan=TuningPlan(RECIPE, RECIPE),
        lava=False,
        weight_bits=WeightBits(5, {"fc": 4}),  # those that are measured again, without exponents
        file_format="netx",
        plot=True,
    )
    (report,) = deploy(request, Silent()).values()
    return folder, report


def test_measured_again_a_run_has_the_figures_that_it_reported(done):
    folder, report = done
    again = measure_again(folder / "run", report, load_profile("loihi2"))
    assert again.checks == report.lre.check
    assert again.validation_synops > 0
    for backend, layers in again.layers.items():
        assert sum(layer.synops for layer in layers) == pytest.approx(again.checks[backend].synops)


def test_other_data_are_refused(done, tmp_path):
    folder, report = done
    content = dict(np.load(folder / "samples.npz"))
    content["x_test"] = content["x_test"][::-1].copy()
    np.savez(tmp_path / "samples.npz", **content)
    with pytest.raises(RunError, match="is not the data of the run"):
        measure_again(folder / "run", report, load_profile("loihi2"), str(tmp_path / "samples.npz"))


def test_the_main_job_writes_the_page_and_on_request_the_figures(done):
    folder, _ = done
    assert "pruned for loihi2" in (folder / "run" / "report.html").read_text()
    written = {path.name for path in (folder / "run" / "plots").iterdir()}
    assert {"measured.svg", "layers.png", "search.svg", "rounding.png"} <= written

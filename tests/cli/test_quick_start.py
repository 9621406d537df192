"""Short commands import what they use and nothing else."""

import ast
import gc
import importlib
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
import typer
from made_task import write_task

import spear_deploy
from spear_deploy.cli.verbs import VERBS
from spear_deploy.hardware.chip import profile_files
from spear_deploy.hardware.placement.packing import PACKINGS
from spear_deploy.jobs.task import load_task
from spear_deploy.pruning import ANY_WIDTH
from spear_deploy.search.lre import sampling
from spear_deploy.system.lazy import uncollected
from spear_deploy.system.processes import worker_pool
from spear_deploy.training import Recipe


def release(package):
    return tuple(int(part) for part in version(package).split(".")[:2])


OLD = (("torch", (2, 7), {"sympy", "torch._dynamo"}), ("scikit-learn", (1, 5), {"scipy.stats", "scipy.optimize"}))
BROUGHT = {each for name, before, those in OLD if release(name) < before for each in those}
"""What old releases import by themselves, whatever we put off."""

HEAVY = {
    *("torch", "sklearn", "matplotlib", "plotly", "snntorch", "stable_baselines3", "scipy", "nir", "h5py", "networkx"),
    *("gymnasium", "cma", "jinja2"),
    "spear_deploy.report.schema",  # forty classes to be built, for runs alone
}
PACKAGE = Path(spear_deploy.__file__).parent


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["profiles", "list"], ["profiles", "show", "loihi2"]])
def test_help_version_and_profiles_import_no_heavy_library(words):
    script = (
        "import sys\nfrom spear_deploy.cli import main\n"
        f"try:\n    main({words!r})\nexcept SystemExit as ended:\n    assert not ended.code, ended.code\n"
        "print(sorted({name.split('.')[0] for name in sys.modules} | set(sys.modules)), file=sys.stderr)\n"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert not HEAVY & set(ast.literal_eval(ran.stderr.splitlines()[-1]))


def test_check_imports_no_drawing_no_search_no_compiler_and_no_snntorch():
    script = (
        "import sys\nfrom spear_deploy.cli import main\n"
        "try:\n    main(['check', 'examples/digits.pt', '--target', 'loihi2'])\nexcept SystemExit as ended:\n"
        "    assert ended.code in (0, 1), ended.code\n"
        "print(sorted(sys.modules), file=sys.stderr)\n"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    unused = {
        "matplotlib",
        "plotly",
        "jinja2",
        "snntorch",
        "stable_baselines3",
        "gymnasium",
        "cma",
        "torch._dynamo",
        "sympy",
    } - BROUGHT
    assert not unused & set(ast.literal_eval(ran.stderr.splitlines()[-1]))


UNUSED = {
    *("stable_baselines3", "gymnasium", "cma", "matplotlib", "torch._dynamo", "sympy"),
    *("scipy.stats", "scipy.optimize"),
} - BROUGHT
"""What other searches, pictures and compilers need, and a greedy job on a CPU does not."""


def test_a_greedy_deploy_imports_no_other_search_no_drawing_no_compiler_and_no_statistics(tmp_path):
    write_task(tmp_path)
    few = ["--lre-samples", "8", "--plain-epochs", "1", "--epochs", "1", "--evaluations", "4", "--finalists", "1"]
    words = ["--target", "loihi2", "--budget", "70%", "--no-lava", "--workers", "1", "--out", "run", *few, "model.pt"]
    script = (
        "import sys\nfrom spear_deploy.cli import main\n"
        f"try:\n    main({words!r})\nexcept SystemExit as ended:\n    assert ended.code in (0, 1), ended.code\n"
        "print(sorted(sys.modules), file=sys.stderr)\n"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert not UNUSED & set(ast.literal_eval(ran.stderr.splitlines()[-1]))


def what_a_worker_imported(*start):
    """A worker of LRE's samples that tells, instead of a sample, what it has imported once that is made."""
    work = sampling._begin_worker(*start)

    def tell(job):
        assert work(job).sample is not None
        return set(sys.modules)

    return tell


def test_a_worker_of_lres_samples_imports_no_more(tmp_path):
    task = load_task(write_task(tmp_path))
    job = np.full(2, 0.8), Recipe(epochs=1), 0
    with worker_pool(1, what_a_worker_imported, task.model, task.train, ANY_WIDTH, True, 1) as pool:
        ((_, imported),) = pool.run([job])
    assert not (UNUSED | {"spear_deploy.search.strategies", "sklearn"}) & imported


@pytest.mark.parametrize("name", VERBS)
def test_the_help_says_of_a_verb_what_the_verb_says_of_itself(name):
    verb = VERBS[name]
    found = getattr(importlib.import_module(f"spear_deploy.cli.{verb.module}"), verb.function)
    says = found.info.help if isinstance(found, typer.Typer) else found.__doc__.splitlines()[0]
    assert verb.says == says
    assert VERBS[name].load(name).name == name


def test_every_public_name_of_a_lazy_package_is_found_when_it_is_asked_for():
    lazy = [path for path in PACKAGE.rglob("__init__.py") if "lazily(" in path.read_text()]
    assert lazy
    for path in lazy:
        package = importlib.import_module(".".join(["spear_deploy", *path.parent.relative_to(PACKAGE).parts]))
        assert not set(package.__all__) & {module.stem for module in path.parent.iterdir()}  # it would hide the name
        assert all(getattr(package, name) is not None for name in package.__all__)
        with pytest.raises(AttributeError, match="has no attribute 'nonsense'"):
            _ = package.nonsense


def test_what_an_import_made_is_never_looked_through_for_garbage():
    with uncollected():
        assert not gc.isenabled()
        made = [object.__new__(type("Made", (), {}))]
    assert gc.isenabled()
    assert not any(each is made for each in gc.get_objects())  # which holds what may still be collected
    gc.unfreeze()
    assert any(each is made for each in gc.get_objects())


def test_profiles_may_name_every_packing_formula_and_no_other():
    assert set(profile_files.PACKINGS) == set(PACKINGS)

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from made_cluster import two_machines

from spear_deploy.errors import ClusterError
from spear_deploy.system import cluster as module
from spear_deploy.system.cluster import joined

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")  # Ray's own tests' cluster leaves files open


@pytest.fixture(scope="module")
def machines():
    with two_machines() as found:
        yield found


@pytest.fixture
def address(machines):
    return machines[0]


def where_it_runs(offset):
    def work(seconds):
        import ray

        time.sleep(seconds)
        return float(np.sum(offset)), ray.get_runtime_context().get_node_id(), os.getcwd(), sys.path

    return work


def test_machines_share_jobs_and_import_nothing_from_the_current_folder(address, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ran = tmp_path / "ran"
    for name in ("ray", "signal", "json", "numpy", "spear_deploy", "torch"):
        Path(f"{name}.py").write_text(f"open({str(ran)!r}, 'a').write('{name} ')\n")
    with joined(address) as cluster, cluster.pool(where_it_runs, np.ones(3)) as pool:
        assert cluster.slots == 2
        answers = dict(pool.run([1.0] * 4))
    assert answers.keys() == {0, 1, 2, 3}
    assert {total for total, *_ in answers.values()} == {3.0}
    assert len({node for _, node, *_ in answers.values()}) == 2
    assert all(str(tmp_path) not in (folder, *path) for *_, folder, path in answers.values())
    assert not ran.exists()


def test_what_is_said_and_set_by_ray_stays_out_of_this_process(address, capfd):
    before = dict(os.environ)
    with joined(address) as cluster, cluster.pool(where_it_runs, np.ones(1)) as pool:
        assert len(list(pool.run([0.0]))) == 1
        assert "ray" not in sys.modules or not sys.modules["ray"].is_initialized()
    assert capfd.readouterr() == ("", "")
    assert dict(os.environ) == before


def test_lists_of_jobs_follow_each_other_at_once(address):
    with joined(address) as cluster, cluster.pool(where_it_runs, np.ones(1)) as pool:
        for count in range(1, 31):
            assert {number for number, _ in pool.run([0.0] * (count % 3))} == set(range(count % 3))


def knows_torch(nothing):
    return lambda seconds: (time.sleep(seconds), "torch" in sys.modules)[1]


def test_machines_have_what_jobs_need_before_there_are_any_and_who_speaks_to_them_does_without(address):
    with joined(address) as cluster, cluster.pool(knows_torch, None) as pool:
        assert dict(pool.run([1.0] * 2)) == {0: True, 1: True}
    driver = "import sys, spear_deploy.system.ray_driver; print('torch' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", driver], capture_output=True, text=True, check=True)
    assert said.stdout == "False\n"


def refuses(words):
    def work(job):
        raise ValueError(words)

    return work


def test_what_a_job_raises_is_raised_here(address):
    with (
        joined(address) as cluster,
        cluster.pool(refuses, "no such thing") as pool,
        pytest.raises(ValueError, match=r"^no such thing"),
    ):
        list(pool.run([1]))


def ends_its_process(nothing):
    return lambda job: os._exit(3)


def test_a_job_that_ends_its_process_again_and_again_is_told(address):
    with (
        joined(address) as cluster,
        cluster.pool(ends_its_process, None) as pool,
        pytest.raises(ClusterError, match=r"^the cluster lost a job 4 times: "),
    ):
        list(pool.run([1]))


def test_after_an_interrupt_what_is_done_within_seconds_is_still_given(address):
    with joined(address) as cluster, cluster.pool(where_it_runs, np.ones(1)) as pool:
        run = pool.run([0.0, 2.0, 600.0])
        assert next(run)[0] == 0
        started = time.monotonic()
        assert [number for number, _ in pool.late(8.0)] == [1]
        assert time.monotonic() - started < 12


def test_jobs_that_are_abandoned_make_room_for_others(address):
    with joined(address) as cluster, cluster.pool(where_it_runs, np.ones(1)) as pool:
        run = pool.run([0.0, 600.0, 600.0, 600.0])
        assert next(run)[0] == 0
        started = time.monotonic()
        pool.abandon()
        assert {number for number, _ in pool.run([0.0] * 3)} == {0, 1, 2}
        assert time.monotonic() - started < 60
        pool.abandon()
        assert [number for number, _ in pool.run([0.0])] == [0]


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("127.0.0.1:1", r"^127\.0\.0\.1:1: no Ray cluster answers there \(.*refused\)$"),
        ("ray://127.0.0.1:1", r"^ray://127\.0\.0\.1:1: no Ray cluster answers there \(.*refused\)$"),
        ("nonsense", r"^nonsense: is no address of a Ray cluster, such as auto, 10\.0\.0\.1:6379 or ray://head:10001$"),
        ("host:70000", r"^host:70000: no Ray cluster answers there"),
    ],
)
def test_an_address_that_does_not_answer_is_told_at_once(address, words):
    started = time.monotonic()
    with pytest.raises(ClusterError, match=words), joined(address):
        pass
    assert time.monotonic() - started < 20


def test_without_ray_the_extra_is_named(monkeypatch):
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with (
        pytest.raises(ClusterError, match=r"needs Ray, which is not installed: pip install 'spear-deploy\[ray\]'"),
        joined("auto"),
    ):
        pass

"""An agent in a file: the same one comes back, and nothing else is taken for one."""

import hashlib
import json
import os
import pickle
import zipfile

import numpy as np
import pytest

from spear_deploy.errors import SearchError
from spear_deploy.search.strategies import AgentConstants, TrainedAgent, TrainedOn
from spear_deploy.search.strategies.agent_file import agent_bytes, read_agent
from spear_deploy.search.strategies.front_state import STATE
from spear_deploy.search.strategies.policy import Policy

TRAINED_ON = {"groups": {"lif1": 16}, "budgets": {"50% on loihi2": 0.7}, "evaluations": 12, "seed": 0}


def made_agent(inputs=14):
    rng = np.random.default_rng(0)
    shapes = [(5, inputs), (4, 5), (1, 4)]
    policy = Policy(
        weights=tuple(rng.normal(size=shape).astype(np.float32) for shape in shapes),
        biases=tuple(rng.normal(size=shape[:1]).astype(np.float32) for shape in shapes),
        lowest=0.05,
    )
    trained_on = TrainedOn({"lif1": 16, "lif2": 32}, {"50% on loihi2": 0.7, "30% on loihi2": 0.42}, 120, 3)
    return TrainedAgent(policy, trained_on, AgentConstants(moves_per_group=3))


@pytest.fixture
def path(tmp_path):
    (tmp_path / "agent.npz").write_bytes(agent_bytes(made_agent()))
    return tmp_path / "agent.npz"


def changed(path, arrays=None, **about):
    """The file with other arrays, or with other entries in what it says of itself."""
    with np.load(path) as held:
        content = dict(held)
    text = json.loads(content["about"].tobytes()) | about
    content["about"] = np.frombuffer(json.dumps(text).encode(), dtype=np.uint8)
    np.savez(path, **{name: value for name, value in (content | (arrays or {})).items() if value is not None})
    return path


def refusal(path):
    """Why a file is refused: one line that begins with its name."""
    with pytest.raises(SearchError) as caught:
        read_agent(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert len(message.splitlines()) == 1
    return message


def test_an_agent_comes_back_as_it_was_written(path):
    found, agent = read_agent(path).agent, made_agent()
    assert (found.trained_on, found.constants, found.policy.lowest) == (agent.trained_on, agent.constants, 0.05)
    for ours, theirs in ((agent.policy.weights, found.policy.weights), (agent.policy.biases, found.policy.biases)):
        assert all(np.array_equal(a, b) for a, b in zip(ours, theirs, strict=True))


def test_the_same_agent_is_the_same_bytes(path):
    assert agent_bytes(made_agent()) == path.read_bytes()
    assert read_agent(path).sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_numpy_reads_it_without_pickles(path):
    with np.load(path, allow_pickle=False) as held:
        assert json.loads(held["about"].tobytes())["state"] == list(STATE)


def test_one_of_another_version_is_told_by_both_versions(path):
    assert "it is of version 2, and version 1 is read here; train it anew" in refusal(changed(path, version=2))


def test_one_that_sees_another_state_is_refused(path):
    assert "its state is another" in refusal(changed(path, state=[*STATE[:-1], "colour"]))


def test_one_of_another_architecture_is_refused(path):
    path.write_bytes(agent_bytes(made_agent(inputs=12)))
    assert "a state of 12 entries, where 14 are given" in refusal(path)


@pytest.mark.parametrize(
    ("arrays", "why"),
    [
        ({"weight1": None}, "holds no weight1 of float32"),
        ({"weight1": np.zeros((4, 5))}, "holds no weight1 of float32"),
        ({"weight1": np.zeros((4, 6), np.float32)}, "do not follow each other"),
        ({"bias2": np.zeros(2, np.float32)}, "do not follow each other"),
        ({"weight2": np.zeros((2, 4), np.float32)}, "the last one with one row"),
        ({"weight0": np.full((5, 14), np.nan, np.float32)}, "is not finite"),
        ({"about": None}, "holds no text called about"),
        ({"about": np.zeros(3)}, "holds no text called about"),
        ({"about": np.frombuffer(b"[" * 100_000, np.uint8)}, "no valid JSON"),
        ({"about": np.frombuffer(b"\xff\xfe", np.uint8)}, "utf-8"),
        ({"about": np.frombuffer(b"[]", np.uint8)}, "does not say that it is an agent"),
    ],
)
def test_one_whose_arrays_are_no_such_network_is_refused(path, arrays, why):
    assert why in refusal(changed(path, arrays))


@pytest.mark.parametrize(
    "about",
    [
        {"layers": 0},
        {"layers": "three"},
        {"layers": 10**9},
        {"lowest": 2.0},
        {"trained_on": None},
        {"trained_on": {"groups": 3}},
        {"trained_on": TRAINED_ON | {"evaluations": -5}},
        {"trained_on": TRAINED_ON | {"budgets": {"50% on loihi2": float("nan")}}},
        {"trained_on": TRAINED_ON | {"budgets": {}}},
        {"trained_on": TRAINED_ON | {"groups": {}}},
        {"trained_on": TRAINED_ON | {"groups": {"lif1": 0}}},
        {"constants": {"moves_per_group": -1}},
        {"constants": {"ddpg": {"noise": -1.0}}},
        {"constants": {"colour": 1}},
        {"action": ["width"]},
        {"format": "another"},
    ],
)
def test_one_that_says_of_itself_what_cannot_be_is_refused(path, about):
    assert "no agent that can be used" in refusal(changed(path, **about))


@pytest.mark.parametrize("share", [0.0, 0.3, 0.6, 0.95])
def test_one_that_is_cut_off_is_refused(path, share):
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    assert "no agent that can be used" in refusal(path)


def test_pickled_objects_are_not_unpacked(path):
    class Harmful:
        def __reduce__(self):
            return os.mkdir, (str(path.parent / "harmed"),)

    np.savez(path, about=np.array([Harmful()], dtype=object))
    refusal(path)
    with zipfile.ZipFile(path, "w") as archive:  # as Stable-Baselines3's own files are made
        archive.writestr("data", json.dumps({"policy_class": {":serialized:": "gAWV"}}))
        archive.writestr("policy.pth", pickle.dumps(Harmful()))
    refusal(path)
    assert not (path.parent / "harmed").exists()


def test_what_is_no_file_is_refused_without_waiting(tmp_path):
    os.mkfifo(tmp_path / "pipe.npz")
    assert "no ordinary file" in refusal(tmp_path / "pipe.npz")
    assert "cannot be read" in refusal(tmp_path)
    assert "cannot be read (No such file" in refusal(tmp_path / "missing.npz")

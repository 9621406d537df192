"""An agent for a front as it is typed."""

import pytest

from spear_deploy.cli import main


def test_an_agent_of_a_file_that_is_none_is_told_in_a_line(refused, task):
    (task / "agent.npz").write_bytes(b"PK\x03\x04 and nothing more")
    assert refused("--agent", "agent.npz", "model.pt").startswith("agent.npz: no agent that can be used: ")
    assert refused("--agent", "nowhere.npz", "model.pt").startswith("nowhere.npz: cannot be read (No such file")


def test_one_budget_on_one_chip_is_no_front_to_learn_from(refused):
    message = refused("--strategy", "agent", "model.pt")
    assert message.startswith("the strategy 'agent' learns from several budgets or chips, and this is one of each")
    assert "a front of budgets, such as 70%,50%,30%" in message
    assert "an agent that is trained (--agent)" in message


def test_a_front_of_one_budget_is_refused_with_an_agent_too(refused):
    assert "a front over 50% alone: give two budgets or more" in refused(
        "--strategy", "agent", "--pareto", "50%", "model.pt"
    )


def test_a_budget_that_a_front_names_twice_counts_once(refused):
    assert "a front over 50% alone: give two budgets or more" in refused("--pareto", "50%,50%", "model.pt")


def test_an_agent_is_asked_by_no_other_strategy_that_is_typed(refused):
    message = refused("--strategy", "greedy", "--agent", "agent.npz", "model.pt")
    assert message == "an agent that is trained (--agent) is asked by the strategy 'agent', not by 'greedy'"


@pytest.mark.parametrize("verb", ["deploy", "reproduce"])
def test_help_names_it(capsys, monkeypatch, verb):
    monkeypatch.setenv("COLUMNS", "200")
    with pytest.raises(SystemExit):
        main([verb, "--help"])
    assert "--agent" in capsys.readouterr().out

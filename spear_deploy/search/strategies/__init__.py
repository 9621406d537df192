"""The search strategies, behind one interface and at an equal number of evaluations."""

from spear_deploy.search.strategies.ddpg import Ddpg, DdpgConstants
from spear_deploy.search.strategies.evolution import evolve
from spear_deploy.search.strategies.front import AgentConstants, FrontAgent, TrainedAgent, TrainedOn
from spear_deploy.search.strategies.greedy import shift_greedily
from spear_deploy.search.strategies.random_search import draw
from spear_deploy.search.strategies.strategy import OnEvaluation, Proposals, Proposing, Strategy
from spear_deploy.search.strategies.uniform import Uniform

STRATEGIES: dict[str, Strategy] = {
    strategy.name: strategy
    for strategy in (
        Ddpg(),
        Proposing("evolution", evolve),
        Proposing("greedy", shift_greedily),
        Proposing("random", draw),
        Uniform(),
        FrontAgent(),
    )
}


__all__ = [
    "STRATEGIES",
    "AgentConstants",
    "Ddpg",
    "DdpgConstants",
    "FrontAgent",
    "OnEvaluation",
    "Proposals",
    "Proposing",
    "Strategy",
    "TrainedAgent",
    "TrainedOn",
    "Uniform",
]

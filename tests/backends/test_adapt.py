from dataclasses import replace

import nir
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_networks import Chain
from made_task import chip
from random_networks import events

from spear_deploy.backends.fixed_point import LOIHI1, LOIHI2, quantize
from spear_deploy.errors import BackendError
from spear_deploy.hardware import load_profile
from spear_deploy.network import Encoding, Reset
from spear_deploy.targets.adapt import adapt

LOIHI = {name: load_profile(name) for name in ("loihi1", "loihi2")}
FORMATS = {"loihi1": LOIHI1, "loihi2": LOIHI2}


def network(**options):
    chain = Chain((6,), seed=1).linear("a", 8).neurons("first").linear("b", 5).neurons("lif", **options)
    return chain.linear("c", 3).neurons("out").model(4, encoding=Encoding.SPIKES)


def full(value, size=5):
    return np.full(size, value)


def test_a_network_that_the_chip_allows_is_left_alone():
    model = network()
    for profile in LOIHI.values():
        adapted = adapt(model, profile)
        assert adapted.model is model
        assert not adapted.changes
        assert not adapted.host_first


@pytest.mark.parametrize(("loss", "nearest"), [(1e-4, 0.0), (1e-5, 0.0), (1 / 8192, 1 / 8192), (1e-3, 1e-3)])
def test_a_membrane_that_leaks_less_than_half_the_finest_decay_no_longer_leaks(loss, nearest):
    adapted = adapt(network(beta=full(1 - loss)), LOIHI["loihi2"])
    assert adapted.model.network.neurons["lif"].beta == pytest.approx(1 - nearest, abs=1e-12)
    assert len(adapted.changes) == int(loss != nearest)
    assert all((each.layer, each.rule) == ("lif", "decay") for each in adapted.changes)


def test_a_current_always_loses_at_least_a_4096th():
    adapted = adapt(network(alpha=full(1 - 1e-5)), LOIHI["loihi2"])
    (change,) = adapted.changes
    assert (change.before, change.after) == ("current loses 1e-05 a step", "current loses 0.000244 a step")
    assert adapted.model.network.neurons["lif"].alpha == pytest.approx(1 - 1 / 4096, abs=1e-12)
    assert (quantize(adapted.model).layers[1].du == 0).all()


def test_only_the_neurons_that_are_too_slow_are_changed():
    beta = np.array([0.5, 1 - 1e-5, 0.9, 1.0, 1 - 1e-3])
    found = adapt(network(beta=beta), LOIHI["loihi2"]).model.network.neurons["lif"].beta
    np.testing.assert_allclose(found, [0.5, 1.0, 0.9, 1.0, 1 - 1e-3], atol=1e-8)


def test_subtraction_becomes_a_reset_to_zero_only_where_the_chip_lacks_it():
    model = network(reset=Reset.SUBTRACT, reset_delay=True)
    assert adapt(model, LOIHI["loihi2"]).model is model
    adapted = adapt(model, LOIHI["loihi1"])
    neuron = adapted.model.network.neurons["lif"]
    assert (neuron.reset, neuron.reset_delay) == (Reset.ZERO, False)
    (change,) = adapted.changes
    assert (change.layer, change.rule, change.before, change.after) == ("lif", "reset", "reset subtract", "reset zero")


def test_a_chip_that_has_no_reset_to_zero_either_is_given_nothing(tmp_path):
    own = load_profile(str(chip(tmp_path, neurons_resets=('["none"]', "names"))))
    model = network(reset=Reset.SUBTRACT)
    assert adapt(model, own).model is model


def test_a_reset_to_another_value_becomes_one_to_zero():
    found = adapt(network(reset_value=full(0.1)), LOIHI["loihi2"])
    assert found.model.network.neurons["lif"].reset_value is None
    assert found.changes[0].before == "reset zero, to another value than zero"


def test_a_first_layer_that_sees_values_goes_to_the_host_where_spikes_carry_none():
    model = replace(network(), encoding=Encoding.DIRECT)
    assert not adapt(model, LOIHI["loihi2"]).host_first
    adapted = adapt(model, LOIHI["loihi1"])
    assert adapted.host_first
    assert adapted.model is model
    assert [(each.layer, each.rule) for each in adapted.changes] == [("first", "analog input")]


@given(
    target=st.sampled_from(sorted(LOIHI)),
    reset=st.sampled_from(list(Reset)),
    delay=st.booleans(),
    beta=st.sampled_from([0.0, 0.5, 1 - 1e-3, 1 - 1e-5, 1.0]),
    alpha=st.sampled_from([None, 0.5, 1 - 1e-5]),
    reset_value=st.sampled_from([None, 0.2]),
)
@settings(max_examples=60, deadline=None)
def test_what_was_adapted_is_accepted_and_stays_as_it_is(target, reset, delay, beta, alpha, reset_value):
    """Refused before means changed; what comes out can be rounded, and adapting it again changes nothing."""
    model = network(
        reset=reset,
        reset_delay=delay and reset is not Reset.ZERO_HOLD,
        beta=full(beta),
        alpha=None if alpha is None else full(alpha),
        reset_value=None if reset_value is None else full(reset_value),
    )
    calibration = events(0, 4, 5, (6,))
    adapted = adapt(model, LOIHI[target])
    assert quantize(adapted.model, FORMATS[target], calibration=calibration).layers
    assert not adapt(adapted.model, LOIHI[target]).changes
    if adapted.changes:
        with pytest.raises(BackendError, match="let it be converted"):
            quantize(model, FORMATS[target], calibration=calibration)
    else:
        assert adapted.model is model


def test_an_adapted_graph_keeps_its_other_nodes():
    model = network(reset=Reset.SUBTRACT)
    adapted = adapt(model, LOIHI["loihi1"]).model
    assert list(adapted.graph.nodes) == list(model.graph.nodes)
    assert adapted.graph.nodes["a"] is model.graph.nodes["a"]
    assert isinstance(adapted.graph.nodes["lif"], nir.LIF)

"""What a network answers: classes, or values in the units in which its own forward returns them."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from made_networks import Chain
from made_regression import STEPS, TUNED, Tells

import spear_deploy as sd
from spear_deploy.errors import ArgumentError, ModelError
from spear_deploy.network import Objective, ReadOut, read_nir, write_nir

USE = {"input_shape": (TUNED,), "time_steps": STEPS, "encoding": "rate"}


@pytest.mark.parametrize(
    ("over_time", "read_out", "scale"),
    [
        (lambda steps: steps, "membrane", 1),
        (lambda steps: steps.mean(0), "membrane", 1),
        (lambda steps: steps.sum(0), "membrane", STEPS),
        (lambda steps: steps.sum(0) / 4, "membrane", STEPS / 4),
        (lambda steps: 0.3 * steps.mean(0), "membrane", 0.3),
        (lambda steps: steps[-1], "last", 1),
        (lambda steps: 2.5 * steps[-1], "last", 2.5),
        (lambda steps: steps.amax(0), "largest", 1),
    ],
)
def test_values_are_those_that_the_network_itself_returns(tmp_path, over_time, read_out, scale):
    torch.manual_seed(3)
    net = Tells(over_time)
    model = sd.save_model(net, tmp_path / "net.pt", **USE, objective="regression")
    assert model.read_out == read_out
    assert model.objective.scale == pytest.approx(scale, rel=1e-9)
    x = torch.bernoulli(torch.full((STEPS, 9, TUNED), 0.4))
    with torch.no_grad():
        found = sd.to_torch(sd.load_model(tmp_path / "net.pt"))(x)
        returned = net(x)
    returned = returned.mean(0) if returned.ndim == 3 else returned
    torch.testing.assert_close(model.answers(found).float(), returned, rtol=1e-5, atol=1e-6)


def test_values_of_one_unit_are_told_in_the_same_way_and_stay_so_in_every_file(tmp_path):
    torch.manual_seed(3)
    sd.save_model(Tells(), tmp_path / "net.pt", **USE, objective="reconstruction")
    model = sd.load_model(tmp_path / "net.pt")
    assert (model.objective.kind, model.objective.scale) == ("reconstruction", STEPS)
    write_nir(model, tmp_path / "net.nir")
    assert read_nir(tmp_path / "net.nir").objective == model.objective
    assert sd.load_model(tmp_path / "net.pt", objective="reconstruction").objective == model.objective
    assert sd.load_model(tmp_path / "net.pt", objective="regression").objective == f"regression:scale={STEPS}"
    outputs = torch.rand(STEPS, 4, 2)
    told = Objective(f"regression:scale={STEPS}").answers(outputs, ReadOut.MEMBRANE)
    assert torch.equal(model.answers(outputs), told)


@pytest.mark.parametrize("shape", [(2,), (STEPS, 2), (STEPS, 4, 3), (STEPS, 4, 2, 2)])
def test_answers_are_read_from_outputs_of_the_networks_shape_alone(shape):
    model = Chain((3,)).linear("fc", 2).neurons("lif").model()
    with pytest.raises(ArgumentError, match=rf"outputs \[T, B, 2\], found \[{', '.join(map(str, shape))}\]$"):
        model.answers(torch.zeros(shape))


@pytest.mark.parametrize("kind", ["pt", "nir"])
def test_a_scale_is_a_files_unless_another_is_asked_for_be_it_1(tmp_path, kind):
    chain = Chain((3,)).linear("fc1", 5).neurons("lif1").linear("fc2", 2).membranes("out")
    model = replace(chain.model(read_out=ReadOut.MEMBRANE), objective="regression:scale=12")
    path = tmp_path / f"net.{kind}"
    {"pt": sd.save_model, "nir": write_nir}[kind](model, path)
    for asked, told in (
        ("regression", "regression:scale=12"),
        ("reconstruction", "reconstruction:scale=12"),
        ("regression:scale=1", "regression"),
        ("reconstruction:scale=1.0", "reconstruction"),
        ("regression:scale=3", "regression:scale=3"),
        ("classification", "classification"),
    ):
        assert sd.load_model(path, objective=asked).objective == told


def test_a_scale_of_1_that_is_asked_for_is_not_looked_for(tmp_path):
    torch.manual_seed(3)
    model = sd.save_model(Tells(), tmp_path / "net.pt", **USE, objective="regression:scale=1")
    assert model.objective == "regression"


@pytest.mark.parametrize("kind", ["pt", "nir"])
def test_a_scale_that_stays_where_the_use_changes_is_told(tmp_path, kind):
    chain = Chain((3,)).linear("fc1", 5).neurons("lif1").linear("fc2", 2).membranes("out")
    model = replace(chain.model(6, read_out=ReadOut.MEMBRANE), objective="regression:scale=3")
    path = tmp_path / f"net.{kind}"
    {"pt": sd.save_model, "nir": write_nir}[kind](model, path)

    def told(**use):
        return [each for each in sd.load_model(path, **use).notices if "scale" in each]

    assert told() == told(time_steps=6) == told(time_steps=4, objective="regression:scale=3") == []
    assert told(time_steps=4, objective="classification") == []
    assert told(time_steps=4) == [
        "the file's scale of 3 stays: the file says it of 6 time steps and read-out 'membrane', not of 4 and"
        " 'membrane'; of a sum over time it is `objective='regression:scale=2'`"
    ]
    (line,) = told(read_out="last", objective="reconstruction")
    assert line.endswith("not of 6 and 'last'; `objective='reconstruction:scale=...'` names another")


def test_of_spikes_a_value_is_their_rate_and_of_a_population_its_mean():
    spikes = (torch.rand(5, 7, 6, generator=torch.Generator().manual_seed(0)) < 0.5).float()
    rates = spikes.numpy().mean(0)
    found = Objective("regression:scale=10").answers(spikes, ReadOut.COUNT, 3)
    np.testing.assert_allclose(found, 10 * rates.reshape(7, 2, 3).mean(2))
    assert torch.equal(Objective.CLASSIFICATION.answers(spikes, ReadOut.COUNT), torch.tensor(rates.argmax(1)))


def test_an_objective_stays_with_the_network_in_every_file(tmp_path):
    chain = Chain((3,)).linear("fc1", 5).neurons("lif1").linear("fc2", 2).membranes("out")
    model = chain.model(read_out=ReadOut.MEMBRANE)
    write_nir(model, tmp_path / "classes.nir")
    assert read_nir(tmp_path / "classes.nir").objective == "classification"
    asked = sd.load_model(tmp_path / "classes.nir", objective="regression:scale=5")
    assert "regression:scale=5" in repr(asked)
    sd.save_model(asked, tmp_path / "values.pt")
    write_nir(asked, tmp_path / "values.nir")
    for name in ("values.pt", "values.nir"):
        assert sd.load_model(tmp_path / name).objective == Objective("regression:scale=5.0")
    sd.save_model(sd.to_torch(asked), tmp_path / "trained.pt")
    assert sd.load_model(tmp_path / "trained.pt").objective == "regression:scale=5"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("regresion", "'regresion': no such objective; known: classification, regression, reconstruction"),
        ("classification:scale=2", "classification has no settings, found 'scale=2'"),
        ("regression:gain=2", "regression has the setting scale, found 'gain=2'"),
        ("regression:scale=0", "scale is a number above 0, found '0'"),
        ("regression:scale=nan", "scale is a number above 0, found 'nan'"),
        ("regression:scale=much", "scale is a number above 0, found 'much'"),
    ],
)
def test_what_is_no_objective_is_refused_with_those_that_are(text, message):
    with pytest.raises(ModelError, match=message):
        Objective(text)


def test_a_network_that_shifts_its_values_after_time_is_refused_by_a_way_out(tmp_path):
    with pytest.raises(ModelError):
        sd.save_model(Tells(lambda steps: steps.sum(0) + 4), tmp_path / "net.pt", **USE, objective="regression")

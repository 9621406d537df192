"""Two runs of a network agree where every output does, and nothing else counts as agreement."""

import pytest
import torch

from spear_deploy.network.agreement import EXACT, FLOAT64, Agreement, Place, Tolerance, agreement


def spikes(steps=4, samples=3, shape=(5,), *, rate=0.5, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return (torch.rand((steps, samples, *shape), generator=generator) < rate).double()


def with_one_changed(values, step, sample, neuron):
    changed = values.clone()
    changed.flatten(2)[step, sample, neuron] = 1 - changed.flatten(2)[step, sample, neuron]
    return changed


def ties_at(layer, values, step, sample):
    where = torch.zeros(values.shape, dtype=torch.bool)
    where[step, sample] = True
    return Tolerance(ties=lambda: {layer: where})


def test_the_same_spikes_agree_whatever_type_they_come_in():
    first = spikes()
    found = agreement({"lif": first}, {"lif": first.bool()})
    assert found.equal
    assert found.layers["lif"].spikes == (int(first.sum()),) * 2


def test_the_first_layer_that_differs_is_named_with_its_earliest_step():
    one, two = spikes(), spikes(seed=1)
    other = {"one": with_one_changed(with_one_changed(one, 3, 0, 1), 2, 1, 4), "two": with_one_changed(two, 0, 0, 0)}
    found = agreement({"one": one, "two": two}, other)
    assert not found.equal
    assert found.first_difference == Place("one", step=2, sample=1, neuron=4)
    assert [layer.differing for layer in found.layers.values()] == [2, 1]


def test_a_layer_that_only_one_of_them_holds_is_no_agreement():
    found = agreement({"one": spikes(), "two": spikes()}, {"one": spikes()})
    assert not found.equal
    assert found.only_in_one == ("two",)


def test_nothing_compared_is_no_agreement():
    assert not agreement({}, {}).equal
    assert not Agreement(samples=3).equal


def test_shapes_that_differ_are_not_compared():
    with pytest.raises(ValueError, match="lif: outputs"):
        agreement({"lif": spikes()}, {"lif": spikes(samples=2)})


class TestMembranes:
    values = torch.tensor([[[1000.0, 1e-3]]], dtype=torch.float64)

    def compared(self, other, tolerance=FLOAT64):
        return agreement({"out": self.values}, {"out": other}, tolerance, membranes=("out",))

    def test_rounding_is_measured_against_the_largest_of_the_layer(self):
        assert self.compared(self.values + 1e-7).equal
        assert not self.compared(self.values + 1e-5).equal

    def test_integers_may_not_differ_at_all(self):
        assert not self.compared(self.values + 1e-12, EXACT).equal

    @pytest.mark.parametrize("value", [float("nan"), float("inf")])
    def test_what_is_no_number_agrees_with_nothing(self, value):
        broken = self.values.clone()
        broken[0, 0, 0] = value
        assert not self.compared(broken).equal
        assert not agreement({"out": broken}, {"out": broken + 1}, FLOAT64, membranes=("out",)).equal

    def test_a_membrane_that_never_moves_is_not_one_that_does(self):
        tiny = self.values * 1e-20
        assert not agreement({"out": tiny}, {"out": 0 * tiny}, FLOAT64, membranes=("out",)).equal
        assert not agreement({"out": 0 * tiny}, {"out": tiny}, FLOAT64, membranes=("out",)).equal

    def test_they_are_not_counted_as_spikes(self):
        assert self.compared(self.values).spikes == 0


class TestTies:
    def test_a_spike_at_the_threshold_may_fall_either_way_and_ends_the_comparison_of_its_sample(self):
        hidden, out = spikes(), spikes(seed=1)
        other = {"hidden": with_one_changed(hidden, 1, 2, 0), "out": with_one_changed(out, 2, 2, 0)}
        found = agreement({"hidden": hidden, "out": out}, other, ties_at("hidden", hidden, 1, 2))
        assert found.equal
        assert (found.ties, found.after_ties) == (1, 1)

    def test_a_spike_away_from_it_may_not(self):
        hidden = spikes()
        other = {"hidden": with_one_changed(hidden, 1, 2, 0)}
        assert not agreement({"hidden": hidden}, other, ties_at("hidden", hidden, 1, 1)).equal

    def test_a_tie_excuses_no_other_sample(self):
        hidden = spikes()
        other = {"hidden": with_one_changed(with_one_changed(hidden, 1, 2, 0), 3, 0, 1)}
        found = agreement({"hidden": hidden}, other, ties_at("hidden", hidden, 1, 2))
        assert found.first_difference == Place("hidden", step=3, sample=0, neuron=1)

    def test_only_the_first_difference_of_a_sample_can_be_one(self):
        hidden = spikes()
        other = {"hidden": with_one_changed(with_one_changed(hidden, 1, 2, 0), 0, 2, 1)}
        assert not agreement({"hidden": hidden}, other, ties_at("hidden", hidden, 1, 2)).equal

    def test_they_are_not_asked_for_where_all_is_equal(self):
        def asked():
            raise AssertionError

        assert agreement({"lif": spikes()}, {"lif": spikes()}, Tolerance(ties=asked)).equal

    @pytest.mark.parametrize("swapped", [False, True])
    def test_silence_is_no_tie(self, swapped):
        """Every spike of the layer stands at the threshold, and the other run fires none of them."""
        fires = torch.zeros((4, 3, 5))
        fires[2] = 1
        a, b = {"lif": fires}, {"lif": torch.zeros_like(fires)}
        tolerance = Tolerance(ties=lambda: {"lif": torch.ones_like(fires, dtype=torch.bool)})
        found = agreement(b, a, tolerance) if swapped else agreement(a, b, tolerance)
        assert not found.equal
        assert found.ties == 0


def test_batches_that_follow_each_other_give_what_all_samples_give_at_once():
    first, membranes = spikes(samples=6), torch.rand((4, 6, 2), dtype=torch.float64)
    a = {"lif": first, "out": membranes}
    b = {"lif": with_one_changed(with_one_changed(first, 3, 1, 0), 2, 5, 3), "out": membranes + 1e-3}
    whole = agreement(a, b, FLOAT64, membranes=("out",))
    parts = [
        agreement(
            {name: values[:, part] for name, values in a.items()},
            {name: values[:, part] for name, values in b.items()},
            FLOAT64,
            membranes=("out",),
            start=part.start,
        )
        for part in (slice(0, 4), slice(4, 6))
    ]
    assert parts[0].followed_by(parts[1]) == whole
    assert whole.first_difference == Place("lif", step=2, sample=5, neuron=3)


def test_how_many_more_spikes_the_second_has():
    few = torch.zeros((2, 1, 4))
    few[0, 0, :2] = 1
    many = torch.ones((2, 1, 4))
    assert agreement({"lif": few}, {"lif": many}).layers["lif"].count_error_percent == 300
    assert agreement({"lif": 0 * few}, {"lif": many}).layers["lif"].count_error_percent is None
    assert agreement({"lif": 0 * few}, {"lif": 0 * few}).layers["lif"].count_error_percent == 0

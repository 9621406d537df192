"""A fine-tune that is ended after any epoch goes on as if nothing had happened."""

from contextlib import suppress

import pytest
import torch
from made_task import arrays, untrained

from spear_deploy.data import Dataset, encode
from spear_deploy.network.fingerprint import fingerprint
from spear_deploy.system.journal import NOTHING, Journal
from spear_deploy.training import SYNOPS, EarlyStop, Recipe, SynopsConstraint, fine_tune

RECIPE = Recipe(epochs=5, batch=16, learning_rate=5e-3)


class Killed(BaseException):
    pass


@pytest.fixture(scope="module")
def task():
    model, data = untrained(), Dataset.of_arrays(**arrays(train=80, test=40))
    return model, *(encode(split, model.encoding, model.time_steps) for split in data.splits[:2])


def tuned(task, journal=NOTHING, *, killed_after=None, constrained=True):
    """The fine-tuned network's hash, what its constraint became, and the epochs that were done now."""
    model, train, validation = task
    epochs = []

    def on_epoch(epoch):
        epochs.append(epoch)
        if epoch == killed_after:
            raise Killed

    constraint = SynopsConstraint({SYNOPS: 300.0}) if constrained else None
    found = fine_tune(
        model,
        train,
        RECIPE,
        seed=3,
        constraint=constraint,
        steer=lambda model: {SYNOPS: 250.0 + len(fingerprint(model))},
        stop=EarlyStop(validation, patience=3),
        on_epoch=on_epoch,
        journal=journal,
    )
    return fingerprint(found), constraint and constraint.state, epochs


@pytest.mark.parametrize("killed_after", [1, 2, 4, 5])
@pytest.mark.parametrize("constrained", [True, False])
def test_it_goes_on_from_the_last_epoch_that_is_kept(task, tmp_path, killed_after, constrained):
    weights, constraint, epochs = tuned(task, constrained=constrained)
    with pytest.raises(Killed):
        tuned(task, Journal(tmp_path), killed_after=killed_after, constrained=constrained)
    again = tuned(task, Journal(tmp_path), constrained=constrained)
    assert again[:2] == (weights, constraint)
    assert again[2] == epochs[killed_after - 1 :]  # the epoch that was killed, and those after it


def test_a_finished_one_is_not_done_again_and_takes_no_room_for_its_epochs(task, tmp_path):
    first = tuned(task, Journal(tmp_path))
    assert len(list(tmp_path.iterdir())) == 1
    second = tuned(task, Journal(tmp_path))
    assert second == (*first[:2], [])


class Breaks(SynopsConstraint):
    """Meets a loss that is not finite in the second epoch's first batch, once a process."""

    calls = 0

    def term(self, *batch):
        Breaks.calls += 1
        return super().term(*batch) * (float("nan") if Breaks.calls == 6 else 1.0)


@pytest.mark.parametrize("killed_after", [None, 3])
def test_what_was_rolled_back_is_told_again_where_it_is_not_done_again(task, tmp_path, killed_after):
    model, train, _ = task
    Breaks.calls = 0

    def told(killed_after=None):
        heard = []

        def on_epoch(epoch):
            if epoch == killed_after:
                raise Killed

        with suppress(Killed):
            fine_tune(
                *(model, train, RECIPE),
                seed=0,
                constraint=Breaks({SYNOPS: 300.0}),
                on_epoch=on_epoch,
                notice=heard.append,
                journal=Journal(tmp_path),
            )
        return heard

    first = told(killed_after)
    assert ["epoch 2 began" in each for each in first] == [True]
    assert told() == first


def test_another_seed_is_another_fine_tune(task, tmp_path):
    model, train, _ = task
    journal = Journal(tmp_path)
    found = [fine_tune(model, train, RECIPE, seed=seed, journal=journal) for seed in (0, 1)]
    alone = fine_tune(model, train, RECIPE, seed=1)
    assert fingerprint(found[1]) == fingerprint(alone) != fingerprint(found[0])


def test_a_quantised_one_goes_on_too(task, tmp_path):
    """What rounds the weights is no state: it is put on anew."""
    model, train, _ = task

    class Halves(torch.nn.Module):
        def forward(self, x):
            return x + ((x * 2).round() / 2 - x).detach()

    def quantiser(simulation):
        for module in simulation.modules():
            if isinstance(module, torch.nn.Conv2d):
                torch.nn.utils.parametrize.register_parametrization(module, "weight", Halves())

    def run(journal=NOTHING, on_epoch=None):
        return fine_tune(model, train, RECIPE, seed=0, quantiser=quantiser, on_epoch=on_epoch, journal=journal)

    def kill(epoch):
        if epoch == 3:
            raise Killed

    with pytest.raises(Killed):
        run(Journal(tmp_path), kill)
    assert fingerprint(run(Journal(tmp_path))) == fingerprint(run())

import os
import pickle
import signal
import threading
from contextlib import contextmanager
from dataclasses import replace

import pytest
from made_task import write_task

from spear_deploy.hardware import load_profile
from spear_deploy.jobs.deploy.deploy import deploy
from spear_deploy.jobs.deploy.interruption import first_interrupt_finishes
from spear_deploy.jobs.deploy.request import DeployRequest
from spear_deploy.jobs.progress import Silent
from spear_deploy.search import TuningPlan, finalists
from spear_deploy.training import Recipe

RECIPE = Recipe(epochs=1, batch=32, learning_rate=5e-3)


class Told(Silent):
    """Keeps the notices; presses Ctrl-C so many times when a stage has advanced so far, or to its end."""

    def __init__(self, stage="", after=0, presses=1):
        self.notices, self.at, self.after, self.presses = [], stage, after, presses

    @contextmanager
    def stage(self, name, total):
        done = 0

        def advance(done_so_far=None, detail=None):
            nonlocal done
            done += 1
            if name == self.at and done == (self.after or total):
                for _ in range(self.presses):
                    os.kill(os.getpid(), signal.SIGINT)

        yield advance

    def notice(self, text):
        self.notices.append(text)


ENDING = "finishing with the best so far"


def press():
    os.kill(os.getpid(), signal.SIGINT)


def test_a_process_that_was_told_not_to_hear_interrupts_goes_on_not_hearing_them():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with first_interrupt_finishes(Told().notice, "search") as interruption:
            press()
        assert not interruption.wanted()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_the_first_interrupt_is_noted_and_the_second_raises():
    told = Told()
    with first_interrupt_finishes(told.notice, "search") as interruption:
        assert not interruption.wanted()
        press()
        assert (interruption.wanted(), interruption.stage) == (True, "search")
        with pytest.raises(KeyboardInterrupt):
            press()
    assert told.notices == ["interrupted in search: finishing with the best so far; once more ends at once"]


def test_another_process_that_was_given_the_wish_hears_it_when_it_comes():
    with first_interrupt_finishes(Told().notice, "search") as interruption:
        elsewhere = pickle.loads(pickle.dumps(interruption.wanted))
        assert not elsewhere()
        press()
        assert elsewhere()
    assert not elsewhere()


def test_a_wish_that_came_before_is_known_and_another_one_raises():
    with first_interrupt_finishes(Told().notice, "fine-tune", "search") as interruption:
        assert (interruption.wanted(), interruption.stage) == (True, "search")
        with pytest.raises(KeyboardInterrupt):
            press()


def test_after_the_block_an_interrupt_raises_as_before():
    with first_interrupt_finishes(Told().notice, "search"):
        pass
    with pytest.raises(KeyboardInterrupt):
        press()


def test_off_the_main_thread_nothing_changes():
    seen = []

    def work():
        with first_interrupt_finishes(Told().notice, "search") as interruption:
            seen.append(interruption.wanted())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [False]


@pytest.fixture(scope="module")
def request_for(tmp_path_factory):
    model = write_task(tmp_path_factory.mktemp("task"))

    def make(out, evaluations=30):
        return DeployRequest(
            model=model,
            targets=(load_profile("loihi2"),),
            out=out,
            lre_samples=8,
            evaluations=evaluations,
            finalists=3,
            plan=TuningPlan(RECIPE, RECIPE),
            lava=False,
        )

    return make


def test_an_interrupted_search_ends_with_the_best_so_far_as_a_marked_result(request_for, tmp_path):
    (report,) = deploy(request_for(tmp_path / "run"), Told("search", after=5)).values()
    assert report.interrupted == "search"
    assert 5 <= report.evaluations <= 6
    assert (tmp_path / "run" / "pruned.nir").is_file()
    assert report.pruned.parameters < report.dense.parameters


def test_what_is_told_and_recorded_is_the_stage_that_ran(request_for, tmp_path):
    told = Told("fine-tune", after=1)
    (report,) = deploy(request_for(tmp_path / "run", evaluations=4), told).values()
    assert "interrupted in fine-tune: finishing with the best so far; once more ends at once" in told.notices
    assert report.interrupted == "fine-tune"
    assert len([text for text in report.told if ENDING in text]) == 1


@pytest.mark.parametrize(("stage", "after"), [("search", 2), ("fine-tune", 1)])
def test_after_the_wish_no_further_round_of_a_fine_tune_begins(request_for, tmp_path, stage, after):
    told = Told(stage, after)
    request = replace(
        request_for(tmp_path / "run", evaluations=4), plan=TuningPlan(RECIPE, RECIPE, rounds=3, learned=1.1)
    )
    (report,) = deploy(request, told).values()
    (wish,) = [place for place, text in enumerate(told.notices) if ENDING in text]
    assert any("epochs more" in text for text in told.notices[:wish])  # the dense network
    assert not any("epochs more" in text for text in told.notices[wish:])
    assert report.interrupted == stage


def test_rounds_that_were_left_out_of_the_last_fine_tune_cut_it_short(request_for, tmp_path, monkeypatch):
    """The wish comes while it runs, when nothing else is left to be done."""
    led_in = finalists.led_in

    def pressing(tuner, plain):
        press()
        return led_in(tuner, plain)

    monkeypatch.setattr(finalists, "led_in", pressing)
    plan = TuningPlan(RECIPE, RECIPE, rounds=2, learned=1.1)
    request = replace(request_for(tmp_path / "run", evaluations=4), plan=plan, finalists=1)
    (report,) = deploy(request, Told()).values()
    assert report.interrupted == "fine-tune"


def test_who_wishes_to_end_when_all_is_done_has_cut_nothing_short(request_for, tmp_path):
    told = Told("fine-tune")
    (report,) = deploy(request_for(tmp_path / "run", evaluations=4), told).values()
    assert any(text.startswith("interrupted in fine-tune") for text in told.notices)
    assert report.interrupted == ""
    assert not any(ENDING in text for text in report.told)


def test_who_wishes_to_end_while_a_budget_is_looked_for_gets_the_one_that_was_found(request_for, tmp_path):
    request = replace(request_for(tmp_path / "run", evaluations=4), budgets=("max-drop=100",))
    (report,) = deploy(request, Told("fine-tune")).values()
    assert report.interrupted == "fine-tune"
    assert len(report.max_drop.tried) == 1


def test_after_the_wish_no_other_target_is_searched_for(request_for, tmp_path):
    chips = (load_profile("loihi2"), load_profile("spinnaker2"))
    reports = deploy(replace(request_for(tmp_path), targets=chips), Told("search", after=2)).values()
    assert [len(report.search.history) for report in reports] == [2, 1]
    assert [report.interrupted for report in reports] == ["search", "search"]


def test_where_no_worker_can_be_told_the_first_interrupt_is_noted_all_the_same(monkeypatch):
    def full_disk(prefix):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("spear_deploy.jobs.deploy.interruption.folder_of_this_process", full_disk)
    with first_interrupt_finishes(Told().notice, "search") as interruption:
        press()
        assert interruption.wanted()


def test_interrupted_twice_a_search_leaves_nothing(request_for, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        deploy(request_for(tmp_path / "run"), Told("search", after=5, presses=2))
    assert list(tmp_path.iterdir()) == []

"""The job of `calibrate`: what it takes, and the profile that it leaves behind, or does not."""

import pytest

from spear_deploy.errors import DataError, OutputError, ProfileError
from spear_deploy.hardware import load_profile
from spear_deploy.jobs.calibrate import calibrate

ROWS = [(1e6, 2e5, 0.02), (2e6, 1e5, 0.03), (5e6, 9e5, 0.09), (3e6, 8e5, 0.06)]


@pytest.fixture
def rows(tmp_path):
    path = tmp_path / "rows.csv"
    lines = [f"net {at},{synops},{updates},{mj}" for at, (synops, updates, mj) in enumerate(ROWS)]
    path.write_text("\n".join(["network,synops,updates,mj_dynamic", *lines]))
    return path


@pytest.mark.parametrize("instrument", ["", "  ", "two\nlines", "half \udcff"])
def test_measurements_without_an_instrument_in_words_are_refused_before_anything_is_written(rows, tmp_path, instrument):
    with pytest.raises(DataError, match=r"instrument: needs what the measurements were made with"):
        calibrate("loihi2", rows, tmp_path / "mine.toml", instrument=instrument)
    assert not (tmp_path / "mine.toml").exists()


@pytest.mark.parametrize("date", ["next friday", "2026-02-30", "1.5.2026", "2026", " "])
def test_what_is_no_day_is_refused(rows, tmp_path, date):
    with pytest.raises(DataError, match=r"date: needs year, month and day, such as 2\d{3}-\d\d-\d\d, found"):
        calibrate("loihi2", rows, tmp_path / "mine.toml", instrument="a scope", date=date)
    assert not (tmp_path / "mine.toml").exists()


def test_a_day_to_come_is_refused(rows):
    with pytest.raises(DataError, match="date: nothing was measured on a day to come"):
        calibrate("loihi2", rows, instrument="a scope", date="2999-01-01")


def test_a_day_is_written_as_it_was_given(rows, tmp_path):
    calibrate("loihi2", rows, tmp_path / "mine.toml", instrument="a scope", date="2026-05-01")
    assert load_profile(tmp_path / "mine.toml").energy.synaptic_operation.date == "2026-05-01"


def test_a_profile_of_ones_own_is_replaced_with_force_alone(rows, tmp_path):
    path = tmp_path / "mine.toml"
    calibrate("loihi2", rows, path, instrument="a scope")
    with pytest.raises(OutputError, match=r"mine.toml: is there already; choose another name, or `force=True`"):
        calibrate("loihi2", rows, path, instrument="a meter")
    assert load_profile(path).energy.synaptic_operation.instrument == "a scope"
    calibrate("loihi2", rows, path, instrument="a meter", force=True)
    assert load_profile(path).energy.synaptic_operation.instrument == "a meter"


def test_a_profile_of_somebody_else_is_never_replaced(rows, tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('inherits = "loihi2"')
    with pytest.raises(OutputError, match="was not written by spear-deploy"):
        calibrate("loihi2", rows, path, instrument="a scope", force=True)
    assert path.read_text() == 'inherits = "loihi2"'


def test_a_profile_does_not_replace_one_that_it_inherits_from(rows, tmp_path):
    first, second = tmp_path / "first.toml", tmp_path / "second.toml"
    calibrate("loihi2", rows, first, instrument="a scope")
    calibrate(str(first), rows, second, instrument="a scope")
    before = first.read_text()
    for base in (first, second):
        with pytest.raises(ProfileError, match=r"the profiles inherit from each other: first.toml -> .*first.toml"):
            calibrate(str(base), rows, first, instrument="a scope", force=True)
    assert first.read_text() == before


def test_what_could_not_be_read_back_is_not_left_there(tmp_path):
    """Prices of 1e-33 pJ, which no profile holds."""
    path = tmp_path / "rows.csv"
    path.write_text("network,synops,mj_dynamic\na,1e12,1e-30\nb,2e12,2.1e-30\nc,3e12,3e-30\n")
    with pytest.raises(
        ProfileError, match=r"mine.toml: energy.synaptic_operation: must be 0 or from(.|\n)*not written"
    ):
        calibrate("loihi2", path, tmp_path / "mine.toml", instrument="a scope")
    assert [each.name for each in tmp_path.iterdir()] == ["rows.csv"]


def test_rows_that_leave_every_time_open_down_to_0_are_told_as_what_to_mend(tmp_path):
    """A step of no time at the low end is no profile, and its low ends are the rows'."""
    path = tmp_path / "rows.csv"
    path.write_text("network,steps,core_synops,ms\na,10,100,1\nb,10,300,2\nc,20,250,1\nd,20,700,5\n")
    base = tmp_path / "base.toml"
    figure = 'low = 0\nvalue = 4\nunit = "ns"\nstatus = "estimated"\nsource = "made up"'
    base.write_text(f'inherits = "loihi2"\n[time.neuron_update_active]\n{figure}')
    keys = "time.barrier, time.synaptic_operation"
    with pytest.raises(
        ProfileError, match=rf"not written; more rows, or more different ones, tell {keys} apart from 0"
    ):
        calibrate(str(base), path, tmp_path / "mine.toml", instrument="a clock")


def test_rows_that_determine_no_price_leave_no_profile(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("network,synops,updates,mj_dynamic\na,1,2,1\nb,2,4,2\nc,3,6,3\n")
    assert calibrate("loihi2", path, instrument="a scope").together
    with pytest.raises(DataError, match=r"rows.csv: the rows determine no price"):
        calibrate("loihi2", path, tmp_path / "mine.toml", instrument="a scope")
    assert not (tmp_path / "mine.toml").exists()


def test_what_predictions_add_to_the_fitted_prices_is_named(rows):
    """Of Loihi 2 energies alone, as no time was fitted; inactive updates are in no typical one."""
    keys = ("multiply_accumulate", "message_out", "hop_horizontal", "hop_vertical", "static_per_chip")
    assert calibrate("loihi2", rows, instrument="a scope").added == tuple(f"energy.{key}" for key in keys)


def test_prices_of_single_operations_are_no_price_that_holds_all(rows, tmp_path):
    calibrate("odin", rows, tmp_path / "mine.toml", instrument="a scope")
    assert load_profile("odin").energy.scope.value == "all-in"
    assert load_profile(tmp_path / "mine.toml").energy.scope.value == "per operation"

"""What the terminal says of fitted prices."""

from rich.console import Console

from spear_deploy.hardware.calibration import Calibration, Fitted, Residual
from spear_deploy.report.terminal.calibration import calibration_text


def said(found):
    console = Console(width=200)
    with console.capture() as captured:
        console.print(calibration_text(found))
    return captured.get()


def test_what_the_rows_say_little_of_is_told():
    prices = (Fitted("energy.spike", 0.0, 0.0, 5.0), Fitted("energy.message_out", 2.0, 0.0, 4.0))
    text = said(
        Calibration(
            prices,
            (("energy.a", "energy.b"),),
            (Residual("net", "mJ dynamic", 4.0, 5.0), Residual("other", "ms", 4.0, None)),
            unseen=("time.synaptic_operation",),
            added=("energy.hop_vertical",),
        )
    )
    assert "at 0, the least that a price can be: energy.spike\n" in text
    assert "not told apart from 0: energy.message_out\n" in text
    assert "no row waits for time.synaptic_operation, what goes on beside it takes longer: it is not given" in text
    assert "predictions add what no row counts and the profile has a price of: energy.hop_vertical" in text
    assert "1.25" in text
    assert "not known" in text
    assert "sums over steps" not in text


def test_sums_over_steps_are_told_where_both_times_were_fitted():
    prices = (
        Fitted("time.synaptic_operation", 2.0, 1.0, 3.0),
        Fitted("time.neuron_update_active", 2.0, 1.0, 3.0),
    )
    assert "check predicts more where some steps wait for updates and others for SynOps" in said(
        Calibration(prices, (), ())
    )

"""Verdicts that claim neither too much nor too little."""

import nir
import numpy as np
import pytest

from spear_deploy.errors import ProfileError
from spear_deploy.hardware import Verdict, check, load_profile, place


def dense(outputs, inputs):
    return nir.Linear(np.ones((outputs, inputs), dtype=np.float32))


def test_a_chip_that_limits_kinds_of_layers_is_a_chip_with_limits(build):
    small = build((16,), dense(100, 16), "lif", dense(4, 100), "lif")
    xylo = Verdict(place(small, load_profile("xylo-a3")), findings=())
    assert xylo.text == "fits the known limits"
    yardstick = load_profile("generic-45nm")
    assert check(small, yardstick, analog_input=False).text == "no limits to hold it to"


def test_every_layer_that_breaks_a_limit_is_a_finding(build):
    """On Loihi 1 both 5,000 and 4,500 sources exceed the 4,096 input axons of a core."""
    network = build((20,), dense(5000, 20), "lif", dense(4500, 5000), "lif", dense(10, 4500), "lif")
    verdict = check(network, load_profile("loihi1"), analog_input=False)
    axons = {finding.node: finding.found for finding in verdict.violations if finding.rule == "input axons per core"}
    assert axons == {"n3": "5,000 axons", "n5": "4,500 axons"}


OWN = """
name = "mine"
title = "My Loihi 2"
inherits = "loihi2"
[core.neurons]
value = 100
unit = "neurons"
status = "published"
source = "my measurement"
"""


def test_a_profile_tells_which_figures_are_another_s(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(OWN)
    profile = load_profile(path)
    assert "core.neurons" not in profile.inherited
    assert len(profile.inherited) == len(profile.figures()) - 1
    assert load_profile("loihi2").inherited == ()
    assert "energy.hop_vertical" not in load_profile("loihi1-nahuku").inherited


def test_faults_of_one_figure_and_of_several_together_are_told_at_once(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(
        OWN.replace('inherits = "loihi2"', "").replace("value = 100", "value = -1")
        + '[core.memory]\nvalue = 10\nunit = "KiB"\nstatus = "published"\nsource = "x"\n'
        + '[energy.scope]\nvalue = "nothing"\nunit = "name"\nstatus = "published"\nsource = "x"\n'
    )
    with pytest.raises(ProfileError) as error:
        load_profile(path)
    lines = str(error.value).splitlines()
    assert len(lines) == 3
    assert any("core.neurons: value must be a number from 0 on" in line for line in lines)
    assert any("core.memory: cannot be checked without synapses.packing" in line for line in lines)
    assert any("energy.scope: 'nothing' is not known" in line for line in lines)


@pytest.mark.parametrize(("unit", "bytes_each"), [("bits", 0.125), ("bytes", 1), ("kB", 1000), ("KiB", 1024)])
def test_units_may_be_spelled_in_any_way_that_means_one_thing(tmp_path, unit, bytes_each):
    path = tmp_path / "mine.toml"
    figure = f'[core.memory]\nvalue = 64\nunit = "{unit}"\nstatus = "published"\nsource = "x"\n'
    path.write_text(OWN + figure)
    assert load_profile(path).core.memory.amount == 64 * bytes_each


def test_a_unit_that_may_mean_two_things_is_refused_naming_both(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(OWN + '[core.memory]\nvalue = 64\nunit = "KB"\nstatus = "published"\nsource = "x"\n')
    with pytest.raises(ProfileError, match="'KB' may mean 1,000 or 1,024 bytes: write kB or KiB"):
        load_profile(path)

"""Chips by the names and files that people give."""

import pytest

from spear_deploy.errors import ProfileError
from spear_deploy.hardware import known_profiles
from spear_deploy.jobs.chips import chips_of


@pytest.fixture
def mine(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('inherits = "loihi2"')
    return path


@pytest.mark.parametrize("text", ["all,{}", " {} , all", "all,{},loihi1,all"])
def test_all_chips_may_stand_beside_a_file(mine, text):
    found = [profile.name for profile in chips_of(text.format(mine))]
    assert sorted(found) == sorted([*known_profiles(), "mine"])


@pytest.mark.parametrize("text", ["", " , "])
def test_a_list_that_names_no_chip_is_refused(text):
    with pytest.raises(ProfileError, match="names no chip"):
        chips_of(text)

import json

import nir
import numpy as np
import pytest
from made_chips import figure_keys, kind_of

from spear_deploy.errors import ProfileError
from spear_deploy.hardware import check, known_profiles, load_profile, place
from spear_deploy.hardware.chip.figures import Energy, Status
from spear_deploy.hardware.chip.profile_files import profile_text

FIGURE = """
name = "own"
title = "My chip"
[core.neurons]
value = 100
unit = "neurons"
status = "published"
source = "my measurement"
"""


@pytest.fixture
def own(tmp_path):
    def write(text, name="own.toml"):
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


@pytest.mark.parametrize("name", known_profiles())
def test_every_figure_has_a_source_or_is_unknown(name):
    figures = load_profile(name).figures()
    assert figures
    for key, figure in figures.items():
        if figure.status is Status.UNKNOWN:
            assert figure.value is None, key
        else:
            assert figure.value is not None, key
            assert figure.source, key
            assert figure.basis, key


@pytest.mark.parametrize("name", known_profiles())
def test_a_profile_is_called_like_its_file(name):
    assert load_profile(name).name == name


def test_every_energy_of_loihi_2_is_an_estimate_with_one_digit_and_a_range():
    prices = {key: figure for key, figure in load_profile("loihi2").figures().items() if isinstance(figure, Energy)}
    assert prices
    for key, figure in prices.items():
        assert figure.status is Status.ESTIMATED, key
        assert figure.spread.low < figure.spread.typical <= figure.spread.high, key
        assert all(value == float(f"{value:.0e}") for value in (figure.low, figure.value, figure.high)), key


def test_the_static_power_of_loihi_2_follows_from_measured_totals():
    """(total - dynamic) x rate: CLP-SNN's 0.04 mJ in 0.33 ms, PilotNet's 0.04 mJ 7,403.8 times a second."""
    static = load_profile("loihi2").energy.static_per_chip
    assert static.status is Status.DERIVED
    assert static.spread.low == pytest.approx(0.04e-3 / 0.33e-3 * 1e3, rel=0.02)
    assert static.spread.high == pytest.approx((0.095 - 0.045) * 7403.8, rel=0.01)  # mJ/s: both figures rounded


def test_what_sanafe_took_from_davies_is_not_called_a_fit():
    hops = ("energy.hop_horizontal", "energy.hop_vertical", "time.hop_horizontal", "time.hop_vertical")
    figures = load_profile("loihi1-nahuku").figures()
    assert all("Davies et al. 2018" in figures[key].source and "no fit" in figures[key].source for key in hops)
    assert all(figure.basis != "silicon" for key, figure in figures.items() if "SANA-FE" in (figure.source or ""))


def test_loihi_1_ships_its_synaptic_energy_as_a_simulated_minimum():
    price = load_profile("loihi1").energy.synaptic_operation
    assert (price.amount, price.basis, price.bound) == (23.6, "simulation", "minimum")


def test_an_unknown_name_lists_the_known_and_suggests_the_nearest():
    with pytest.raises(ProfileError) as error:
        load_profile("lohi2")
    assert "no profile called 'lohi2'" in str(error.value)
    assert "did you mean 'loihi2'?" in str(error.value)
    assert all(name in str(error.value) for name in known_profiles())


def test_a_missing_file_is_named():
    with pytest.raises(ProfileError, match=r"nowhere/chip\.toml: no such profile file"):
        load_profile("nowhere/chip.toml")


def test_a_profile_of_ones_own_is_read_from_a_file(own):
    assert load_profile(own(FIGURE)).core.neurons.amount == 100


def test_an_inheriting_profile_replaces_whole_figures_and_keeps_the_rest(own):
    path = own(FIGURE.replace('title = "My chip"', 'title = "My chip"\ninherits = "loihi2"'))
    profile = load_profile(path)
    base = load_profile("loihi2")
    assert profile.core.neurons.amount == 100
    assert profile.core.neurons.quote is None  # the quote speaks of another value
    assert profile.core.memory == base.core.memory
    assert profile.name == "own"


@pytest.mark.parametrize(
    ("head", "name", "title"),
    [
        ("", "mine", "mine, from Intel Loihi 1"),
        ('name = "other"\n', "other", "other, from Intel Loihi 1"),
        ('title = "Mine"\n', "mine", "Mine"),
    ],
)
def test_an_inheriting_profile_is_not_called_by_its_parents_name(own, head, name, title):
    figure = FIGURE.partition("[")[2]
    profile = load_profile(own(f'{head}inherits = "loihi1"\n[{figure}', "mine.toml"))
    assert (profile.name, profile.title) == (name, title)


@pytest.mark.parametrize("name", ["MINE.TOML", "mine.Toml"])
def test_a_file_is_told_by_its_ending_in_any_letters(own, name, monkeypatch):
    monkeypatch.chdir(own(FIGURE, name).parent)
    assert load_profile(name).name == "own"


def test_the_mark_that_some_editors_put_before_a_text_is_no_part_of_it(own):
    path = own(FIGURE)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert load_profile(path).name == "own"


def test_profiles_that_inherit_from_each_other_are_refused(own):
    own('name = "a"\ntitle = "a"\ninherits = "b.toml"', "a.toml")
    own('name = "b"\ntitle = "b"\ninherits = "a.toml"', "b.toml")
    with pytest.raises(ProfileError, match=r"inherit from each other: a\.toml -> b\.toml -> a\.toml"):
        load_profile(own('name = "a"\ntitle = "a"\ninherits = "b.toml"', "a.toml"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("unit", "units"), r"core\.neurons\.units: unknown key; valid here: value, unit, status"),
        (('unit = "neurons"', 'unit = "pears"'), r"core\.neurons: unknown unit 'pears'; valid: chips, cores, neurons"),
        (("value = 100", "value = -1"), r"core\.neurons: value must be a number from 0 on, found -1"),
        (("value = 100", 'value = "many"'), r"core\.neurons\.value: .*valid number.*found 'many'"),
        (('source = "my measurement"', ""), r"core\.neurons: no source; every figure needs one"),
        (("value = 100", ""), r"core\.neurons: status is published, but no value is given"),
        (('"published"', '"unknown"'), r"core\.neurons: status is unknown, yet a value is given"),
        (
            ('"published"', '"guessed"'),
            r"core\.neurons\.status: .*'measured', 'published', 'derived', 'estimated' or 'unknown'",
        ),
        (("core.neurons", "core.newrons"), r"core\.newrons: unknown key; valid here: neurons, memory"),
        (("value = 100", "value = 2.5"), r"core\.neurons: value must be a whole number, found 2\.5"),
        (("value = 100", "value = true"), r"core\.neurons\.value: .*valid number, found True"),
        (("value = 100", "value = nan"), r"core\.neurons: value must be a number from 0 on, found nan"),
        (("value = 100", "value = 100\nlow = 200"), r"core\.neurons: low <= value <= high does not hold"),
        (('title = "My chip"', ""), r"title: is missing"),
    ],
)
def test_a_fault_names_the_file_the_key_and_what_is_valid(own, change, message):
    path = own(FIGURE.replace(*change, 1))
    with pytest.raises(ProfileError, match=message) as error:
        load_profile(path)
    assert str(error.value).startswith(str(path))


@pytest.mark.parametrize(
    "name", ["", "../../x/y", "a/b", "a\\b", "a:b", ".hidden", "ends.", "two words", "NUL", "com1.x", "a\nb", "x" * 65]
)
def test_a_name_that_no_file_can_have_is_refused(own, name):
    """Results are written into a folder of this name."""
    path = own(FIGURE.replace('"own"', json.dumps(name)))
    with pytest.raises(ProfileError, match=r"name: files and folders are called by it: .* found ") as error:
        load_profile(path)
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize("name", ["x", "My_Chip-2.1+b", "console", "x" * 64])
def test_a_plain_word_is_a_name(own, name):
    assert load_profile(own(FIGURE.replace('"own"', json.dumps(name)))).name == name


def test_every_fault_is_named_at_once(own):
    path = own(
        FIGURE.replace("value = 100", "value = -1") + '[core.fan_in]\nvalue = 3\nunit = "feet"\nstatus = "derived"'
    )
    with pytest.raises(ProfileError) as error:
        load_profile(path)
    assert len(str(error.value).splitlines()) == 3


def test_text_that_is_no_toml_is_refused(own):
    with pytest.raises(ProfileError, match="not valid TOML"):
        load_profile(own("name = = 3"))


def test_a_chip_without_cores_is_refused(own):
    text = FIGURE.replace("core.neurons", "chip.cores_per_chip").replace("100", "0").replace('"neurons"', '"cores"')
    with pytest.raises(ProfileError, match="no cores left"):
        load_profile(own(text))


@pytest.mark.parametrize("key", ["core.neurons", "core.fan_in", "chip.neurons", "chip.synapses"])
def test_a_chip_that_holds_nothing_is_refused(own, key):
    unit = {"core.fan_in": "synapses"}.get(key, key.partition(".")[2])
    text = FIGURE.replace("core.neurons", key).replace("100", "0").replace('"neurons"', f'"{unit}"')
    with pytest.raises(ProfileError, match=f"{key}: a limit of 0 holds no network"):
        load_profile(own(text))


COUNTS = [key for key in figure_keys() if kind_of(key)[1] is not None]


@pytest.mark.parametrize("key", COUNTS)
def test_a_number_of_things_is_of_the_things_that_its_figure_counts(own, key):
    kind, unit = kind_of(key)
    others = [other for other in kind.units if other != unit]
    assert others
    for other in others:
        figure = f'name = "own"\ntitle = "own"\n[{key}]\nunit = "{other}"\nstatus = "unknown"'
        with pytest.raises(ProfileError, match=f"{key}: unknown unit '{other}'; valid: {unit}"):
            load_profile(own(figure))
        load_profile(own(figure.replace(f'"{other}"', f'"{unit}"')))


def test_half_a_bit_is_no_width(own):
    text = FIGURE.replace("core.neurons", "synapses.weight_bits").replace("100", "3.5").replace('"neurons"', '"bit"')
    with pytest.raises(ProfileError, match=r"synapses\.weight_bits: value must be a whole number, found 3\.5"):
        load_profile(own(text))


def test_more_cores_than_there_are_cannot_be_used(own):
    cores = FIGURE.replace("core.neurons", "chip.cores_per_chip").replace('"neurons"', '"cores"')
    usable = cores[cores.index("[") :].replace("chip.cores", "chip.usable_cores")
    load_profile(own(f"{cores}\n{usable}"))
    with pytest.raises(ProfileError, match=r"chip\.usable_cores_per_chip: 101 of 100 cores"):
        load_profile(own(f"{cores}\n{usable.replace('100', '101')}"))


def test_a_figure_that_nothing_reads_is_no_key(own):
    text = FIGURE.replace("core.neurons", "time.synaptic_rate").replace('"neurons"', '"M/s"')
    with pytest.raises(ProfileError, match=r"time\.synaptic_rate: unknown key"):
        load_profile(own(text))


def test_a_packing_that_does_not_exist_is_refused(own):
    text = FIGURE.replace("core.neurons", "synapses.packing").replace("100", '"origami"').replace('"neurons"', '"name"')
    with pytest.raises(ProfileError, match=r"synapses\.packing: 'origami' is not known; valid: axon lists, plain"):
        load_profile(own(text))


MEMORY = FIGURE.replace("core.neurons", "core.synapse_memory").replace('"neurons"', '"B"')
UNKNOWN_PACKING = """
[synapses.packing]
unit = "name"
status = "unknown"
[synapses.weight_bits]
unit = "bit"
status = "unknown"
"""


def test_synapse_memory_without_a_packing_is_refused(own):
    with pytest.raises(ProfileError, match=r"core\.synapse_memory: cannot be checked without synapses\.packing and"):
        load_profile(own(MEMORY))


def test_a_memory_of_neurons_and_synapses_without_the_size_of_a_state_is_refused(own):
    text = MEMORY.replace("core.synapse_memory", "core.memory") + UNKNOWN_PACKING
    with pytest.raises(ProfileError, match=r"core\.memory: cannot be checked without core\.state_variable; give it"):
        load_profile(own(text))


def test_a_time_of_reading_memory_without_what_lies_in_it_is_refused(own):
    text = FIGURE.replace("core.neurons", "time.memory_read").replace('"neurons"', '"ns"') + UNKNOWN_PACKING
    with pytest.raises(ProfileError, match=r"time\.memory_read: what is read cannot be counted without synapses"):
        load_profile(own(text))


def test_synapse_memory_of_unknown_packing_is_not_checked(own, build):
    profile = load_profile(own(MEMORY + UNKNOWN_PACKING))
    placement = place(build((50,), nir.Linear(np.ones((50, 50))), "lif"), profile)
    assert placement.unchecked == ("synapse memory per core",)
    assert placement.verdict == "fits the known limits"


def test_reckon_holds_256_inputs_256_hidden_neurons_and_16_outputs_and_no_more(build):
    """One energy for a synaptic operation of the whole chip, with nothing to add (5.3 pJ at 0.5 V)."""
    chip = load_profile("reckon")
    fitting = build((256,), nir.Linear(np.ones((256, 256))), "lif", nir.Linear(np.ones((16, 256))), "lif")
    assert check(fitting, chip, analog_input=False).fits
    wide = build((257,), nir.Linear(np.ones((257, 257))), "lif", nir.Linear(np.ones((17, 257))), "lif")
    broken = [finding.rule for finding in check(wide, chip, analog_input=False).violations]
    assert broken == ["input channels", "hidden neurons", "output neurons"]
    assert (chip.energy.scope.value, chip.energy.synaptic_operation.amount) == ("all-in", 5.3)


@pytest.mark.parametrize("name", known_profiles())
def test_a_profile_at_hand_is_written_as_a_file_that_says_the_same(name, tmp_path):
    (tmp_path / "chip.toml").write_text(profile_text(load_profile(name)))
    assert load_profile(tmp_path / "chip.toml").model_dump() == load_profile(name).model_dump()


def test_every_fault_of_one_figure_is_told_at_once(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(
        'name = "mine"\ntitle = "Mine"\n'
        '[energy.spike]\nvalue = -3\nlow = -4\nunit = "lightyears"\nstatus = "guessed"\n'
        '[energy.message_out]\nvalue = -3\nunit = "pJ"\nstatus = "published"\n'
        '[time.step_floor]\nlow = 5\nvalue = 3\nhigh = 2\nunit = "ms"\nstatus = "measured"\nsource = "me"\n'
        '[time.barrier]\nlow = 5\nunit = "ms"\nstatus = "published"\nsource = "me"\n'
    )
    with pytest.raises(ProfileError) as told:
        load_profile(path)
    lines = [line.removeprefix(f"{path}: ") for line in str(told.value).splitlines()]
    assert sorted(line.split(": ")[0] for line in lines) == [
        *["energy.message_out"] * 2,
        *["energy.spike"] * 3,
        "energy.spike.status",
        *["time.barrier"] * 2,
        *["time.step_floor"] * 2,
    ]
    assert "time.step_floor: low <= value <= high does not hold: low 5, value 3, high 2" in lines
    assert "no source" in str(told.value)


def test_a_barrier_of_ones_own_stands_instead_of_the_curve_that_goes_with_the_inherited_one(own):
    curve = '[time.barrier_by_routers]\nvalue = [[1, 5]]\nunit = "us"\nstatus = "estimated"\nsource = "me"\n'
    barrier = '[time.barrier]\nvalue = 2\nunit = "us"\nstatus = "estimated"\nsource = "me"\n'
    head = 'name = "mine"\ntitle = "Mine"\ninherits = "loihi1"\n'
    inherited = load_profile("loihi1").time.barrier_by_routers
    assert load_profile(own(head)).time.barrier_by_routers == inherited
    assert load_profile(own(head + barrier)).time.barrier_by_routers is None
    assert load_profile(own(head + barrier + curve)).time.barrier_by_routers.amount_at(7) == 5000
    own(head + barrier, "parent.toml")
    assert load_profile(own(head.replace("loihi1", "parent.toml"))).time.barrier_by_routers is None


def test_the_barrier_of_loihi1_grows_with_the_logarithm_of_tiles_between_its_published_ends():
    time = load_profile("loihi1").time
    found = [time.barrier_by_routers.amount_at(2**each) for each in range(6)]
    assert found == pytest.approx([113 + (465 - 113) * each / 5 for each in range(6)])
    assert (found[0], found[-1]) == (time.barrier.spread.low, time.barrier.spread.high)

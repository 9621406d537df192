"""For each known limit of each profile: what is exactly at it fits, one above does not."""

import nir
import numpy as np
import pytest
from made_chips import figure_keys, unit_of

from spear_deploy.hardware import known_profiles, load_profile
from spear_deploy.hardware.chip.profile import Profile
from spear_deploy.hardware.placement.limits import FORMATS, ROUNDING
from spear_deploy.hardware.rules.verdict import check

KEPT = {
    "core.synapse_memory": ["synapses"],
    "core.memory": ["synapses", "core.state_variable", "core.in_axon_entry", "core.out_axon_entry"],
    "chip.synapse_memory": ["synapses", "chip.chips"],
    "chip.chips": ["chip.cores_per_chip", "chip.usable_cores_per_chip"],
    "chip.cores_per_chip": ["chip.chips"],
    "chip.usable_cores_per_chip": ["chip.cores_per_chip", "chip.chips"],
}
"""What else of a profile a limit needs to be checked."""

ONE_NEURON = {"value": 1, "unit": "neurons", "status": "published", "source": "made up: one neuron a core"}


def only(profile: Profile, key: str) -> Profile:
    """The profile with this one limit, so that no other is in the way."""
    wanted = {key, *KEPT.get(key, [])}
    content = {}
    for name, figure in profile.figures().items():
        section, field = name.split(".")
        if name in wanted or section in wanted:
            content.setdefault(section, {})[field] = figure.model_dump()
    if key in ("chip.cores_per_chip", "chip.usable_cores_per_chip", "chip.chips"):
        content["core"] = {"neurons": ONE_NEURON}
    return Profile.model_validate({"name": profile.name, "title": profile.title, **content})


def dense(outputs, inputs):
    return nir.Linear(np.ones((outputs, inputs)))


def conv(outputs=1, inputs=1, kernel=3, stride=1, padding=0):
    size = (kernel, kernel) if isinstance(kernel, int) else kernel
    return nir.Conv2d(None, np.ones((outputs, inputs, *size)), stride, padding, 1, 1, np.zeros(outputs))


def neurons_of_type(kind):
    ones = np.ones(2)
    tau = {"tau": ones * 2e-4} if kind in ("LIF", "LI") else {}
    if kind in ("CubaLIF", "CubaLI"):
        tau = {"tau_mem": ones * 2e-4, "tau_syn": ones * 2e-4}
    leak = {"v_leak": ones * 0} if tau else {}
    fires = {"v_threshold": ones, "v_reset": ones * 0} if kind in ("LIF", "IF", "CubaLIF") else {}
    if kind == "Threshold":
        return nir.Threshold(threshold=ones)
    return getattr(nir, kind)(r=ones, **tau, **leak, **fires, metadata={"dt": 1e-4})


def resetting(kind):
    ones = np.ones(2)
    return nir.LIF(
        tau=ones * 2e-4,
        r=ones,
        v_leak=ones * 0,
        v_reset=ones * 0,
        v_threshold=ones,
        metadata={"dt": 1e-4, "reset": kind},
    )


def with_thresholds(count):
    ones = np.ones(count)
    return nir.LIF(tau=ones * 2e-4, r=ones, v_leak=ones * 0, v_reset=ones * 0, v_threshold=np.arange(count) + 1.0)


def with_decays(count):
    ones = np.ones(count)
    return nir.LIF(tau=2e-4 + np.arange(count) * 1e-4, r=ones, v_leak=ones * 0, v_reset=ones * 0, v_threshold=ones)


def pool(size):
    return nir.SumPool2d(kernel_size=np.array([size, size]), stride=np.array([size, size]), padding=np.array([0, 0]))


KINDS = {
    "dense": ((4,), dense(2, 4)),
    "conv1d": ((1, 4), nir.Conv1d(None, np.ones((1, 1, 3)), 1, 0, 1, 1, np.zeros(1))),
    "conv2d": ((1, 4, 4), conv()),
    "sum pool": ((1, 4, 4), pool(2)),
    "average pool": (
        (1, 4, 4),
        nir.AvgPool2d(kernel_size=np.array([2, 2]), stride=np.array([2, 2]), padding=np.array([0, 0])),
    ),
    "flatten": ((1, 2, 2), nir.Flatten({"input": np.array([1, 2, 2])}, 0, -1)),
}
MODELS = ("IF", "LIF", "CubaLIF", "LI", "CubaLI", "I", "Threshold")


def words(profile, figure):
    return max(figure.value)


# For each limit: networks that must fit, and networks that must not, as arguments of `build`.
def networks(profile, key, figure):
    limit = figure.value
    n = int(limit) if isinstance(limit, float) else limit
    match key:
        case "chip.cores_per_chip" | "chip.usable_cores_per_chip" | "chip.chips":
            cores = profile.cores_available
            return [((1,), dense(cores, 1), "lif")], [((1,), dense(cores + 1, 1), "lif")]
        case "chip.neurons" | "core.neurons":
            return [((1,), dense(n, 1), "lif")], [((1,), dense(n + 1, 1), "lif")]
        case "chip.synapses":
            assert n % 256 == 0
            return [((256,), dense(n // 256, 256), "lif")], [((256,), dense(n // 256 + 1, 256), "lif")]
        case "core.synapse_memory":
            # 4096 lists of 30 dense synapses are 4 words of 64 bit each: 128 KiB; 31 take 5 words.
            return [((4096,), dense(30, 4096), "lif")], [((4096,), dense(31, 4096), "lif")]
        case "core.memory" if profile.name == "loihi2":
            # 16,382 lists of 8 B and table entries of 4 B, 6 neurons of 4 B: 196,608 B.
            return [((16382,), dense(6, 16382), "lif")], [((16383,), dense(6, 16383), "lif")]
        case "core.memory":
            # one state word and one synapse a neuron
            each = profile.core.state_variable.amount + profile.synapses.weight_bits.amount / 8
            most = int(n * figure.units[figure.unit] // each)
            return [((1,), dense(most, 1), "lif")], [((1,), dense(most + 1, 1), "lif")]
        case "core.in_axons" | "core.fan_in":
            return [((n,), dense(1, n), "lif")], [((n + 1,), dense(1, n + 1), "lif")]
        case "core.out_axons":
            # each neuron reaches the one core of the layer after it, or itself and that one
            return (
                [((1,), dense(n, 1), "lif", dense(1, n), "lif")],
                [((1,), dense(n + 1, 1), "lif", dense(1, n + 1), "lif")],
            )
        case "core.fan_out":
            return [((1,), dense(1, 1), "lif", dense(n, 1), "lif")], [
                ((1,), dense(1, 1), "lif", dense(n + 1, 1), "lif")
            ]
        case "core.thresholds":
            return [((1,), dense(n, 1), with_thresholds(n))], [((1,), dense(n + 1, 1), with_thresholds(n + 1))]
        case "core.decays":
            return [((1,), dense(n, 1), with_decays(n))], [((1,), dense(n + 1, 1), with_decays(n + 1))]
        case "synapses.delay":
            late = [nir.Delay(np.array([steps * 1e-4])) for steps in (limit[1], limit[1] + 1)]
            return [((1,), late[0], "lif")], [((1,), late[1], "lif")]
        case "neurons.models":
            # an output behind it: a membrane read-out is not asked for its model
            make = [((2,), neurons_of_type(model), dense(2, 2), neurons_of_type(limit[0])) for model in MODELS]
            good = [each for each, model in zip(make, MODELS, strict=True) if model in limit]
            return good, [each for each, model in zip(make, MODELS, strict=True) if model not in limit]
        case "neurons.resets":
            kinds = ("zero", "subtract")
            good = [((2,), resetting(kind)) for kind in kinds if kind in limit]
            return good, [((2,), resetting(kind)) for kind in kinds if kind not in limit]
        case "layers.kinds":
            return [(*KINDS[kind], "lif") for kind in limit], [
                (*KINDS[kind], "lif") for kind in KINDS if kind not in limit
            ]
        case "layers.kernel":
            size = (1, 18, 18)
            wrong = [kernel for kernel in range(1, 18) if kernel not in limit]
            return [(size, conv(kernel=k), "lif") for k in limit], [(size, conv(kernel=k), "lif") for k in wrong]
        case "layers.stride":
            size = (1, 12, 12)
            wrong = [step for step in range(1, 10) if step not in limit]
            return [(size, conv(stride=s), "lif") for s in limit], [(size, conv(stride=s), "lif") for s in wrong]
        case "layers.padding":
            size = (1, 4, 4)
            return (
                [(size, conv(padding=p), "lif") for p in limit],
                [(size, conv(padding=max(limit) + 1), "lif")],
            )
        case "layers.pool":
            size = (1, 8, 8)
            wrong = [each for each in range(1, 6) if each not in limit]
            return [(size, pool(p), "lif") for p in limit], [(size, pool(p), "lif") for p in wrong]
        case "layers.channels":
            size = (1, 1, 1)
            return [(size, conv(n, kernel=1), "lif")], [(size, conv(n + 1, kernel=1), "lif")]
        case "layers.input_map":
            return [((1, n, 3), conv(), "lif")], [((1, n + 1, 3), conv(), "lif")]
        case "layers.output_map":
            return [((1, n, 1), conv(kernel=1), "lif")], [((1, 1, n + 1), conv(kernel=1), "lif")]
        case "layers.square_kernels":
            return [((1, 4, 4), conv(kernel=(3, 3)), "lif")], [((1, 4, 4), conv(kernel=(3, 1)), "lif")]
        case "layers.biases":
            biased = nir.Affine(np.ones((2, 2)), np.ones(2))
            return [((2,), dense(2, 2), "lif")], [((2,), biased, "lif")]
        case "synapses.sign_by_source":
            by_source, mixed = np.array([[1.0, -1.0], [2.0, -3.0]]), np.array([[1.0, -1.0], [2.0, 3.0]])
            return [((2,), nir.Linear(by_source), "lif")], [((2,), nir.Linear(mixed), "lif")]
        case "io.input_channels":
            return [((n,), dense(1, n), "lif")], [((n + 1,), dense(1, n + 1), "lif")]
        case "io.output_neurons":
            return [((1,), dense(n, 1), "lif")], [((1,), dense(n + 1, 1), "lif")]
        case "io.hidden_neurons" | "io.input_fan_out" | "io.output_fan_in":
            return (
                [((1,), dense(n, 1), "lif", dense(1, n), "lif")],
                [((1,), dense(n + 1, 1), "lif", dense(1, n + 1), "lif")],
            )
    raise AssertionError(f"{key}: no networks at and above this limit; add them")


ELSEWHERE = {
    "chip.synapse_memory",  # real ones take 60 million synapses to fill: a made-up chip stands for them
    "core.destination_cores",
    "core.kernel_memory",
    "core.neuron_memory",
    "core.bias_memory",
    "layers.recurrence",
    "io.graded_input",
    "synapses.weight_range",  # no weight is above it in every unit: test_weights.py
    "synapses.weights_per_neuron",
}
"""Limits with tests of their own."""

PHYSICAL = {
    (name, "chip.cores_per_chip")
    for name in known_profiles()
    if load_profile(name).chip.usable_cores_per_chip is not None
}
"""Cores that exist but cannot all be used: the usable ones are the limit."""

CASES = [
    (name, key)
    for name in known_profiles()
    for key, figure in load_profile(name).figures().items()
    if figure.known and key.split(".")[0] not in ("time", "energy")
    if key not in (*FORMATS, "layers.split") and key not in ELSEWHERE and (name, key) not in PHYSICAL
]


def holds(network, profile):
    """Whether the network fits and, where cores are without number, needs one a layer only."""
    verdict = check(network, profile, analog_input=False)
    limited = profile.cores_available is not None
    return verdict.fits and (limited or verdict.placement.cores_needed == len(network.layers))


@pytest.mark.parametrize(("name", "key"), CASES)
def test_at_a_limit_fits_and_one_above_does_not(build, name, key):
    profile = load_profile(name)
    alone = only(profile, key)
    good, bad = networks(profile, key, profile.figures()[key])
    assert good
    for case in good:
        assert holds(build(*case), alone), case
    for case in bad:
        assert not holds(build(*case), alone), case


LIMITS = [key for key in figure_keys() if key not in FORMATS and key.split(".")[0] not in ("time", "energy")]


def chip_with(**figures):
    """A chip of these figures, by their keys with a double underscore for the dot."""
    content = {}
    for key, figure in figures.items():
        section, name = key.split("__")
        content.setdefault(section, {})[name] = figure
    return Profile.model_validate({"name": "c", "title": "c", **content})


@pytest.mark.parametrize("key", LIMITS)
def test_a_limit_that_nobody_has_published_is_not_claimed_to_hold(build, key):
    chip = chip_with(**{key.replace(".", "__"): {"unit": unit_of(key), "status": "unknown"}})
    verdict = check(build((2,), dense(2, 2), "lif"), chip, analog_input=False)
    assert len(verdict.placement.unchecked) == 1
    assert verdict.text == "fits the known limits"


def known(value, unit):
    return {"value": value, "unit": unit, "status": "published", "source": "made up"}


SIZES = {
    "synapses__packing": known("plain", "name"),
    "synapses__weight_bits": known(8, "bit"),
    "core__state_variable": known(4, "B"),
}
MEMORIES = {"core__memory": "memory per core", "chip__synapse_memory": "synapse memory of the chips"}


@pytest.mark.parametrize(
    ("memory", "key", "unit"),
    [
        ("core__memory", "core__state_variable", "B"),
        ("core__memory", "core__in_axon_entry", "B"),
        ("core__memory", "core__out_axon_entry", "B"),
        ("core__memory", "synapses__packing", "name"),
        ("chip__synapse_memory", "synapses__packing", "name"),
        ("chip__synapse_memory", "synapses__weight_bits", "bit"),
    ],
)
def test_a_memory_is_not_checked_where_what_fills_it_has_no_known_size(build, memory, key, unit):
    network = build((2,), dense(2, 2), "lif")
    full = check(network, chip_with(**SIZES, **{memory: known(1, "B")}), analog_input=False)
    assert [finding.rule for finding in full.violations] == [MEMORIES[memory]]
    figures = {**SIZES, memory: known(1, "B"), key: {"unit": unit, "status": "unknown"}}
    verdict = check(network, chip_with(**figures), analog_input=False)
    assert set(verdict.placement.unchecked) - {ROUNDING} == {MEMORIES[memory]}
    assert verdict.text == "fits the known limits"


def test_the_synapse_memory_of_a_chip_is_a_limit_of_the_whole_network(build, tmp_path):
    path = tmp_path / "chip.toml"
    path.write_text(
        'name = "c"\ntitle = "c"\n'
        '[chip.synapse_memory]\nvalue = 120\nunit = "B"\nstatus = "published"\nsource = "test"\n'
        '[synapses.packing]\nvalue = "plain"\nunit = "name"\nstatus = "published"\nsource = "test"\n'
        '[synapses.weight_bits]\nvalue = 8\nunit = "bit"\nstatus = "published"\nsource = "test"\n'
    )
    profile = load_profile(path)
    assert check(build((10,), dense(12, 10), "lif"), profile, analog_input=False).fits
    verdict = check(build((11,), dense(11, 11), "lif"), profile, analog_input=False)
    assert [finding.rule for finding in verdict.findings] == ["synapse memory of the chips"]


def test_a_spike_that_reaches_two_cores_does_not_fit_truenorth(build):
    truenorth = load_profile("truenorth")
    one = build((4,), dense(10, 4), "lif", dense(256, 10), "lif")
    assert check(one, truenorth, analog_input=False).fits
    two = build((4,), dense(10, 4), "lif", dense(257, 10), "lif")
    rules = [finding.rule for finding in check(two, truenorth, analog_input=False).violations]
    assert rules == ["destination cores per neuron"]


@pytest.mark.parametrize("name", [name for name in known_profiles() if load_profile(name).io.graded_input is not None])
def test_values_enter_only_chips_that_take_them(build, name):
    profile = load_profile(name)
    network = build((2,), dense(2, 2), neurons_of_type("LIF"))
    rules = [finding.rule for finding in check(network, profile, analog_input=True).violations]
    assert ("analog input" in rules) == (not profile.io.graded_input.value)


@pytest.mark.parametrize("name", ["speck2f", "akd1000"])
def test_a_loop_does_not_fit_a_feed_forward_chip(build, name):
    network = build((2,), dense(2, 2), "lif", loops=[("n1", dense(2, 2))])
    rules = [finding.rule for finding in check(network, load_profile(name), analog_input=False).violations]
    assert "recurrence" in rules

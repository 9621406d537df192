"""What stands in a NIR file for nodes that NIR does not have passes nir's own type check, or is told not to."""

import h5py
import nir
import pytest
import test_max_pools
import test_resampling
import test_unflattening
import torch
from made_networks import analog_input
from torch import nn

from spear_deploy.exporters.nir import NirExporter
from spear_deploy.network import Simulation, from_snntorch, read_nir, write_nir

T = 4
CASES = {**test_resampling.NETWORKS, **test_max_pools.NETWORKS}
UNEVEN_KERNEL = "transposed, grouped, dilated"
"""Of 2 x 3, for which there is no equal square one."""

REFUSED = {
    UNEVEN_KERNEL: CASES[UNEVEN_KERNEL],
    "uneven kernel": ((2, 6, 5), lambda: test_resampling.behind(nn.Conv2d(4, 3, (2, 3)))),
    **test_unflattening.NETWORKS,
}


def converted(shape, build):
    torch.manual_seed(6)
    return from_snntorch(build(), input_shape=shape, time_steps=T)


def outputs(model, x):
    with torch.no_grad():
        return Simulation(model.graph, torch.float64)(x).outputs


@pytest.mark.parametrize("case", sorted({*CASES} - {UNEVEN_KERNEL}))
def test_plain_nir_reads_what_stands_for_nodes_that_it_does_not_have_and_finds_our_shapes(case, tmp_path):
    model = converted(*CASES[case])
    write_nir(model, tmp_path / "net.nir")
    nodes = nir.read(tmp_path / "net.nir").nodes
    shapes = {name: tuple(node.output_type["output"]) for name, node in nodes.items()}
    assert shapes == {name: tuple(model.network.shapes[name]) for name in nodes}
    assert not any("type_check" in line for line in NirExporter().notices(model))


@pytest.mark.parametrize(("shape", "build"), REFUSED.values(), ids=REFUSED)
def test_a_file_that_plain_nir_refuses_says_how_it_is_read(shape, build, tmp_path):
    model = converted(shape, build)
    write_nir(model, tmp_path / "net.nir")
    with pytest.raises(ValueError, match="type mismatch") as refused:
        nir.read(tmp_path / "net.nir")
    nir.read(tmp_path / "net.nir", type_check=False)
    told = "they need nir.read(file, type_check=False): nir's type check ends in ValueError: "
    assert NirExporter().notices(model)[0] == told + str(refused.value)


@pytest.mark.parametrize(
    ("case", "name", "held"),
    [
        ("enlarged", "2_upsample", {"kernel_size": (1, 1), "stride": (1, 1), "padding": (0, 0)}),
        ("padded in one dimension", "2_zeropad1d", {"kernel_size": (1, 1), "stride": (1, 1), "padding": (0, 0)}),
        (
            "one dimension",
            "1_maxpool1d",
            {"kernel_size": (1, 3), "stride": (1, 2), "padding": (0, 1), "metadata/pool": "max"},
        ),
    ],
)
def test_files_of_earlier_versions_hold_the_same_network(case, name, held, tmp_path):
    model = converted(*CASES[case])
    write_nir(model, tmp_path / "net.nir")
    with h5py.File(tmp_path / "net.nir", "r+") as file:
        node = file[f"node/nodes/{name}"]
        assert any(tuple(node[key][()]) != value for key, value in held.items() if key != "metadata/pool")
        for key, value in held.items():
            node[key][...] = value
    x = analog_input(model).double()
    wanted, found = outputs(model, x), outputs(read_nir(tmp_path / "net.nir"), x)
    assert all(torch.equal(wanted[layer], found[layer]) for layer in wanted)

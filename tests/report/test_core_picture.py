from xml.etree import ElementTree

import nir
import numpy as np

from spear_deploy.hardware import Activity, estimate, load_profile, place
from spear_deploy.report.pictures.core_picture import core_map_svg


def test_the_picture_shows_every_core_once_with_its_layer_and_uses(build):
    network = build((4,), nir.Linear(np.ones((3000, 4))), "lif", nir.Linear(np.ones((10, 3000))), "lif")
    placement = place(network, load_profile("loihi1"))
    silent = {name: np.zeros(network.shapes[name]) for name in ("input", *network.layers)}
    core_map = estimate(network, placement, Activity(silent, 4, analog_input=False)).core_map
    root = ElementTree.fromstring(core_map_svg(placement, core_map))
    space = {"s": "http://www.w3.org/2000/svg"}
    titles = [title.text for title in root.findall("s:g/s:title", space)]
    assert len(titles) == placement.cores_needed
    assert sum(title.startswith("n1: channels") for title in titles) == placement.grids["n1"].size
    assert all("neurons per core" in title for title in titles)
    width, height = float(root.get("width")), float(root.get("height"))
    for shape in root.findall(".//s:rect", space):
        assert float(shape.get("x", 0)) + float(shape.get("width")) <= width
        assert float(shape.get("y", 0)) + float(shape.get("height")) <= height

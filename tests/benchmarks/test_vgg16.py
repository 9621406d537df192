"""What preparing integers takes and what lies ahead, on a network that takes no time."""

from benchmarks.speed.measured import split_of
from benchmarks.speed.nets import Net, convolutional
from benchmarks.vgg16 import IMAGES, VGG16, costs, forecast, preparing
from spear_deploy.training import Recipe

SMALL = Net("small", lambda: convolutional(3, 8, (4, "pool", 6)), (3, 8, 8), 4, 4, 40, static=True)


def test_it_is_the_network_that_spear_prunes():
    assert sum(each.numel() for each in VGG16.made().parameters()) == 14_719_818


def test_all_of_it_is_timed_and_more_processes_shorten_what_they_share():
    model, data = SMALL.model(), split_of(SMALL, 40)
    assert min(preparing(model, data)) > 0
    found = costs(model, data, Recipe(epochs=1, batch=20))
    assert min(found.step_s, found.counted_s, found.judged_s, found.candidate_s, found.answered_s) > 0
    two, sixteen = forecast(found, model.time_steps).values()
    assert sixteen["LRE samples"] < two["LRE samples"] / 5
    assert sixteen["dense, same fine-tune"] == two["dense, same fine-tune"] > IMAGES / 128 * found.step_s

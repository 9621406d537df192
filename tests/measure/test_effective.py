"""Operations as NeuroBench names them, over samples that are run in batches."""

import pytest
import torch
from made_networks import Chain

from spear_deploy.data import EncodedSplit, SplitName
from spear_deploy.measure import effective_operations


def test_whether_a_layer_multiplies_does_not_hang_on_the_order_of_samples():
    """Ten of 250 samples hold values: the first layer multiplies, whichever batch they come in."""
    model = Chain((6,), seed=1).linear("one", 8).neurons("lif1").linear("two", 4).neurons("lif2").model(3)
    x = (torch.rand(250, 6, generator=torch.Generator().manual_seed(0)) < 0.5).float()
    x[:10] *= 0.75
    labels = torch.zeros(250, dtype=torch.int64)
    first, spread = (
        effective_operations(model, EncodedSplit(SplitName.TEST, images.expand(3, 250, 6), labels, analog=True))
        for images in (x, x[torch.randperm(250, generator=torch.Generator().manual_seed(2))])
    )
    assert (first.acs, first.macs) == pytest.approx((spread.acs, spread.macs))
    reached = torch.as_tensor((model.network.nodes["one"].weight != 0).sum(0)).float()
    assert first.macs == pytest.approx(3 * float(((x != 0) * reached).sum()) / 250)

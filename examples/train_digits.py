"""Train a convolutional spiking network on scikit-learn's digits, as one does with snnTorch.

    python examples/train_digits.py            # writes examples/digits.pt

Only the last lines speak of spear-deploy: they make the model file.
"""

from pathlib import Path

import snntorch as snn
import torch
from snntorch import functional as SF
from snntorch import utils
from torch import nn

import spear_deploy

TIME_STEPS = 4
EPOCHS = 40
BATCH = 64

torch.manual_seed(0)
torch.set_flush_denormal(True)

data = spear_deploy.load_data("digits")
beta = 0.5


def leaky() -> snn.Leaky:
    """The neuron used throughout: hard reset, applied at once."""
    return snn.Leaky(beta=beta, init_hidden=True, reset_mechanism="zero", reset_delay=False)


net = nn.Sequential(
    nn.Conv2d(1, 16, 3, padding=1),
    leaky(),
    nn.Conv2d(16, 32, 3, stride=2, padding=1),
    leaky(),
    nn.Conv2d(32, 64, 3, stride=2, padding=1),
    leaky(),
    nn.Flatten(),
    nn.Linear(64 * 2 * 2, 10),
    leaky(),
)


def run(images: torch.Tensor) -> torch.Tensor:
    """Show each image TIME_STEPS times; returns output spikes [T, B, 10]."""
    utils.reset(net)
    return torch.stack([net(images) for _ in range(TIME_STEPS)])


def accuracy(split: spear_deploy.Split) -> float:
    """Share of images whose class fires most."""
    with torch.no_grad():
        return (run(split.x).sum(0).argmax(1) == split.y).double().mean().item()


optimizer = torch.optim.Adam(net.parameters(), lr=5e-3)
schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS)
loss_function = SF.mse_count_loss(correct_rate=1.0, incorrect_rate=0.0)
for epoch in range(EPOCHS):
    for batch in torch.randperm(len(data.train)).split(BATCH):
        optimizer.zero_grad()
        loss = loss_function(run(data.train.x[batch]), data.train.y[batch])
        loss.backward()
        optimizer.step()
    schedule.step()
    if epoch % 10 == 9:
        print(f"epoch {epoch + 1}: validation accuracy {accuracy(data.validation):.1%}")
print(f"test accuracy {accuracy(data.test):.1%}")

spear_deploy.save_model(
    net,
    Path(__file__).parent / "digits.pt",
    input_shape=(1, 8, 8),
    time_steps=TIME_STEPS,
    encoding="direct",
    read_out="count",
    data="digits",
)

"""A regression: the sine and the square of a value that a few neurons are tuned to, coded in their rates."""

import numpy as np
import snntorch
import torch
from torch import nn

TUNED, STEPS = 12, 8


def arrays(train=300, test=120, seed=0):
    """How strongly each of `TUNED` neurons responds to a value, and what is to be told of that value."""
    rng = np.random.default_rng(seed)

    def drawn(count):
        value = rng.random(count)
        rates = np.exp(-((value[:, None] - np.linspace(0, 1, TUNED)) ** 2) / (2 * 0.1**2))
        told = np.stack([5 + 2 * np.sin(2 * np.pi * value), 100 * value**2], 1)
        return rates.astype(np.float32), told.astype(np.float32)

    (x_train, y_train), (x_test, y_test) = drawn(train), drawn(test)
    return {"x_train": x_train, "y_train": y_train, "x_test": x_test, "y_test": y_test}


class Tells(nn.Module):
    """Two values: what a last layer adds up over time."""

    def __init__(self, over_time=lambda steps: steps.sum(0)):
        super().__init__()
        self.fc1, self.lif1 = nn.Linear(TUNED, 24), snntorch.Leaky(beta=0.9, learn_threshold=False)
        self.fc2, self.lif2 = nn.Linear(24, 16), snntorch.Leaky(beta=0.9)
        self.out, self.over_time = nn.Linear(16, 2), over_time

    def forward(self, x):
        first, second, told = self.lif1.init_leaky(), self.lif2.init_leaky(), []
        for step in x:
            spikes, first = self.lif1(self.fc1(step), first)
            spikes, second = self.lif2(self.fc2(spikes), second)
            told.append(self.out(spikes))
        return self.over_time(torch.stack(told))


def trained(content, epochs=40):
    """The network, trained as its author would: on Bernoulli spikes, by the squared error in units of its own."""
    torch.manual_seed(0)
    net, x, y = Tells(), torch.tensor(content["x_train"]), torch.tensor(content["y_train"])
    mean, deviation = y.mean(0), y.std(0)
    optimiser = torch.optim.Adam(net.parameters(), 5e-3)
    for _ in range(epochs):
        for index in torch.randperm(len(x)).split(32):
            spikes = torch.bernoulli(x[index].expand(STEPS, -1, -1))
            loss = (net(spikes) - (y[index] - mean) / deviation).square().mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    with torch.no_grad():  # in the units of the labels
        net.out.weight *= deviation[:, None]
        net.out.bias *= deviation
        net.out.bias += mean / STEPS
    return net

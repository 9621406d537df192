"""What to do instead: of layers that no node does, of code that fails."""

from __future__ import annotations

import re

from spear_deploy.network.faults import first_line

_GATED = "its gates multiply states, which no spiking neuron does; use RLeaky or RSynaptic"
_BY_SAMPLE = (
    "it divides by statistics of each sample, which no synapse does; train with BatchNorm, which goes into weights"
)
_FLAT = "a chip's maps have two axes, and time is none of them; let Conv2d see each time step"
_ACTIVATION = "a chip has none beside its neurons; leave it out, or put a spiking neuron in its place"
_BY_STEP = "it does something else in every step, which no synapse does; use one norm for all steps"
WAYS_OUT: dict[str, str] = {
    **dict.fromkeys(("GroupNorm", "LayerNorm", "InstanceNorm1d", "InstanceNorm2d"), _BY_SAMPLE),
    **dict.fromkeys(("SLSTM", "SConv2dLSTM", "LSTM", "GRU", "RNN", "LSTMCell", "GRUCell", "RNNCell"), _GATED),
    **dict.fromkeys(("Conv3d", "MaxPool3d", "AvgPool3d", "BatchNorm3d"), _FLAT),
    **dict.fromkeys(("ReLU", "ReLU6", "LeakyReLU", "PReLU", "ELU", "SELU", "GELU", "SiLU", "Mish"), _ACTIVATION),
    **dict.fromkeys(("Tanh", "Sigmoid", "Hardtanh", "Hardsigmoid", "Softplus"), _ACTIVATION),
    **dict.fromkeys(("Softmax", "LogSoftmax"), "leave it to the loss, and end with what is before it"),
    "PixelShuffle": "it moves channels to positions; use ConvTranspose2d or Upsample",
    "PixelUnshuffle": "it moves positions to channels; use Conv2d with a stride",
    "ChannelShuffle": "it changes the order of channels; leave it out, or use Conv2d with a kernel of 1",
    "Bilinear": "it multiplies two values that depend on the input, which no synapse does; add them",
    **dict.fromkeys(
        ("Embedding", "EmbeddingBag"), "it looks words up; give the network their vectors, encoding='sequence'"
    ),
    **dict.fromkeys(
        ("MultiheadAttention", "TransformerEncoderLayer"),
        "it multiplies values that depend on the input, which no synapse does",
    ),
    **dict.fromkeys(("BatchNormThroughTime1d", "BatchNormThroughTime2d"), _BY_STEP),
    **dict.fromkeys(("TemporalEffectiveBatchNorm1d", "TemporalEffectiveBatchNorm2d"), _BY_STEP),
    "Alpha": "its membrane is the difference of two currents and no state of its own; use Synaptic",
}
"""What to use in the place of layers that have no node."""


def failure(error: BaseException) -> str:
    """How a user's own code failed, with the way out where it put numbers of float32 beside those that it was given."""
    said = f"fails with {first_line(error)}"
    if {"float", "double"} <= set(re.findall(r"[a-z]+", said.lower())):
        said += (
            "; it is run in float64 here: make its own tensors by x.new_zeros(...), and convert others by .to(x.dtype)"
            " instead of .float()"
        )
    return said

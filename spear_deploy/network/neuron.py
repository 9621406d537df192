"""The neuron: one discrete-time equation, read from and written to NIR nodes.

NIR speaks of continuous time and of one kind of reset. What it cannot say is kept in the
`metadata` of the node under the keys below, and checked against tau and r when read.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import nir
import numpy as np
from numpy.typing import NDArray

from spear_deploy.errors import ModelError, quoted
from spear_deploy.network.faults import check_finite

Array = NDArray[np.float64]

DEFAULT_DT_S = 1e-4
"""Time step assumed where a graph names none: the habit of NIR's own tools."""

CONSTANT_TOLERANCE = 1e-6
"""How far exact constants in the metadata may lie from those that follow from tau and r."""

SMALLEST_LEAK = 1e-9
"""1 - beta that is written as tau for a neuron that does not leak, where NIR has no node for one
(among others that leak, or with a synaptic current): far below the tolerance, so that our reader
uses the exact constant; another reader sees a leak of a billionth a step."""

NEURON_TYPES = (nir.LIF, nir.IF, nir.CubaLIF, nir.LI, nir.CubaLI, nir.I, nir.Threshold)


class Reset(StrEnum):
    """What happens to the membrane of a neuron that fires.

    ZERO_HOLD also keeps it there for the next step, whose input is lost (the synaptic current
    goes on): what snnTorch's Lapicque, Synaptic, RLeaky and RSynaptic do on a delayed reset to zero.
    SUBTRACT takes the threshold off again, before the next spike, where the membrane still exceeds it
    (snnTorch); SUBTRACT_ONCE never does (SpikingJelly). Below twice the threshold both are the same.
    """

    ZERO = "zero"
    ZERO_HOLD = "zero_hold"
    SUBTRACT = "subtract"
    SUBTRACT_ONCE = "subtract_once"
    NONE = "none"


@dataclass(frozen=True)
class Neuron:
    """A layer of leaky integrate-and-fire neurons in discrete time.

        u[t] = alpha * u[t-1] + gain * i[t]      (u[t] = gain * i[t] without a synaptic current)
        v[t] = beta * v[t-1] + u[t] + offset
        s[t] = v[t] > threshold
        v[t] <- reset_value           where s[t]  (reset zero)
        v[t] <- v[t] - threshold      where s[t]  (reset subtract, subtract_once)
        v[t] <- reset_value           where s[t-1] (reset zero_hold; such a step has no spike)

    With `reset_delay` the reset is applied at the start of the next step instead: for reset
    zero the spikes are the same and only the membrane that is seen differs, for subtract the
    leak acts before the subtraction. Where a step leaves v above the threshold, subtract takes
    it off in the next one before the spike; docs/nir-metadata.md has all resets line by line.
    Without a threshold the neuron does not spike and its output is v[t].

    Arrays have the shape of the layer. beta = 1 - dt / tau and gain = r * dt / tau (forward
    Euler). Source: NIR, Pedersen et al., Nat. Commun. 2024 (LIF, CubaLIF); the delayed reset
    is snnTorch's.
    """

    beta: Array
    gain: Array
    threshold: Array | None
    alpha: Array | None = None
    offset: Array | None = None
    reset_value: Array | None = None
    reset: Reset = Reset.ZERO
    reset_delay: bool = False
    dt_s: float = DEFAULT_DT_S

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the layer, `[C, H, W]` or `[N]`."""
        return self.beta.shape

    @property
    def spikes(self) -> bool:
        """Whether the output is binary spikes (else it is the membrane)."""
        return self.threshold is not None

    @property
    def remembers(self) -> bool:
        """Whether anything is left in the next step of what came in."""
        return self.alpha is not None or bool(self.beta.any())


def neuron_of(node: nir.NIRNode, name: str = "neuron") -> Neuron:
    """The discrete-time constants of a NIR neuron node.

    Exact constants in the metadata (beta, alpha, gain) are used after checking that they
    agree with tau and r; anything else is forward Euler with `dt` from the metadata.

    Raises:
        ModelError: parameters that are not finite, a decay outside [0, 1], a threshold that
            is not positive, or metadata that contradicts the node.

    """
    meta = node.metadata
    dt = float(meta.get("dt", DEFAULT_DT_S))
    if not dt > 0:
        raise ModelError(f"{name}: dt must be positive, found {dt:g}")
    reset = _reset_of(meta, name)
    delay = bool(meta.get("reset_delay", False))
    shape = tuple(int(n) for n in np.atleast_1d(node.input_type["input"]))
    check_finite(node, name)

    def full(value: Any) -> Array:
        return np.broadcast_to(np.asarray(value, dtype=np.float64), shape).copy()

    def decay(key: str, tau: Any) -> tuple[Array, Array]:
        """The decay 1 - dt / tau and the step dt / tau."""
        tau = full(tau)
        if (tau <= 0).any() or (tau < dt * (1 - CONSTANT_TOLERANCE)).any():
            raise ModelError(
                f"{name}: time constants must be at least dt = {dt:g} s, found {tau.min():g} s"
                " (give the time step of the network: `dt_s`; norse's exporter writes dt / rate for 1 / rate, which"
                " stands for `dt_s=1e-6` where norse's dt is 1e-3)"
            )
        step = np.minimum(dt / tau, 1.0)
        return _exact(meta, key, 1.0 - step, name), step

    threshold = getattr(node, "v_threshold", getattr(node, "threshold", None))
    if threshold is not None:
        threshold = full(threshold)
        if (threshold <= 0).any():
            raise ModelError(f"{name}: thresholds must be positive, found {threshold.min():g}")
    reset_value = full(getattr(node, "v_reset", 0.0))
    common: dict[str, Any] = {
        "threshold": threshold,
        "reset": reset,
        "reset_delay": delay,
        "reset_value": reset_value if reset_value.any() else None,
        "dt_s": dt,
    }
    if isinstance(node, nir.Threshold):
        zero = np.zeros(shape)
        return Neuron(beta=zero, gain=np.ones(shape), **common | {"reset": Reset.NONE})
    if isinstance(node, nir.IF | nir.I):
        gain = _exact(meta, "gain", full(node.r) * dt, name)
        return Neuron(beta=np.ones(shape), gain=gain, **common)
    if isinstance(node, nir.LIF | nir.LI):
        beta, step = decay("beta", node.tau)
        gain = _exact(meta, "gain", full(node.r) * step, name)
        return Neuron(beta=beta, gain=gain, offset=_offset(full(node.v_leak) * step), **common)
    if isinstance(node, nir.CubaLIF | nir.CubaLI):
        beta, step = decay("beta", node.tau_mem)
        alpha, step_syn = decay("alpha", node.tau_syn)
        gain = _exact(meta, "gain", full(node.w_in) * step_syn * full(node.r) * step, name)
        offset = _offset(full(node.v_leak) * step)
        return Neuron(beta=beta, alpha=alpha, gain=gain, offset=offset, **common)
    raise ModelError(f"{name}: {type(node).__name__} is not a neuron")


def node_of(neuron: Neuron) -> nir.NIRNode:
    """The NIR node of a neuron, with its exact constants in the metadata.

    tau and r follow from beta, alpha and gain, so that a reader who knows NIR alone computes
    the same constants up to rounding. A beta of 1 is an IF neuron.
    """
    shape = neuron.shape
    dt = neuron.dt_s
    meta: dict[str, Any] = {"dt": dt, "reset": str(neuron.reset), "reset_delay": int(neuron.reset_delay)}
    meta |= {"beta": neuron.beta, "gain": neuron.gain}
    zero = np.zeros(shape)
    step = 1.0 - neuron.beta
    integrates = bool((step == 0).all())
    reset_value = zero if neuron.reset_value is None else neuron.reset_value
    if integrates and neuron.alpha is None:
        if neuron.offset is not None:
            raise ModelError("an integrator with a leak voltage has no NIR node")
        r = neuron.gain / dt
        if neuron.threshold is None:
            return nir.I(r=r, metadata=meta)
        return nir.IF(r=r, v_threshold=neuron.threshold, v_reset=reset_value, metadata=meta)
    step = np.maximum(step, SMALLEST_LEAK)
    v_leak = zero if neuron.offset is None else neuron.offset / step
    if neuron.alpha is None:
        tau = dt / step
        common: dict[str, Any] = {"tau": tau, "r": neuron.gain / step, "v_leak": v_leak, "metadata": meta}
        if neuron.threshold is None:
            return nir.LI(**common)
        return nir.LIF(v_threshold=neuron.threshold, v_reset=reset_value, **common)
    step_syn = np.maximum(1.0 - neuron.alpha, SMALLEST_LEAK)
    meta["alpha"] = neuron.alpha
    common = {
        "tau_mem": dt / step,
        "tau_syn": dt / step_syn,
        "r": 1.0 / step,
        "w_in": neuron.gain / step_syn,
        "v_leak": v_leak,
        "metadata": meta,
    }
    if neuron.threshold is None:
        return nir.CubaLI(**common)
    return nir.CubaLIF(v_threshold=neuron.threshold, v_reset=reset_value, **common)


def _reset_of(meta: dict[str, Any], name: str) -> Reset:
    found = str(meta.get("reset", Reset.ZERO))
    try:
        return Reset(found)
    except ValueError:
        known = ", ".join(Reset)
        raise ModelError(f"{name}: unknown reset {quoted(found)} in the metadata; known: {known}") from None


def _exact(meta: dict[str, Any], key: str, derived: Array, name: str) -> Array:
    """The constant `key` of the metadata where it agrees with the derived one, else an error."""
    if key not in meta:
        return derived
    exact = np.asarray(meta[key], dtype=np.float64)
    if exact.shape not in ((), derived.shape):
        raise ModelError(f"{name}: metadata {key} has shape {exact.shape}, the layer {derived.shape}")
    exact = np.broadcast_to(exact, derived.shape).copy()
    gap = np.abs(exact - derived) / np.maximum(1.0, np.abs(derived))
    if not bool((gap <= CONSTANT_TOLERANCE).all()):
        worst = int(np.argmax(gap))
        raise ModelError(
            f"{name}: metadata {key} = {exact.flat[worst]:.9g} contradicts the node's own parameters,"
            f" which give {derived.flat[worst]:.9g}"
        )
    return exact


def _offset(offset: Array) -> Array | None:
    return offset if offset.any() else None

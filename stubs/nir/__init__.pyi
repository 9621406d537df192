"""The types of nir 1.0, which has none of its own: what mypy sees of it (mypy_path in pyproject.toml).

Only what this package uses. Shapes that nir leaves open are None, so that the types of ends hold anything.
"""

from os import PathLike
from typing import Any, Self

from numpy.typing import NDArray

Array = NDArray[Any]
"""Of numbers; what has one value may be a number or an array without axes, which numpy reads alike."""

class NIRNode:
    input_type: dict[str, Any]
    output_type: dict[str, Any]
    metadata: dict[str, Any]

    def __post_init__(self) -> None: ...
    def to_dict(self) -> dict[str, Any]: ...
    @classmethod
    def from_dict(cls, kwargs: dict[str, Any]) -> Self: ...

class NIRGraph(NIRNode):
    nodes: dict[str, NIRNode]
    edges: list[tuple[str, str]]

    def __init__(
        self,
        nodes: dict[str, NIRNode],
        edges: list[tuple[str, str]],
        *,
        metadata: dict[str, Any] = ...,
        type_check: bool = True,
    ) -> None: ...
    def infer_types(self) -> None: ...

class Input(NIRNode):
    def __init__(self, input_type: Array, *, metadata: dict[str, Any] = ...) -> None: ...

class Output(NIRNode):
    def __init__(self, output_type: Array, *, metadata: dict[str, Any] = ...) -> None: ...

class Affine(NIRNode):
    weight: Array
    bias: Array

    def __init__(self, weight: Array, bias: Array, *, metadata: dict[str, Any] = ...) -> None: ...

class Linear(NIRNode):
    weight: Array

    def __init__(self, weight: Array, *, metadata: dict[str, Any] = ...) -> None: ...

class Scale(NIRNode):
    scale: Array

    def __init__(self, scale: Array, *, metadata: dict[str, Any] = ...) -> None: ...

class Conv1d(NIRNode):
    input_shape: int | None
    weight: Array
    stride: int
    padding: int | str
    dilation: int
    groups: int
    bias: Array

    def __init__(
        self,
        input_shape: int | None,
        weight: Array,
        stride: int,
        padding: int | str,
        dilation: int,
        groups: int,
        bias: Array,
        *,
        metadata: dict[str, Any] = ...,
    ) -> None: ...

class Conv2d(NIRNode):
    input_shape: tuple[int, ...] | None
    weight: Array
    stride: int | tuple[int, ...]
    padding: int | tuple[int, ...] | str
    dilation: int | tuple[int, ...]
    groups: int
    bias: Array

    def __init__(
        self,
        input_shape: tuple[int, ...] | None,
        weight: Array,
        stride: int | tuple[int, ...],
        padding: int | tuple[int, ...] | str,
        dilation: int | tuple[int, ...],
        groups: int,
        bias: Array,
        *,
        metadata: dict[str, Any] = ...,
    ) -> None: ...

class SumPool2d(NIRNode):
    kernel_size: Array
    stride: Array
    padding: Array

    def __init__(
        self, kernel_size: Array, stride: Array, padding: Array, *, metadata: dict[str, Any] = ...
    ) -> None: ...

class AvgPool2d(NIRNode):
    kernel_size: Array
    stride: Array
    padding: Array

    def __init__(
        self, kernel_size: Array, stride: Array, padding: Array, *, metadata: dict[str, Any] = ...
    ) -> None: ...

class Flatten(NIRNode):
    start_dim: int
    end_dim: int

    def __init__(
        self,
        input_type: Array | dict[str, Array],
        start_dim: int = 1,
        end_dim: int = -1,
        *,
        metadata: dict[str, Any] = ...,
    ) -> None: ...

class Delay(NIRNode):
    delay: Array

    def __init__(self, delay: Array, *, metadata: dict[str, Any] = ...) -> None: ...

class Threshold(NIRNode):
    threshold: Array

    def __init__(self, threshold: Array, *, metadata: dict[str, Any] = ...) -> None: ...

class I(NIRNode):
    r: Array

    def __init__(self, r: Array, *, metadata: dict[str, Any] = ...) -> None: ...

class IF(NIRNode):
    r: Array
    v_threshold: Array
    v_reset: Array

    def __init__(
        self, r: Array, v_threshold: Array, v_reset: Array | None = None, *, metadata: dict[str, Any] = ...
    ) -> None: ...

class LI(NIRNode):
    tau: Array
    r: Array
    v_leak: Array

    def __init__(self, tau: Array, r: Array, v_leak: Array, *, metadata: dict[str, Any] = ...) -> None: ...

class LIF(NIRNode):
    tau: Array
    r: Array
    v_leak: Array
    v_threshold: Array
    v_reset: Array

    def __init__(
        self,
        tau: Array,
        r: Array,
        v_leak: Array,
        v_threshold: Array,
        v_reset: Array | None = None,
        *,
        metadata: dict[str, Any] = ...,
    ) -> None: ...

class CubaLI(NIRNode):
    tau_syn: Array
    tau_mem: Array
    r: Array
    v_leak: Array
    w_in: Array

    def __init__(
        self,
        tau_syn: Array,
        tau_mem: Array,
        r: Array,
        v_leak: Array,
        w_in: Array | float = 1.0,
        *,
        metadata: dict[str, Any] = ...,
    ) -> None: ...

class CubaLIF(NIRNode):
    tau_syn: Array
    tau_mem: Array
    r: Array
    v_leak: Array
    v_threshold: Array
    v_reset: Array
    w_in: Array

    def __init__(
        self,
        tau_syn: Array,
        tau_mem: Array,
        r: Array,
        v_leak: Array,
        v_threshold: Array,
        v_reset: Array | None = None,
        w_in: Array | float = 1.0,
        *,
        metadata: dict[str, Any] = ...,
    ) -> None: ...

def dict2NIRNode(data_dict: dict[str, Any]) -> NIRNode: ...
def read(filename: str | PathLike[str], type_check: bool = True) -> NIRGraph: ...
def write(filename: Any, graph: NIRNode, compression: str = "gzip", compression_opts: Any = None) -> None: ...

"""LRE's samples on disk: made once for a model and its data, read by every later run.

One JSON file for each key, one sample a line. Floats are written with all their digits, so that
samples read back are the ones that were made, bit for bit.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import tempfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spear_deploy.hardware import Activity
from spear_deploy.measure import SpikeRecord
from spear_deploy.pruning import Widths
from spear_deploy.search.candidate import Features
from spear_deploy.search.lre.drawing import SCHEME
from spear_deploy.search.lre.sample import LreSample
from spear_deploy.search.lre.sampling import Made
from spear_deploy.training import Recipe

Json = dict[str, Any]


@dataclass(frozen=True)
class StoreKey:
    """All that samples depend on.

    Attributes:
        model: a hash of the dense model.
        data: the hash of the data set.
        encoding: how its samples become time steps.
        recipe: of every fine-tune.
        widths: that networks could be pruned to.
        seed: of ratios and fine-tunes.
        threads: of torch, which sums in another order with another number.
        device: which does so too.
        torch: its version.
        scheme: the version of what a sample is.

    """

    model: str
    data: str
    encoding: str
    recipe: Recipe
    widths: Widths
    seed: int
    threads: int
    torch: str
    device: str = "cpu"
    scheme: int = SCHEME

    @property
    def name(self) -> str:
        """Names the key's file."""
        return hashlib.sha256(_dumped(asdict(self)).encode()).hexdigest()[:24]


@dataclass(frozen=True)
class SampleStore:
    """The samples of one key, in a folder; `notice` is told what could not be read or written.

    Runs side by side may share the folder: a file is replaced as a whole, and never by a shorter one.
    """

    folder: Path
    key: StoreKey
    notice: Callable[[str], None] = field(default=lambda text: None)

    @property
    def path(self) -> Path:
        """The key's file."""
        return self.folder / f"lre-{self.key.name}.json"

    def load(self) -> list[Made]:
        """The samples in the order of their sequence; none where there is no file or it is damaged."""
        try:
            text = self.path.read_text()
        except FileNotFoundError:
            return []
        except (OSError, UnicodeDecodeError) as error:
            self.notice(f"{self.path}: cannot be read ({error}); LRE's samples are made anew")
            return []
        try:
            return _read(text, self.key)
        except (ValueError, KeyError, TypeError) as error:
            self.notice(f"{self.path}: damaged ({error}); LRE's samples are made anew")
            return []

    def save(self, made: Sequence[Made]) -> None:
        """Replace the file, unless it holds more already; a folder that cannot be written is told."""
        if len(SampleStore(self.folder, self.key).load()) >= len(made):
            return
        working: str | None = None
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            number, working = tempfile.mkstemp(".partial", f".{self.path.stem}-", self.folder)
            with os.fdopen(number, "w") as file:
                file.write(_written(made, self.key))
            os.replace(working, self.path)
        except OSError as error:
            self.notice(f"{self.folder}: LRE's samples cannot be kept ({error.strerror or error})")
        finally:
            if working is not None:
                with suppress(FileNotFoundError):
                    os.unlink(working)


def _written(made: Sequence[Made], key: StoreKey) -> str:
    lines = [_dumped(None if sample is None else _sample_json(sample)) for sample in made]
    body = ",\n".join(lines)
    return f'{{"key": {_dumped(asdict(key))},\n"sha256": "{_digest(body)}",\n"samples": [\n{body}\n]}}\n'


def _read(text: str, key: StoreKey) -> list[Made]:
    content = json.loads(text)
    if content["key"] != json.loads(_dumped(asdict(key))):
        raise ValueError("it is of another model, data set or recipe")
    body = text[text.index('"samples": [\n') + len('"samples": [\n') : text.rindex("\n]}")]
    if content["sha256"] != _digest(body):
        raise ValueError("its content does not have the hash that it names")
    return [None if each is None else _sample(each) for each in content["samples"]]


def _sample_json(sample: LreSample) -> Json:
    features = sample.features
    return {
        "keep_ratios": features.keep_ratios.tolist(),
        "pruned_synops": features.pruned_synops,
        "recalibrated_synops": features.recalibrated_synops,
        "synops": sample.synops,
        "accuracy": sample.accuracy,
        "pruned_by_layer": dict(features.pruned_by_layer),
        "recalibrated_by_layer": dict(features.recalibrated_by_layer),
        "synops_by_layer": dict(sample.synops_by_layer),
        "before": _activity_json(sample.before),
        "after": _activity_json(sample.after),
    }


def _sample(found: Json) -> LreSample:
    features = Features(
        keep_ratios=np.array(found["keep_ratios"], dtype=np.float64),
        recalibrated_synops=found["recalibrated_synops"],
        pruned_synops=found["pruned_synops"],
        recalibrated_by_layer=found["recalibrated_by_layer"],
        pruned_by_layer=found["pruned_by_layer"],
    )
    before, after = _activity(found["before"]), _activity(found["after"])
    return LreSample(features, found["synops"], found["accuracy"], before, after, found["synops_by_layer"])


def _activity_json(activity: Activity) -> Json:
    return {
        "inferences": activity.inferences,
        "time_steps": activity.time_steps,
        "analog_input": activity.analog_input,
        "updates": None if activity.updates is None else dict(activity.updates),
        "mean_synops": activity.mean_synops,
        "p99_synops": activity.p99_synops,
        "busiest_step_synops": activity.busiest_step_synops,
        "spikes": {name: _array_json(array, activity.inferences or 1) for name, array in activity.spikes.items()},
        "record": None if activity.record is None else _record_json(activity.record),
    }


def _activity(found: Json) -> Activity:
    spikes = {name: _array(each) for name, each in found["spikes"].items()}
    record = None if found["record"] is None else _record(found["record"])
    return Activity(**{**found, "spikes": spikes, "record": record})


def _record_json(record: SpikeRecord) -> Json:
    """Recorded spikes, their bits packed into text."""
    return {
        "time_steps": record.time_steps,
        "samples": record.samples,
        "shapes": {name: list(shape) for name, shape in record.shapes.items()},
        "bits": {
            name: {"shape": list(bits.shape), "zlib": base64.b85encode(zlib.compress(bits.tobytes())).decode()}
            for name, bits in record.bits.items()
        },
    }


def _record(found: Json) -> SpikeRecord:
    shapes = {name: tuple(shape) for name, shape in found["shapes"].items()}
    bits = {
        name: np.frombuffer(zlib.decompress(base64.b85decode(each["zlib"])), dtype=np.uint8).reshape(each["shape"])
        for name, each in found["bits"].items()
    }
    return SpikeRecord(bits, shapes, found["time_steps"], found["samples"])


def _array_json(array: NDArray[np.float64], inferences: int) -> Json:
    """Means over inferences as the whole numbers that they came from, where that gives them back exactly."""
    totals = np.rint(array * inferences)
    exact = bool((totals / inferences == array).all())
    values = totals.astype(np.int64) if exact else array
    return {"shape": list(array.shape), "over": inferences if exact else 1, "totals": values.ravel().tolist()}


def _array(found: Mapping[str, Any]) -> NDArray[np.float64]:
    means: NDArray[np.float64] = np.array(found["totals"], dtype=np.float64) / int(found["over"])
    return means.reshape(found["shape"])


def _dumped(value: object) -> str:
    return json.dumps(value, sort_keys=True, allow_nan=False, separators=(",", ":"))


def _digest(body: str) -> str:
    return hashlib.sha256(body.encode()).hexdigest()

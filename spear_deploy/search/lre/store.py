"""LRE's samples on disk: made once for a model and its data, read by every later run.

A folder for each key, a JSON file for each sample, written when it is made. Floats are written
with all their digits, so that samples read back are the ones that were made, bit for bit.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spear_deploy.hardware import Activity
from spear_deploy.measure import SpikeRecord
from spear_deploy.network.faults import READ_ERRORS, first_line
from spear_deploy.pruning import Widths
from spear_deploy.search.candidate import Features, Ratios
from spear_deploy.search.lre.drawing import SCHEME
from spear_deploy.search.lre.sample import LreSample
from spear_deploy.search.lre.sampling import Made
from spear_deploy.system.files import small_text, write_whole
from spear_deploy.system.journal import Recalled
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
        recalibrates: whether they were recalibrated before their fine-tune.
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
    recalibrates: bool = True
    scheme: int = SCHEME

    @property
    def name(self) -> str:
        """Names the key's folder."""
        return hashlib.sha256(_dumped(asdict(self)).encode()).hexdigest()[:24]


@dataclass(frozen=True)
class SampleStore:
    """The samples of one key, in a folder; `notice` is told what could not be read or written, `recalled` counts.

    A run asks for so many (`asked`; all by default), and takes more only where these are not enough.
    Runs side by side may share it: they make the same samples, and a file is replaced as a whole.
    """

    cache: Path
    key: StoreKey
    notice: Callable[[str], None] = field(default=lambda text: None)
    recalled: Recalled = field(default_factory=Recalled)
    asked: int | None = None
    faults: list[str] = field(default_factory=list, compare=False)

    @property
    def folder(self) -> Path:
        """The key's folder."""
        return self.cache / f"lre-{self.key.name}"

    def load(self, ratios: Sequence[Ratios]) -> dict[int, Made]:
        """What is kept of networks with these ratios, by number; files that are damaged are told and left out."""
        found: dict[int, Made] = {}
        faults: list[str] = []
        for number, expected in enumerate(ratios):
            path = self._path(number)
            try:
                found[number] = _read(small_text(path), self.key, number, expected)
            except FileNotFoundError:
                continue
            except (*READ_ERRORS, zlib.error) as error:
                faults.append(f"{path}: cannot be used ({first_line(error)})")
        if faults:
            more = f" and {len(faults) - 1} more" if len(faults) > 1 else ""
            self.notice(f"{faults[0]}{more}; LRE's samples are made anew there")
        if found:
            seconds = sum(made.seconds for made in found.values())
            self.recalled.steps += len(found)
            self.recalled.seconds += seconds
            asked = self.asked or len(ratios)
            beyond = sum(number >= asked for number in found)
            more = f" and {beyond} beyond them" if beyond else ""
            self.notice(
                f"{len(found) - beyond} of {asked} LRE samples{more} were made by an earlier run, in {seconds:,.0f} s"
                f" of work, and come from {self.folder}"
            )
        return found

    def save(self, number: int, made: Made) -> None:
        """Keep one sample; a folder that cannot be written is told once."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            write_whole(self._path(number), _written(made, self.key, number))
        except OSError as error:
            if not self.faults:
                self.notice(f"{self.folder}: LRE's samples cannot be kept ({error.strerror or error})")
            self.faults.append(first_line(error))

    def _path(self, number: int) -> Path:
        return self.folder / f"{number:05d}.json"


def _written(made: Made, key: StoreKey, number: int) -> str:
    body = _dumped(None if made.sample is None else _sample_json(made.sample))
    head = f'"key": {_dumped(asdict(key))},\n"number": {number},\n"seconds": {made.seconds!r},\n'
    return f'{{{head}"sha256": "{_digest(body)}",\n"sample": {body}}}\n'


def _read(text: str, key: StoreKey, number: int, ratios: Ratios) -> Made:
    """A sample, if it is the one that would be made now.

    Raises:
        ValueError: it is another one, or its figures contradict each other.

    """
    content = json.loads(text)
    if content["key"] != json.loads(_dumped(asdict(key))) or content["number"] != number:
        raise ValueError("it is of another model, data set or recipe")
    mark = '"sample": '
    if content["sha256"] != _digest(text[text.index(mark) + len(mark) : text.rindex("}")]):
        raise ValueError("its content does not have the hash that it names")
    if content["sample"] is None:
        return Made(None, float(content["seconds"]))
    sample = _sample(content["sample"])
    _check(sample, ratios)
    return Made(sample, float(content["seconds"]))


def _check(sample: LreSample, ratios: Ratios) -> None:
    """Whether a sample is of the network that its number stands for, and agrees with itself.

    Raises:
        ValueError: it does not.

    """
    features = sample.features
    if not np.array_equal(features.keep_ratios, ratios):
        raise ValueError("it is of another network")
    for total, layers in (
        (sample.synops, sample.synops_by_layer),
        (features.pruned_synops, features.pruned_by_layer),
        (features.recalibrated_synops, features.recalibrated_by_layer),
    ):
        if total is None or not (0 < total < np.inf and np.isclose(total, sum(layers.values()), rtol=1e-9)):
            raise ValueError("its layers do not add up to its SynOps")
    if not -np.inf < sample.accuracy <= 1:  # R2 of a regression may be below 0
        raise ValueError("its accuracy is none")


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
        "mean_analog_operations": activity.mean_analog_operations,
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
        name: np.frombuffer(_inflated(each["zlib"], math.prod(each["shape"])), dtype=np.uint8).reshape(each["shape"])
        for name, each in found["bits"].items()
    }
    return SpikeRecord(bits, shapes, found["time_steps"], found["samples"])


def _inflated(text: str, size: int) -> bytes:
    """Bytes out of their compressed form, and no more than there should be."""
    return zlib.decompressobj().decompress(base64.b85decode(text), size + 1)


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

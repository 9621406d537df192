"""How fast onnxruntime runs an exported network, against our own simulation in torch.

    python benchmarks/onnx_against_torch.py [MODEL]

Both run the same samples in batches of 100, in one process on one thread, in turns, so that whatever
else the machine does meets both. The samples are those of the model's data, 1,000 of them.
"""

import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np
import torch

from spear_deploy.data import encode, load_data
from spear_deploy.exporters.onnx import Form, OnnxExporter
from spear_deploy.exporters.onnx.session import open_file, run_steps, run_whole
from spear_deploy.network import Encoding, Simulation
from spear_deploy.network.load import load_any

SAMPLES = 1000
BATCH = 100
ROUNDS = 9


def spikes(outputs):
    """Spikes of each layer in all batches."""
    return {name: sum(int((each[name] != 0).sum()) for each in outputs) for name in outputs[0]}


def main() -> None:
    path = Path(sys.argv[1] if len(sys.argv) > 1 else "examples/digits.pt")
    torch.set_num_threads(1)
    model = load_any(path)
    inputs = encode(load_data(model.data or "digits").train.first(SAMPLES), model.encoding, model.time_steps).inputs
    once = inputs[0] if model.encoding == Encoding.DIRECT else inputs
    simulation = Simulation(model.graph, torch.float32).eval()

    batches = [slice(start, start + BATCH) for start in range(0, SAMPLES, BATCH)]
    axis = once.ndim - len(model.network.input_shape) - 1

    def run_torch():
        with torch.no_grad():
            return [simulation(inputs[:, batch]).outputs for batch in batches]

    def run_torch_at_once():
        with torch.no_grad():
            return [simulation(inputs).outputs]

    def of_once(batch):
        return (once[batch] if axis == 0 else once[:, batch]).numpy()

    runs = {"torch": run_torch, "torch at once": run_torch_at_once}
    with tempfile.TemporaryDirectory() as folder:
        for form in Form:
            file = Path(folder) / f"{form}.onnx"
            OnnxExporter(form=form).write(model, file)
            session = open_file(file)
            if form is Form.STEP:
                runs[f"onnx {form}"] = lambda session=session: [
                    run_steps(session, inputs[:, b].numpy()) for b in batches
                ]
            else:
                runs[f"onnx {form}"] = lambda session=session: [run_whole(session, of_once(b)) for b in batches]
    expected = spikes(run_torch())
    seconds = {name: [] for name in runs}
    for _ in range(ROUNDS):
        for name, run in runs.items():
            start = time.perf_counter()
            outputs = run()
            seconds[name].append(time.perf_counter() - start)
            assert spikes(outputs) == expected
    print(
        f"{path}: {inputs.shape[1]} samples, T = {model.time_steps}, {sum(expected.values()):,} spikes, {ROUNDS} rounds"
    )
    for name, taken in seconds.items():
        ratio = np.array(seconds["torch"]) / np.array(taken)
        spread = f"({ratio.min():.2f} to {ratio.max():.2f})"
        print(f"{name:<14} {median(taken) * 1e3:8.1f} ms   {np.median(ratio):5.2f} x torch {spread}")


if __name__ == "__main__":
    main()

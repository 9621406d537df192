"""A report with every part, and a run folder around it."""

import json

from spear_deploy.report import SCHEMA_VERSION, Report

LAYERS = ("lif1", "lif2")


def rows(spikes, synops):
    return [
        {"layer": layer, "neurons": neurons, "spikes": fired, "synops": operations}
        for layer, neurons, fired, operations in zip(LAYERS, (8, 4), spikes, synops, strict=True)
    ]


def network(accuracy, synops, parameters):
    return {
        "accuracy": accuracy,
        "synops": synops,
        "synops_analog": 5.0,
        "effective_acs": synops,
        "effective_macs": 5.0,
        "parameters": parameters,
        "per_layer": rows((6.0, 2.0), (0.0, synops)),
    }


def measured(synops, arithmetic="float64"):
    return {
        "arithmetic": arithmetic,
        "samples": 100,
        "synops": synops,
        "synops_analog": 5.0,
        "accuracy": 0.91,
        "per_layer": rows((3.0, 2.0), (0.0, synops)),
    }


def held(arithmetic, synops, factor):
    predicted, low, high = 32.0 * factor, 28.0 * factor, 36.0 * factor
    return {
        "arithmetic": arithmetic,
        "samples": 100,
        "synops": synops,
        "predicted": predicted,
        "low": low,
        "high": high,
        "covered": low <= synops <= high,
        "error_percent": 100 * (predicted - synops) / synops,
    }


def evaluation(ratio, accuracy, predicted, penalty=0.0):
    return {
        "keep_ratios": [ratio],
        "accuracy": accuracy,
        "predicted": predicted,
        "low": 0.9 * predicted,
        "high": 1.2 * predicted,
        "reward": accuracy - penalty,
        "penalties": {"synops": penalty} if penalty else {},
        "keeps_limits": not penalty,
    }


def answers(reference, accuracy):
    drop = 100 * (accuracy - 0.91)
    return {
        "reference": reference,
        "samples": 100,
        "accuracy": 0.91,
        "reference_accuracy": accuracy,
        "most_by_guessing": 0.18,
        "drop_points": drop,
        "drop_low": drop - 4,
        "drop_high": drop + 4,
    }


def energy(factor):
    spread = {"low": 1.0 * factor, "typical": 2.0 * factor, "high": 4.0 * factor}
    part = {"figures": ["energy.synaptic_operation"], "count": 30.0, "at_least": False}
    return {
        "steps": 5,
        "energy_pj": None,
        "priced_pj": spread,
        "unpriced": ["spikes"],
        "energy_status": "unknown",
        "energy_at_least": False,
        "parts": [
            part | {"name": "synapses", "energy_pj": spread, "status": "estimated"},
            part | {"name": "hops", "energy_pj": {"low": 0, "typical": 0, "high": 0}, "status": "published"},
            part | {"name": "spikes", "energy_pj": None, "status": "unknown"},
        ],
        "synops_share": None,
        "time_ns": {"low": 10.0, "typical": 12.0, "high": 20.0},
        "time_status": "derived",
    }


def full_content():
    evaluations = [evaluation(0.5, 0.8, 30.0), evaluation(0.75, 0.9, 34.0), evaluation(1.0, 0.95, 60.0, penalty=1.5)]
    return {
        "schema_version": SCHEMA_VERSION,
        "model": "nets/model.pt",
        "model_sha256": "ab" * 32,
        "data": "digits",
        "data_sha256": "cd" * 32,
        "target": "loihi2",
        "seed": 0,
        "threads": 1,
        "time_steps": 4,
        "encoding": "direct",
        "splits": {"test": {"samples": 100, "source": "digits", "index": "0-99"}},
        "budget": {
            "synops": 35.0,
            "source": "50%",
            "split": "validation",
            "arithmetic": "loihi, 8-bit weights",
            "limits": [
                {
                    "name": "SynOps per inference",
                    "unit": "SynOps",
                    "allowed": 35.0,
                    "dense": 70.0,
                    "pruned": 29.0,
                    "origin": "budget 50%",
                    "binds": True,
                }
            ],
            "unchecked": ["input axons per core"],
        },
        "dense": network(0.95, 70.25, 99),
        "pruned": network(0.91, 30.0, 60) | {"keep_ratios": {"lif1": 0.75, "lif2": 1.0}},
        "lre": {
            "estimator": "ridge",
            "predicted": 32.0,
            "low": 28.0,
            "high": 36.0,
            "samples": 24,
            "target_factor": 0.95,
            "linear": {"slope": 1.2, "intercept": 3.0, "r2": 0.8, "predicted": 30.5},
            "check": {
                "torch": held("float64", 33.0, 1.0),
                "chip": held("loihi, 8-bit weights", 31.0, 0.95),
                "lava": held("float64", 33.0, 1.0),
                "lava-fixed": held("loihi, 8-bit weights", 31.0, 0.95),
            },
            "delivered": {
                "predicted": 32.0,
                "low": 28.0,
                "high": 36.0,
                "constant": 30.0,
                "check": {"torch": held("float64", 30.0, 1.0), "chip": held("loihi, 8-bit weights", 29.0, 0.95)},
            },
        },
        "measured": {
            "torch": measured(30.0),
            "chip": measured(29.0, "loihi, 8-bit weights"),
            "lava": measured(30.0),
            "lava-fixed": measured(29.0, "loihi, 8-bit weights"),
        },
        "agreement": {
            "torch_lava": {"samples": 100, "layers": list(LAYERS), "equal": True},
            "chip_lava-fixed": {"samples": 100, "layers": list(LAYERS), "equal": True},
        },
        "verdict": {
            "basis": "chip",
            "within_budget": True,
            "covered": True,
            "prediction_error_percent": 100 * (0.95 * 32 - 31) / 31,
            "ok": True,
            "limits_kept": True,
            "backends_agree": True,
            "works": True,
        },
        "answers": answers("dense network, same fine-tune", 0.96),
        "answers_to_given": answers("dense network", 0.95),
        "repairs": 0,
        "evaluations": 3,
        "seconds": {"load": 0.1},
        "versions": {"torch": "2.13.0"},
        "command": ["spear-deploy", "--target", "loihi2", "my model.pt"],
        "search": {"groups": ["lif1"], "budget_synops": 36.8, "history": evaluations},
        "finalists": [
            {
                "keep_ratios": [ratio],
                "predicted": 32.0,
                "low": 28.0,
                "high": 36.0,
                "plain_accuracy": accuracy - 0.01,
                "plain_synops": synops + 3,
                "finished": True,
                "accuracy": accuracy,
                "synops": synops,
                "synops_bound": synops + 1,
                "chosen": ratio == 0.75,
            }
            for ratio, accuracy, synops in ((0.5, 0.88, 25.0), (0.75, 0.92, 30.0))
        ],
        "spikes": {
            "split": "test",
            "rates": [
                {"layer": layer, "silent": 1, "mean": 0.2, "bins": [neurons - 1, 1] + [0] * 18}
                for layer, neurons in zip(LAYERS, (8, 4), strict=True)
            ],
            "sample": 0,
            "raster": [
                {"layer": "lif1", "neurons": 8, "shown": [0, 4, 7], "fired": [[], [0, 7], [4], [0]]},
                {"layer": "lif2", "neurons": 4, "shown": [0, 1, 2, 3], "fired": [[], [], [2], [2, 3]]},
            ],
        },
        "placement": {
            "cores": 2,
            "cores_available": 120.0,
            "chips": 1,
            "verdict": "fits the known limits",
            "mesh": {"columns": 3, "rows": 2, "cores_per_router": 4},
            "per_layer": [
                {
                    "layer": layer,
                    "cores": 1,
                    "neurons": 8,
                    "binding": "neurons per core",
                    "share": 0.1,
                    "mean_share": 0.1,
                }
                for layer in LAYERS
            ],
            "core_table": [
                {
                    "core": number,
                    "layer": layer,
                    "neurons": 8,
                    "column": 0,
                    "row": number,
                    "binding": "neurons per core",
                    "share": 0.1 + number / 10,
                }
                for number, layer in enumerate(LAYERS)
            ],
            "cores_left_out": 0,
        },
        "cost": {"dense": energy(2.0), "pruned": energy(1.0)},
        "rounding": [
            {
                "layer": layer,
                "source": "input",
                "scale": 120.5,
                "exponent": -1,
                "weight_bits": 8,
                "worst_error": 0.01,
                "mean_error": 0.002,
                "weights": 90,
                "clipped": 0,
                "vanished": 2,
            }
            for layer in LAYERS
        ],
        "peak_memory_mib": 500.0,
    }


def full_report():
    return Report.model_validate(full_content())


def write_run_folder(folder, report):
    """A run folder whose networks are stand-ins: the page names their hashes, nothing reads them."""
    (folder / "report.json").write_text(report.model_dump_json(indent=2))
    for name in ("pruned.pt", "pruned.nir"):
        (folder / name).write_bytes(name.encode())
    (folder / "export.json").write_text(json.dumps({"spear_deploy": "0.1.0", "exports": []}))

# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes data/*.npz and data/cases.json: what published packages compute, for golden_test.cpp to compare with.

Not needed to build or test. To make the files again:

    python -m venv venv && venv/bin/pip install -r requirements.txt && venv/bin/python generate.py

makes all that one environment can; for the others name the module, in the environment that README.md says:

    venv-transfo-xl/bin/python generate.py transformer_xl

Cases of modules that are not made stay as they are in cases.json. The packages' projections are replaced by modules
that return our Q, K and V, so that what runs is the operator alone. Everything is float32 on the CPU, as the packages
are used. Nothing of the packages' code is in these files.
"""

import importlib
import json
import sys

import torch

from recorder import DATA, cases

MAIN = [
    "full",
    "sparse",
    "blockwise",
    "linear",
    "linformer",
    "longformer",
    "reformer",
    "bigbird",
    "image",
    "memory_compressed",
    "compressive",
    "labml",
    "axial",
    "routing",
    "sinkhorn",
    "performer",
    "dalle",
    "set",
]


def main(modules):
    DATA.mkdir(exist_ok=True)
    torch.set_num_threads(1)
    for name in modules:
        module = importlib.import_module(f"packages.{name}")
        for make in [value for key, value in vars(module).items() if key.endswith("_cases")]:
            make()
    listed = DATA / "cases.json"
    made = {one["name"]: one for one in cases}
    kept = json.loads(listed.read_text()) if listed.exists() else []
    merged = [made.pop(one["name"], one) for one in kept] + list(made.values())
    listed.write_text(json.dumps(merged, indent=1) + "\n")
    print(f"{len(cases)} cases made, {len(merged)} in all")


if __name__ == "__main__":
    main(sys.argv[1:] or MAIN)

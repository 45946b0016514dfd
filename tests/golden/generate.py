# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes data/*.npz and data/cases.json: what published packages compute, for golden_test.cpp to compare with.

Not needed to build or test. To make the files again:

    python -m venv venv && venv/bin/pip install -r requirements.txt && venv/bin/python generate.py

The packages' projections are replaced by modules that return our Q, K and V, so that what runs is the operator alone.
Everything is float32 on the CPU, as the packages are used. Nothing of the packages' code is in
these files.
"""

import json

import torch

from packages import bigbird, full, image, linear, linformer, longformer, reformer
from recorder import DATA, cases


def main():
    DATA.mkdir(exist_ok=True)
    torch.set_num_threads(1)
    for make in (
        full.full_cases,
        linear.linear_cases,
        linformer.linformer_cases,
        longformer.longformer_cases,
        reformer.reformer_transformers_cases,
        reformer.reformer_pytorch_cases,
        bigbird.bigbird_cases,
        image.image_cases,
    ):
        make()
    (DATA / "cases.json").write_text(json.dumps(cases, indent=1) + "\n")
    print(f"{len(cases)} cases")


if __name__ == "__main__":
    main()

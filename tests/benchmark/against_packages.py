#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Times mechanisms against published packages on the CPU, alternately, and prints ratios.

    pip install -r tests/golden/requirements.txt
    tests/benchmark/against_packages.py build/release/bin/attnscope [--threads 1] [--only linformer etc]

No projections are timed on either side: package_operators.py says how. Both sides decide (hash, sort, choose tables,
balance) and attend; ours is the pass plus its planning. One head, d = 64, float32, no gradients, both warmed up, normal
random data on both sides. A ratio above 1 means that Attnscope is faster.
"""

import argparse
import json
import os
import statistics
import subprocess
import time

import torch

from package_operators import OPERATORS


def ours(program, spec, n, threads):
    text = subprocess.run(
        [program, "bench", spec, "--lengths", str(n), "--recipe", "gaussian", "--seconds", "0.2"]
        + ["--threads", str(threads), "--json", "-"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    point = json.loads(text)["curves"][0]["points"][0]
    return point["seconds"], point["plan_seconds"]


def theirs(operator):
    start = time.perf_counter()
    with torch.no_grad():
        operator()
    return time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("program")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--lengths", type=int, nargs="+", default=[512, 4096])
    parser.add_argument(
        "--only", nargs="+", default=[], help="packages and mechanisms, by a part of their name"
    )
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    print(f"torch {torch.__version__}, {arguments.threads} thread(s), median of {arguments.repeats}")
    for n in arguments.lengths:
        torch.manual_seed(n)
        rows = [torch.randn(1, n, 64) for _ in range(3)]
        for name, make in OPERATORS.items():
            if arguments.only and not any(word in name.lower() for word in arguments.only):
                continue
            try:
                spec, operator = make(*rows)
            except ImportError as error:
                print(f"{name}: not installed ({error})")
                continue
            theirs(operator)
            rounds = [
                (*ours(arguments.program, spec, n, arguments.threads), theirs(operator))
                for _ in range(arguments.repeats)
            ]
            ran, planned, peer = (statistics.median(side) for side in zip(*rounds))
            print(
                f"n={n:5d}  {spec:60s} {1e3 * ran:8.2f} ms + {1e3 * planned:7.2f} ms planning   {name:31s} "
                f"{1e3 * peer:8.2f} ms   ratio {peer / (ran + planned):6.2f}",
                flush=True,
            )


if __name__ == "__main__":
    main()

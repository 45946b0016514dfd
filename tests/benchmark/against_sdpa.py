#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Times full attention against PyTorch's scaled_dot_product_attention on the CPU, alternately, and prints ratios.

    pip install torch numpy
    tests/benchmark/against_sdpa.py build/release/bin/attnscope [--threads 1]

Both sides get the same random data, one head, float32. The program's own clock is used for its side (the pass, without
planning, which is printed apart) and perf_counter for PyTorch's. A ratio above 1 means that Attnscope is faster.
"""
import argparse
import os
import re
import statistics
import subprocess
import tempfile
import time

import numpy as np
import torch

UNITS = {"ns": 1e-9, "µs": 1e-6, "ms": 1e-3, "s": 1.0}


def ours(program, path, causal, threads):
    spec = "full:causal=on" if causal else "full"
    text = subprocess.run([program, "compute", spec, "--input", path, "--threads", str(threads)],
                          capture_output=True, text=True, check=True).stdout
    value, unit = re.search(r"time\s+([\d.]+) (\S+?),", text).groups()
    return float(value) * UNITS[unit]


def theirs(q, k, v, causal):
    start = time.perf_counter()
    torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=causal)
    return time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--lengths", type=int, nargs="+", default=[512, 4096])
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    print(f"torch {torch.__version__}, {arguments.threads} thread(s), median of {arguments.repeats}")
    for n in arguments.lengths:
        for d in (32, 64, 128):
            rng = np.random.default_rng(n + d)
            arrays = {name: rng.standard_normal((1, n, d), dtype=np.float32) for name in "qkv"}
            q, k, v = (torch.from_numpy(arrays[name])[None] for name in "qkv")
            with tempfile.TemporaryDirectory() as folder:
                path = os.path.join(folder, "input.npz")
                np.savez(path, **arrays)
                for causal in (False, True):
                    theirs(q, k, v, causal)
                    pairs = [(ours(arguments.program, path, causal, arguments.threads), theirs(q, k, v, causal))
                             for _ in range(arguments.repeats)]
                    a, b = (statistics.median(side) for side in zip(*pairs))
                    print(f"n={n:5d} d={d:3d} {'causal' if causal else '      '}  attnscope {1e3 * a:7.2f} ms  "
                          f"torch {1e3 * b:7.2f} ms  ratio {b / a:.2f}")


if __name__ == "__main__":
    main()

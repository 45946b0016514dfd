#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Times mechanisms against published packages on the CPU, alternately, and prints ratios.

    pip install -r tests/golden/requirements.txt
    tests/benchmark/against_packages.py build/release/bin/attnscope [--threads 1]

Only packages whose operator takes queries, keys and values directly: no projections are timed on either side. Both
sides decide (hash, sort, choose tables, balance) and attend; ours is the pass plus its planning. One head, d = 64,
float32, no gradients, both warmed up, normal random data on both sides. A ratio above 1 means that Attnscope is faster.
"""
import argparse
import json
import math
import os
import statistics
import subprocess
import time

import torch


def peers(n, d):
    """Name, our SPEC and the package's operator on (1, n, d) tensors; None where the package is not there."""
    root = math.ceil(math.sqrt(n))
    power = 1 << round(math.log2(root))

    def performer():
        from performer_pytorch.performer_pytorch import FastAttention

        module = FastAttention(d, nb_features=256).eval()
        return "performer:features=256", lambda q, k, v: module(q[None], k[None], v[None])

    def linear():
        from fast_transformers.attention import LinearAttention
        from fast_transformers.masking import FullMask, LengthMask

        module = LinearAttention(d).eval()
        full, lengths = FullMask(n, n), LengthMask(torch.full((1,), n))
        return "linear", lambda q, k, v: module(*(x[:, :, None] for x in (q, k, v)), full, lengths, lengths)

    def reformer():
        from reformer_pytorch.reformer_pytorch import LSHAttention

        module = LSHAttention(bucket_size=power, n_hashes=2, attend_across_buckets=False).eval()
        return f"reformer:chunk={power},rounds=2", lambda q, k, v: module(q, v)

    def image():
        from local_attention import LocalAttention

        module = LocalAttention(power, causal=True, look_backward=1, use_rotary_pos_emb=False).eval()
        return f"image:query_block={power},memory={power}", module

    def sinkhorn():
        from sinkhorn_transformer.sinkhorn_transformer import SinkhornAttention

        module = SinkhornAttention(power, d, d, 1, n, temperature=0.75, non_permutative=False, sinkhorn_iter=7).eval()
        return f"sinkhorn:block={power},iterations=7", lambda q, k, v: module(q[None], k[None], v[None])

    def routing():
        from routing_transformer.routing_transformer import KmeansAttention

        module = KmeansAttention(n // power, power, 1, d, context_window_size=power, receives_context=True).eval()
        spec = f"routing:clusters={n // power},window={power},init=random"
        return spec, lambda q, k, v: module(q[None], k[None], v[None], update_kmeans=False)

    for name, make in (("performer-pytorch", performer), ("pytorch-fast-transformers", linear),
                       ("reformer-pytorch", reformer), ("local-attention", image),
                       ("sinkhorn-transformer", sinkhorn), ("routing-transformer", routing)):
        try:
            yield (name, *make())
        except ImportError as error:
            print(f"{name}: not installed ({error})")


def ours(program, spec, n, threads):
    text = subprocess.run([program, "bench", spec, "--lengths", str(n), "--recipe", "gaussian", "--seconds", "0.2",
                           "--threads", str(threads), "--json", "-"], capture_output=True, text=True, check=True).stdout
    point = json.loads(text)["curves"][0]["points"][0]
    return point["seconds"], point["plan_seconds"]


def theirs(operator, arrays):
    start = time.perf_counter()
    with torch.no_grad():
        operator(*arrays)
    return time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--lengths", type=int, nargs="+", default=[512, 4096])
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    print(f"torch {torch.__version__}, {arguments.threads} thread(s), median of {arguments.repeats}")
    for n in arguments.lengths:
        torch.manual_seed(n)
        tensors = [torch.randn(1, n, 64) for _ in range(3)]
        for name, spec, operator in peers(n, 64):
            theirs(operator, tensors)
            rounds = [(*ours(arguments.program, spec, n, arguments.threads), theirs(operator, tensors))
                      for _ in range(arguments.repeats)]
            ran, planned, peer = (statistics.median(side) for side in zip(*rounds))
            print(f"n={n:5d}  {spec:40s} {1e3 * ran:8.2f} ms + {1e3 * planned:7.2f} ms planning   {name:26s} "
                  f"{1e3 * peer:8.2f} ms   ratio {peer / (ran + planned):6.2f}")


if __name__ == "__main__":
    main()

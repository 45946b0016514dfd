#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Executes the mask_mod that `attnscope rule --mask-mod` writes in PyTorch and compares it with the program's pattern.

    pip install torch numpy
    tests/benchmark/mask_mod_against_torch.py build/release/bin/attnscope

For each rule the function is evaluated on index tensors that broadcast, and by torch's own
flex_attention.create_mask, which vectorises it with vmap, and every pair of every head has to agree. Exit status 1 if
one does not.
"""
import argparse
import subprocess
import sys
import tempfile

import numpy as np
import torch
from torch.nn.attention.flex_attention import create_block_mask, create_mask

SQUARE = "clustered:n=203,d=8,heads=3"
WIDE = "gaussian:n=70,nk=130,d=8,heads=2"
TALL = "gaussian:n=130,nk=70,d=8,heads=2"
RULES = [
    ("abs(q - k) <= w", SQUARE),
    ("k <= q && q - k < w || k % s == 0", SQUARE),
    ("local: abs(q - k) <= w; global: q < g or k < g", SQUARE),
    ("sink: k < g and k <= q; local: k <= q and q - k < w", SQUARE),
    ("not (q - k) % s == 0 and qb == kb", SQUARE),
    ("!(q < k) or q // block == k // block - 1", SQUARE),
    ("mod(k - q, 64) < 10 and (k - q) // 7 >= -2", SQUARE),
    ("(q - k) mod -s == -2", SQUARE),
    ("abs(q - k) <= w * (h + 1)", SQUARE),
    ("h % 2 == 0 and q >= k or h % 2 == 1 and q <= k", SQUARE),
    ("abs(q - k) / 3 <= 1.7", SQUARE),
    ("0.1 * q + k / 7 < 12.3 or q / 3 == k", SQUARE),
    ("floor(q / 3) == floor(k / 3) or floor((q - k) / 2.5) == -4", SQUARE),
    ("min(q, k, 100) * 2 > max(q, k) - h", SQUARE),
    ("max(q - k, 0) < min(w / 3, q, k)", SQUARE),
    ("(q < 100) == (k < 100)", SQUARE),
    ("(q < 100) + (k < 100) + (q == k) >= 2", SQUARE),
    ("q % 2 and not k % 3", SQUARE),
    ("-q + -(k) >= -60 or -(q < 3) == -1", SQUARE),
    ("q - (k - 3) - (q - (2 - k)) > -150", SQUARE),
    ("q * (k + 1) < n * n / 4 and w < 100 or 1 == 2", SQUARE),
    ("1 < 2", SQUARE),
    ("w > n", SQUARE),
    ("none: w > n; some: k == q", SQUARE),
    ("max(abs(qx - kx), abs(qy - ky)) <= 2", "clustered:n=204,d=8,heads=1"),
    ("(qx - kx) * (qx - kx) + (qy - ky) * (qy - ky) <= 9", "clustered:n=204,d=8,heads=1"),
    ("row: qy == ky; column: qx == kx", "clustered:n=204,d=8,heads=1"),
    ("qs == ks or ks == 0", "TEXT"),
    ("k <= q + nk - nq and k // max(q // 30, 1) < 20", WIDE),
    ("k * nq <= q * nk", TALL),
]
TEXT = "One sentence stands here. Another one follows it, and it is longer. Is this the third? It is not the last."


def pairs_of(program, spec, source, causal, folder):
    path = f"{folder}/r.npz"
    subprocess.run([program, "compute", spec, "--input", source, *causal, "--pattern", "--output", path], check=True,
                   capture_output=True)
    arrays = np.load(path)
    heads, n_q = arrays["lse"].shape
    subprocess.run([program, "convert", source, f"{folder}/i.npz"], check=True)
    n_k = np.load(f"{folder}/i.npz")["k"].shape[1]
    mask = np.zeros((heads, n_q, n_k), dtype=bool)
    for head in range(heads):
        name = f"pattern/{head}" if f"pattern/{head}/indptr" in arrays else "pattern/0"
        begin, keys = arrays[f"{name}/indptr"], arrays[f"{name}/indices"]
        for query in range(n_q):
            mask[head, query, keys[begin[query]:begin[query + 1]]] = True
    return mask


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    program = parser.parse_args().program
    failures = 0
    with tempfile.TemporaryDirectory() as folder:
        with open(f"{folder}/t.txt", "w", encoding="utf-8") as file:
            file.write(TEXT)
        for rule, source in RULES:
            source = f"{folder}/t.txt" if source == "TEXT" else source
            spec = f'custom:rule="{rule}",w=12,s=5,g=3,block=16'
            for causal in ([], ["--causal"]):
                python = subprocess.run([program, "rule", spec, "--input", source, *causal, "--mask-mod", "-"],
                                        check=True, capture_output=True, text=True).stdout
                scope = {}
                exec(python, scope)  # our own output
                mask_mod = scope["mask_mod"]
                ours = torch.from_numpy(pairs_of(program, spec, source, causal, folder))
                heads, n_q, n_k = ours.shape
                index = [torch.arange(size).view(shape) for size, shape in
                         ((heads, (-1, 1, 1)), (n_q, (1, -1, 1)), (n_k, (1, 1, -1)))]
                direct = mask_mod(torch.tensor(0), *index)
                assert direct.dtype == torch.bool, python
                mapped = create_mask(mask_mod, 1, heads, n_q, n_k, device="cpu")[0]
                create_block_mask(mask_mod, 1, heads, n_q, n_k, device="cpu")
                same = bool((direct.expand_as(ours) == ours).all() and (mapped == ours).all())
                failures += not same
                print(f"{'same' if same else 'DIFFERENT':<9} {int(ours.sum()):>7} pairs  {rule}{' causal' if causal else ''}")
                if not same:
                    print(python)
    print(f"torch {torch.__version__}: {failures} of {2 * len(RULES)} differ")
    sys.exit(failures > 0)


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: GPL-3.0-or-later
"""Linformer: lucidrains' linformer."""

import math

import torch
from torch import nn

from recorder import Given, heads_last, heads_first, draw, largest_logit, add


def linformer_cases():
    from linformer import LinformerSelfAttention

    def case(name, seed, n_q, n, k_dim, seq_len, heads=2, d=8, differs=()):
        torch.manual_seed(seed)
        module = LinformerSelfAttention(dim=heads * d, seq_len=seq_len, k=k_dim, heads=heads).eval()
        q, k, v = draw(seed, (heads, n_q, d), (heads, n, d), (heads, n, d))
        module.to_q, module.to_k, module.to_out = Given(heads_last(q)), Given(heads_last(k)), nn.Identity()
        hidden = torch.zeros(1, n, heads * d)

        def operator(values):
            module.to_v = Given(heads_last(values))
            return heads_first(module(torch.zeros(1, n_q, heads * d), context=hidden), heads)

        proj_k, proj_v = module.proj_k.detach().T, module.proj_v.detach().T
        summaries = torch.einsum("an,hnd->had", proj_k[:, :n], k)
        add(
            name,
            f"linformer:k={k_dim}",
            "linformer",
            seed,
            q,
            k,
            v,
            operator,
            logit=largest_logit(q, summaries, 1 / math.sqrt(d)),
            weights=True,
            tensors={"proj_k": proj_k, "proj_v": proj_v},
            injected=[
                "proj_k and proj_v as its constructor draws them, transposed; one pair serves all heads"
            ],
            switched_off=["to_q, to_k, to_v return our rows, to_out is the identity"],
            deviations=(
                ["none on the operator"]
                if n == seq_len
                else [
                    "Fewer keys than seq_len: it uses the first rows of its projections, we the first columns of ours."
                ]
            ),
            differs=[f"linformer:k={k_dim},scale=0.2", "full", *differs],
        )

    case("linformer_plain", 31, 32, 32, 6, 32)
    case("linformer_short", 32, 20, 27, 7, 40)

# SPDX-License-Identifier: GPL-3.0-or-later
"""Blockwise: local-attention without neighbours, on keys whose blocks were shifted."""

import math

import torch

from recorder import draw, largest_logit, add


def blockwise_cases():
    from local_attention import LocalAttention

    def case(name, seed, n, blocks, split, differs, causal=False, d=8):
        size = n // blocks
        shifts = [t for t, count in enumerate(split) for _ in range(count)]
        module = LocalAttention(
            size, causal=causal, look_backward=0, look_forward=0, use_rotary_pos_emb=False
        ).eval()
        q, k, v = draw(seed, *[(len(shifts), n, d)] * 3)

        def shifted(x):  # block b of head h is what was block b + shift
            return torch.stack([rows.roll(-t * size, dims=0) for rows, t in zip(x, shifts)])

        spec = f"blockwise:blocks={blocks},split={'+'.join(map(str, split))}" + (
            ",causal=on" if causal else ""
        )
        add(
            name,
            spec,
            "local-attention",
            seed,
            q,
            k,
            v,
            lambda values: module(q[None], shifted(k)[None], shifted(values)[None])[0],
            logit=largest_logit(q, k, 1 / math.sqrt(d)),
            weights=True,
            switched_off=["rotary position embedding, dropout, the blocks before and after"],
            deviations=(
                [
                    "It has no permutation of the blocks: those of keys and values are shifted before they go in."
                ]
                if any(shifts)
                else []
            ),
            differs=[spec.replace(*one) for one in differs],
        )

    case(
        "blockwise_shifts",
        111,
        40,
        5,
        [1, 0, 1, 1],
        [("split=1+0+1+1", "split=1+1+0+1"), ("blocks=5", "blocks=4")],
    )
    case(
        "blockwise_own", 112, 36, 4, [2], [("causal=on", "causal=off"), ("blocks=4", "blocks=3")], causal=True
    )

# SPDX-License-Identifier: GPL-3.0-or-later
"""Image: local-attention."""

import math

import torch

from recorder import draw, largest_logit, add


def image_cases():
    from local_attention import LocalAttention

    def case(name, spec, seed, n, window, causal, back, differs, heads=2, d=8):
        module = LocalAttention(
            window, causal=causal, look_backward=back, autopad=True, use_rotary_pos_emb=False
        ).eval()
        q, k, v = draw(seed, *[(heads, n, d)] * 3)
        mask = torch.ones(1, n, dtype=torch.bool)
        add(
            name,
            spec,
            "local-attention",
            seed,
            q,
            k,
            v,
            lambda values: module(q[None], k[None], values[None], mask=mask)[0],
            logit=largest_logit(q, k, 1 / math.sqrt(d)),
            weights=True,
            switched_off=["rotary position embedding, dropout"],
            deviations=(
                [
                    f"n = {n} is padded to a multiple of the window of {window} (autopad); padding is masked and cut off."
                ]
                if n % window
                else []
            ),
            differs=differs,
        )

    case(
        "image_causal",
        "image:query_block=8,memory=8,causal=on",
        81,
        37,
        8,
        True,
        1,
        [
            "image:query_block=8,memory=7,causal=on",
            "image:query_block=8,memory=8,causal=off",
            "image:query_block=7,memory=8,causal=on",
        ],
    )
    case(
        "image_long_memory",
        "image:query_block=6,memory=12,causal=on",
        82,
        40,
        6,
        True,
        2,
        ["image:query_block=6,memory=6,causal=on"],
    )
    case(
        "image_two_way",
        "image:query_block=8,memory=8,causal=off",
        83,
        37,
        8,
        False,
        1,
        ["image:query_block=8,memory=8,causal=on"],
    )

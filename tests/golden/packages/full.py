# SPDX-License-Identifier: GPL-3.0-or-later
"""Full: torch.nn.functional.scaled_dot_product_attention."""

import math

import torch

from recorder import draw, largest_logit, add


def full_cases():
    sdpa = torch.nn.functional.scaled_dot_product_attention

    def case(
        name,
        spec,
        seed,
        heads,
        kv_heads,
        n_q,
        n_k,
        d,
        d_v,
        *,
        size=1.0,
        scale=None,
        deviations=(),
        differs=(),
        weights=False,
        **options,
    ):
        q, k, v = draw(seed, (heads, n_q, d), (kv_heads, n_k, d), (kv_heads, n_k, d_v))
        q = size * q
        logit = largest_logit(q, k, scale or 1 / math.sqrt(d))
        add(
            name,
            spec,
            "torch",
            seed,
            q,
            k,
            v,
            lambda values: sdpa(q[None], k[None], values[None], scale=scale, **options)[0],
            logit=logit,
            deviations=deviations,
            differs=differs,
            weights=weights,
        )

    def mask(n_q, n_k):
        return torch.ones(n_q, n_k, dtype=torch.bool).tril(n_k - n_q)

    at_the_end = [
        "is_causal puts query 0 beside key 0; ours puts the last query beside the last key. The mask is given."
    ]
    case(
        "full_plain",
        "full",
        11,
        2,
        2,
        33,
        33,
        16,
        5,
        weights=True,
        differs=["full:causal=on", "full:scale=0.3"],
    )
    case(
        "full_causal",
        "full:causal=on",
        12,
        2,
        2,
        33,
        33,
        16,
        16,
        is_causal=True,
        weights=True,
        differs=["full"],
    )
    case(
        "full_grouped",
        "full:causal=on",
        13,
        2,
        1,
        30,
        30,
        8,
        8,
        is_causal=True,
        enable_gqa=True,
        differs=["full"],
    )
    case(
        "full_more_keys",
        "full:causal=on",
        14,
        2,
        2,
        23,
        40,
        16,
        16,
        attn_mask=mask(23, 40),
        deviations=at_the_end,
        weights=True,
        differs=["full"],
    )
    case(
        "full_more_queries",
        "full:causal=on",
        15,
        1,
        1,
        40,
        23,
        16,
        16,
        attn_mask=mask(40, 23),
        weights=True,
        deviations=at_the_end + ["The first 17 queries have no key: both give a row of zeros."],
        differs=["full"],
    )
    case("full_scale", "full:scale=1", 16, 2, 2, 33, 33, 16, 16, scale=1.0, size=0.3, differs=["full"])

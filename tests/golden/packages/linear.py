# SPDX-License-Identifier: GPL-3.0-or-later
"""Linear: pytorch-fast-transformers."""

import torch

from recorder import draw, add


def linear_cases():
    from fast_transformers.attention.causal_linear_attention import CausalLinearAttention
    from fast_transformers.attention.linear_attention import LinearAttention
    from fast_transformers.masking import FullMask, LengthMask, TriangularCausalMask

    def case(
        name,
        spec,
        seed,
        module,
        mask,
        n_q,
        n_k,
        d,
        d_v,
        differs,
        shift=0.0,
        kind=torch.float32,
        deviations=(),
    ):
        q, k, v = draw(seed, (2, n_q, d), (2, n_k, d), (2, n_k, d_v))
        q, k = q + shift, k + shift

        def lengths(n):
            return LengthMask(torch.full((1,), n, dtype=torch.long))

        def operator(values):
            inputs = [x.transpose(0, 1)[None].contiguous().to(kind) for x in (q, k, values)]
            return module(*inputs, mask, lengths(n_q), lengths(n_k))[0].transpose(0, 1).float()

        add(
            name,
            spec,
            "pytorch-fast-transformers",
            seed,
            q,
            k,
            v,
            operator,
            logit=0.0,
            weights=True,
            deviations=[
                "It adds 1e-6 to every denominator, the paper nothing: our eps is set to that.",
                *deviations,
            ],
            differs=differs,
        )

    case(
        "linear_plain",
        "linear:eps=0.000001",
        21,
        LinearAttention(16),
        FullMask(29, 37),
        29,
        37,
        16,
        7,
        ["linear:eps=0.000001,feature=exp", "full"],
    )
    # Features so small that the denominators are not far from 1e-6.
    case(
        "linear_small",
        "linear:eps=0.000001",
        23,
        LinearAttention(8),
        FullMask(19, 5),
        19,
        5,
        8,
        5,
        ["linear", "linear:eps=0.000003"],
        shift=-6.0,
        kind=torch.float64,
        deviations=[
            "elu(x) + 1 in float32 keeps few digits of a small feature; ours is exp(x) there. The package is run in double."
        ],
    )
    case(
        "linear_causal",
        "linear:eps=0.000001,causal=on",
        22,
        CausalLinearAttention(16),
        TriangularCausalMask(37),
        37,
        37,
        16,
        7,
        ["linear:eps=0.000001", "linear:eps=0.000001,causal=on,feature=exp"],
    )

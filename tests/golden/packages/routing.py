# SPDX-License-Identifier: GPL-3.0-or-later
"""Routing: lucidrains' routing-transformer."""

import functools
from unittest import mock

import torch

from recorder import SMALLEST_MARGIN, draw, largest_logit, add


def standardised(x):
    return (x - x.mean(dim=-1, keepdim=True)) / x.std(dim=-1, keepdim=True, unbiased=False)


def margin(x, centroids, seats):
    """The smallest distance between the last token at a table and the first that is not."""
    scores = (centroids @ torch.nn.functional.normalize(x, dim=-1).transpose(1, 2)).sort(descending=True)[0]
    if seats >= scores.shape[-1]:
        return 1.0
    return float((scores[..., seats - 1] - scores[..., seats]).min())


def routing_cases():
    from routing_transformer import routing_transformer

    def case(name, seed, n_q, n_k, clusters, window, differs, shared=False, causal=False, heads=2, d=8):
        while True:
            q, k, v = draw(seed, (heads, n_q, d), (heads, n_k, d), (heads, n_k, d))
            q, k = standardised(q), standardised(k)
            (centroids,) = draw(seed + 500, (heads, clusters, d))
            if min(margin(q, centroids, window), margin(k, centroids, window)) > SMALLEST_MARGIN:
                break
            seed += 1000
        k = q if shared else k
        module = routing_transformer.KmeansAttention(
            clusters,
            window,
            heads,
            d,
            causal=causal,
            context_window_size=window,
            receives_context=not shared,
            shared_qk=shared,
        ).eval()
        module.kmeans.means.copy_(centroids)
        module.kmeans.initted.fill_(True)
        mean_of = functools.partial(routing_transformer.scatter_mean, eps=1e-12)

        def operator(values):
            with mock.patch.object(routing_transformer, "scatter_mean", mean_of):
                return module(q[None], k[None], values[None])[0][0]

        scale = 1 / d if shared else d**-0.5
        spec = f"routing:clusters={clusters},window={window}"
        if shared:
            spec += f",share_qk=on,self_penalty=50000,scale={scale}"
        if causal:
            spec += ",causal=on"
        add(
            name,
            spec,
            "routing-transformer",
            seed,
            q,
            k,
            v,
            operator,
            logit=largest_logit(q, k, scale),
            weights=True,
            tensors={"centroids": centroids},
            injected=["centroids, drawn by us; its k-means is told that it has started already"],
            switched_off=["dropout 0, no memory keys, no rotary embedding (which its caller would apply)"],
            deviations=[
                "It does not subtract the mean of a row, and divides by the norm for the tables only: rows are standardised "
                "before they go in, for which both are what we do.",
                "It adds 1e-5 to the number of a token's tables: 1e-12 here, which rounds away.",
                *(
                    [
                        "Shared keys have norm 1 and not sqrt(d), and logits are divided by sqrt(d) all the same: our scale is 1/d.",
                        "A token's logit with itself is overwritten by -5e4: weight 0 beside any other key, 1 alone, which is our "
                        "self_penalty.",
                    ]
                    if shared
                    else []
                ),
            ],
            differs=[spec.replace(*one) for one in differs],
        )

    case("routing_plain", 151, 36, 36, 6, 6, [("window=6", "window=7"), ("clusters=6", "clusters=6,scale=1")])
    case("routing_lengths", 152, 24, 40, 5, 8, [("window=8", "window=9")])
    case(
        "routing_shared",
        153,
        36,
        36,
        5,
        9,
        [("self_penalty=50000", "self_penalty=0"), ("window=9", "window=8")],
        shared=True,
    )
    case(
        "routing_causal",
        154,
        40,
        40,
        6,
        7,
        [("self_penalty=50000", "self_penalty=0"), (",causal=on", "")],
        shared=True,
        causal=True,
    )

# SPDX-License-Identifier: GPL-3.0-or-later
"""Sinkhorn: lucidrains' sinkhorn-transformer."""

import math
from unittest import mock

import torch

from recorder import draw, largest_logit, add


def identity(x, *args, **kwargs):
    return x


def sinkhorn_cases():
    from sinkhorn_transformer import sinkhorn_transformer

    def case(name, seed, n, block, iterations, temperature, differs, noise=False, sortcut=0, heads=2, d=8):
        net = sortcut > 0  # its other scores compare all queries at once when it cuts
        blocks = n // block
        q, k, v = draw(seed, *[(heads, n, d)] * 3)
        tensors, injected = {}, []
        if not net:  # something that differs between blocks, for scores to tell them apart
            themes = draw(seed + 500, *[(heads, blocks, d)] * 2)
            q, k = (0.7 * x + 0.8 * theme.repeat_interleave(block, dim=1) for x, theme in zip((q, k), themes))
            v = k
        module = sinkhorn_transformer.SinkhornAttention(
            block,
            heads * d,
            d,
            heads,
            n,
            temperature=temperature,
            non_permutative=False,
            sinkhorn_iter=iterations,
            n_sortcut=sortcut,
            use_simple_sort_net=net,
        ).eval()
        if net:
            q = q.abs()
            (layer,) = draw(seed + 500, (heads, d, blocks), size=0.3)
            module.sort_net.linear.data.copy_(torch.cat([layer, torch.zeros_like(layer)], dim=1))
            tensors = {
                "sort_w1": torch.eye(d).repeat(heads, 1, 1),
                "sort_b1": torch.zeros(heads, d),
                "sort_w2": layer,
                "sort_b2": torch.zeros(heads, blocks),
            }
            injected.append(
                "sort_w2 is the half of its linear layer for sums of queries, drawn by us, and 0 for sums of keys; sort_w1 is the "
                "identity and biases are 0"
            )
        gumbel = torch.zeros(heads, blocks, blocks)
        if noise:
            torch.manual_seed(seed)
            gumbel = sinkhorn_transformer.sample_gumbel(gumbel.shape, "cpu", torch.float32)
            tensors["gumbel"] = gumbel
            injected.append("gumbel as it draws it")

        def operator(values):
            with (
                mock.patch.object(sinkhorn_transformer, "sample_gumbel", lambda *a, **b: gumbel),
                mock.patch.object(sinkhorn_transformer, "log", identity),
                mock.patch("torch.nn.functional.relu", torch.nn.functional.relu if net else identity),
            ):
                return module(q[None], k[None], values[None])[0]

        spec = f"sinkhorn:block={block},iterations={iterations},temperature={temperature}"
        if net:
            spec += f",score=net,sortcut={sortcut},sortcut_own=on"
        spec += ",noise=on" if noise else ""
        add(
            name,
            spec,
            "sinkhorn-transformer",
            seed,
            q,
            k,
            v,
            operator,
            logit=largest_logit(q, k, 1 / math.sqrt(d)),
            weights=net,
            tensors=tensors,
            injected=injected,
            switched_off=[
                "dropout 0",
                *([] if noise else ["the noise, which it adds in evaluation too"]),
                "the logarithm of the scores" + ("" if net else ", and the ReLU before it"),
            ],
            deviations=[
                "It takes scores as weights: log(max(R, 0) + 1e-6), where Gumbel-Sinkhorn has R. Switched off.",
                *(
                    [
                        "Its sorting net has one layer, ours two: queries are positive, so that the first one passes sums on as they are.",
                        "It reads the own block beside the cut ones: our sortcut_own.",
                    ]
                    if net
                    else [
                        "It takes the sorted keys for the sorted values: values equal to keys, for which that is the same."
                    ]
                ),
            ],
            differs=[spec.replace(*one) for one in differs],
        )

    case(
        "sinkhorn_noise",
        171,
        36,
        6,
        7,
        0.75,
        [("iterations=7", "iterations=1"), ("noise=on", "noise=off"), ("temperature=0.75", "temperature=1")],
        noise=True,
    )
    case("sinkhorn_sim", 172, 40, 8, 5, 0.25, [("iterations=5", "iterations=1"), ("block=8", "block=10")])
    case(
        "sinkhorn_sortcut",
        173,
        36,
        6,
        7,
        0.75,
        [("sortcut=2", "sortcut=3"), ("sortcut_own=on", "sortcut_own=off"), ("iterations=7", "iterations=1")],
        sortcut=2,
    )


def causal_cases():
    from sinkhorn_transformer.sinkhorn_transformer import SinkhornCausalAttention

    def sources(scores):
        """Of each block but the first, the earlier block with the largest score, and how far ahead it is."""
        best, ahead = [], math.inf
        for u in range(1, scores.shape[0]):
            ordered, blocks = scores[u, :u].sort(descending=True)
            best.append(int(blocks[0]))
            ahead = min([ahead, float(ordered[0]), *(float(ordered[0] - x) for x in ordered[1:2])])
        return best, ahead

    def case(name, seed, n, block, differs, d=8, temperature=0.01):
        blocks = n // block
        while True:
            themes = draw(seed + 500, *[(1, blocks, d)] * 2)
            q, k, v = draw(seed, *[(1, n, d)] * 3)
            q, k = (0.7 * x + 0.8 * theme.repeat_interleave(block, dim=1) for x, theme in zip((q, k), themes))
            q[..., 0], k[..., 0] = 1.0, 0.0  # a channel for the null key alone
            means = (q[0].cumsum(dim=0) / torch.arange(1, n + 1)[:, None])[::block]
            earlier = k[0].cumsum(dim=0) / torch.arange(1, n + 1)[:, None]
            ours = sources(means @ k[0].reshape(blocks, block, d).mean(dim=1).T / math.sqrt(d))
            its = sources(means @ earlier.reshape(blocks, block, d).sum(dim=1).T / math.sqrt(d))
            if ours[0] == its[0] and ours[0] != list(range(blocks - 1)) and min(ours[1], its[1]) > 0.2:
                break
            seed += 1000
        module = SinkhornCausalAttention(
            block, 2 * d, d, 2, n, n_top_buckets=1, temperature=temperature
        ).eval()
        module.null_keys.data.zero_()
        module.null_keys.data[..., 0] = -1e5

        def operator(values):
            return module(*[x.repeat(2, 1, 1)[None] for x in (q, k, values)])[0][:1]

        spec = f"sinkhorn:block={block},hard=argmax,causal=on"
        add(
            name,
            spec,
            "sinkhorn-transformer",
            seed,
            q,
            k,
            v,
            operator,
            logit=largest_logit(q, k, 1 / math.sqrt(d)),
            weights=True,
            switched_off=["dropout 0; its second half of the heads, which are rotated, is not looked at"],
            deviations=[
                "It takes the likeliest block times its probability: at a temperature of 0.01 that is 1, which is our "
                "hard=argmax.",
                "It compares with sums of running means of keys, we with means of the block's: a seed for which both choose the "
                "same blocks.",
                "The first block reads a null key: it is put so far away that its weight is 0.",
            ],
            differs=[spec.replace(*one) for one in differs],
        )

    case(
        "sinkhorn_causal",
        174,
        40,
        8,
        [("hard=argmax", "hard=none"), (",causal=on", ""), ("block=8", "block=10")],
    )

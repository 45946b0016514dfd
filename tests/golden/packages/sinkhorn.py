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
                    else ["It takes the sorted keys for the sorted values: values equal to keys, for which that is the same."]
                ),
            ],
            differs=[spec.replace(*one) for one in differs],
        )

    case("sinkhorn_noise", 171, 36, 6, 7, 0.75, [("iterations=7", "iterations=1"), ("noise=on", "noise=off"), ("temperature=0.75", "temperature=1")], noise=True)
    case("sinkhorn_sim", 172, 40, 8, 5, 0.25, [("iterations=5", "iterations=1"), ("block=8", "block=10")])
    case("sinkhorn_sortcut", 173, 36, 6, 7, 0.75, [("sortcut=2", "sortcut=3"), ("sortcut_own=on", "sortcut_own=off"), ("iterations=7", "iterations=1")], sortcut=2)

# SPDX-License-Identifier: GPL-3.0-or-later
"""Transformer-XL: transformers 4, which has an environment of its own (requirements-transfo-xl.txt)."""

import math

import torch
from torch import nn

from packages.relative import drawn, relative_logit
from recorder import Given, draw, add


def transformer_xl_cases():
    from transformers.models.deprecated.transfo_xl.modeling_transfo_xl import (
        PositionalEmbedding,
        RelPartialLearnableMultiHeadAttn,
    )

    def case(name, seed, n, segment, memory, differs, clamp=0, same_length=False, heads=2, d=8):
        q, k, v = draw(seed, *[(heads, n, d)] * 3, size=0.8)
        rel_proj, content_bias, position_bias = drawn(seed, heads, d)
        module = RelPartialLearnableMultiHeadAttn(heads, d, d, 0.0).eval()
        module.r_w_bias.data.copy_(content_bias)
        module.r_r_bias.data.copy_(position_bias)
        module.r_net.weight.data.copy_(rel_proj.transpose(1, 2).reshape(heads * d, d))
        module.o_net, module.layer_norm = nn.Identity(), nn.Identity()
        embedding = PositionalEmbedding(d)

        def rows(x, begin, end):  # (end - begin, 1, H d)
            return x[:, begin:end].transpose(0, 1).reshape(end - begin, 1, heads * d)

        def operator(values):
            outs = []
            for begin in range(0, n, segment):
                end = min(begin + segment, n)
                first = max(0, begin - memory)
                past = begin - first
                module.qkv_net = Given(torch.cat([rows(x, first, end) for x in (q, k, values)], dim=-1))
                distances = torch.arange(end - first - 1, -1, -1.0)
                if clamp:
                    distances = distances.clamp(max=clamp)
                ones = torch.ones(end - begin, end - first)
                mask = ones.triu(1 + past)
                if same_length:  # what lies further back than `memory` tokens
                    mask = mask + ones.tril(past - memory - 1)
                out = module(
                    torch.zeros(end - begin, 1, 1),
                    embedding(distances),
                    attn_mask=mask[:, :, None],
                    mems=torch.zeros(past, 1, 1),
                )[0]
                outs.append(out.reshape(end - begin, heads, d).transpose(0, 1))
            return torch.cat(outs, dim=1)

        spec = f"transformer-xl:segment={segment},memory={memory}"
        spec += f",clamp={clamp}" if clamp else ""
        spec += ",same_length=on" if same_length else ""
        add(
            name,
            spec,
            "transformers",
            seed,
            q,
            k,
            v,
            operator,
            logit=relative_logit(q, k, rel_proj, content_bias, position_bias, 1 / math.sqrt(d)),
            weights=True,
            tensors={"rel_proj": rel_proj, "content_bias": content_bias, "position_bias": position_bias},
            injected=[
                "rel_proj is its r_net, content_bias its r_w_bias and position_bias its r_r_bias, drawn by us; positions are "
                "embedded in the width of one head"
            ],
            switched_off=[
                "qkv_net returns our rows, o_net and the normalisation are the identity, the residual is 0, dropout 0"
            ],
            deviations=[
                "Its model starts with a memory of zeros that are attended to; the layer is given a memory of the tokens "
                "that there are.",
                *(
                    [
                        "Its model's same_length mask leaves a query M keys with itself, ours M and itself: the mask is given."
                    ]
                    if same_length
                    else []
                ),
            ],
            differs=[spec.replace(*one) for one in differs],
        )

    case(
        "transformer_xl_memory",
        121,
        37,
        8,
        12,
        [("memory=12", "memory=11"), ("segment=8", "segment=7"), ("memory=12", "memory=12,term_d=off")],
    )
    case("transformer_xl_clamp", 122, 32, 8, 16, [("clamp=6", "clamp=7"), ("clamp=6", "clamp=0")], clamp=6)
    case(
        "transformer_xl_same_length",
        123,
        37,
        10,
        10,
        [("memory=10", "memory=9"), ("same_length=on", "same_length=off")],
        same_length=True,
    )
    case(
        "transformer_xl_chunks",
        124,
        30,
        8,
        0,
        [("memory=0", "memory=1"), ("memory=0", "memory=0,term_b=off")],
    )

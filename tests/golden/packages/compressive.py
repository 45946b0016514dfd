# SPDX-License-Identifier: GPL-3.0-or-later
"""Compressive: lucidrains' compressive-transformer-pytorch."""

import math

import torch
from torch import nn

from packages.relative import relative_logit, relative_rows
from recorder import Given, draw, add


def compressive_cases():
    from compressive_transformer_pytorch.compressive_transformer_pytorch import ConvCompress, SelfAttention

    def case(name, seed, n, segment, memory, slots, rate, function, differs, heads=2, d=6):
        q, k, v = draw(seed, *[(heads, n, d)] * 3, size=0.8)
        (rel_proj,) = draw(seed + 500, (heads, d, d), size=d**-0.5)
        conv_k, conv_v, bias_k, bias_v = draw(
            seed + 600,
            (heads, rate, d, d),
            (heads, rate, d, d),
            (heads, d),
            (heads, d),
            size=(rate * d) ** -0.5,
        )
        tensors = {"rel_proj": rel_proj}
        if function == "conv":
            tensors |= {"conv_k": conv_k, "conv_v": conv_v, "conv_k_bias": bias_k, "conv_v_bias": bias_v}
        else:
            conv_k = conv_v = torch.eye(d).expand(heads, rate, d, d) / rate
            bias_k, bias_v = 0 * bias_k, 0 * bias_v
        module = SelfAttention(
            heads * d, segment, mem_len=memory, cmem_len=slots, cmem_ratio=rate, heads=heads
        ).eval()
        module.to_kv, module.to_out = nn.Identity(), nn.Identity()
        # Its memory keeps the layer's input: rows of [keys | values] of all heads here.
        module.compress_mem_fn = compress = ConvCompress(2 * heads * d, rate)
        weight = torch.zeros_like(compress.conv.weight)
        for block, taps in enumerate([*conv_k, *conv_v]):
            weight[block * d : (block + 1) * d, block * d : (block + 1) * d] = taps.permute(2, 1, 0)
        compress.conv.weight.data.copy_(weight)
        compress.conv.bias.data.copy_(torch.cat([bias_k.flatten(), bias_v.flatten()]))
        distances = relative_rows(rel_proj, n).flip(1)  # distance 0 is the last row of its table

        def operator(values):
            hidden = torch.cat([x.transpose(0, 1).reshape(1, n, heads * d) for x in (k, values)], dim=-1)
            memories, outs = None, []
            for begin in range(0, n, segment):
                rows = slice(begin, min(begin + segment, n))
                module.to_q = Given(q[:, rows].transpose(0, 1).reshape(1, -1, heads * d))
                out, memories, _ = module(hidden[:, rows], memories=memories, pos_emb=distances)
                outs.append(out.reshape(-1, heads, d).transpose(0, 1))
            return torch.cat(outs, dim=1)

        spec = f"compressive:rate={rate},segment={segment},memory={memory},compressed={slots},function={function}"
        zeros = torch.zeros(heads, d)
        conv = ["conv_k, conv_v and their biases, drawn by us: blocks of its one convolution"]
        add(
            name,
            spec,
            "compressive-transformer-pytorch",
            seed,
            q,
            k,
            v,
            operator,
            logit=relative_logit(q, k, rel_proj, zeros, zeros, 1 / math.sqrt(d)),
            weights=function == "mean",
            tensors=tensors,
            injected=["rel_proj, drawn by us", *(conv if function == "conv" else [])],
            switched_off=[
                "to_q returns our rows, to_kv and to_out are the identity, dropout 0",
                *(["its convolution is set to the mean of its taps"] if function == "mean" else []),
            ],
            deviations=[
                "Its table of distances is learned and not sinusoids: it is filled with ours, R(x) rel_proj. It has neither "
                "content_bias nor position_bias: ours are 0.",
                "It compresses the layer's input and projects afterwards; with keys and values in the place of the input "
                "it compresses those, as we do.",
                "Where the rows that leave are no multiple of the rate it puts zeros in front, of the wrong number: only "
                "sizes for which they are a multiple.",
            ],
            differs=[spec.replace(*one) for one in differs],
        )

    case(
        "compressive_mean",
        133,
        46,
        6,
        6,
        4,
        3,
        "mean",
        [("compressed=4", "compressed=3"), ("function=mean", "function=max"), ("rate=3", "rate=2")],
    )
    case(
        "compressive_conv",
        134,
        46,
        8,
        8,
        6,
        2,
        "conv",
        [
            ("function=conv", "function=mean"),
            ("memory=8", "memory=10"),
            ("compressed=6", "compressed=6,distance=centre"),
        ],
    )

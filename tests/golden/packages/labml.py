# SPDX-License-Identifier: GPL-3.0-or-later
"""Transformer-XL and Compressive: labml-nn, whose attention has tables for distances, filled here with ours."""

import math
from types import SimpleNamespace

import torch
from torch import nn

from packages.relative import drawn, relative_logit, relative_rows
from recorder import Given, draw, add


class Part(nn.Module):
    """Half of a row of memory, which holds the keys and then the values of all heads."""

    def __init__(self, begin, heads, d):
        super().__init__()
        self.begin, self.heads, self.d = begin, heads, d

    def forward(self, rows):
        part = rows[..., self.begin : self.begin + self.heads * self.d]
        return part.reshape(*rows.shape[:-1], self.heads, self.d)


TABLES = (
    "Its tables of distances are learned and not sinusoids: they are filled with ours, R(x) rel_proj for its keys and its "
    "product with position_bias for its biases."
)


def attention_with(q, rel_proj, content_bias, position_bias, n):
    """Its attention with our positions; the rows of memory that it gets are [keys | values]."""
    from labml_nn.transformers.xl.relative_mha import RelativeMultiHeadAttention

    heads, _, d = q.shape
    attention = RelativeMultiHeadAttention(heads, heads * d, dropout_prob=0.0).eval()
    table = relative_rows(rel_proj, n)
    last = attention.P  # distance x stands at P - x
    attention.key_pos_embeddings.data[last - n + 1 : last + 1] = table.flip(1).transpose(0, 1)
    attention.key_pos_bias.data[last - n + 1 : last + 1] = torch.einsum(
        "hxd,hd->xh", table, position_bias
    ).flip(0)
    attention.query_pos_bias.data.copy_(content_bias)
    attention.key, attention.value = Part(0, heads, d), Part(heads * d, heads, d)
    attention.output = nn.Identity()
    return attention


def rows_of(k, v):
    """(n, 1, 2 H d): what our stand-ins take apart again."""
    heads, n, d = k.shape
    return torch.cat([x.transpose(0, 1).reshape(n, 1, heads * d) for x in (k, v)], dim=-1)


def run(attention, q, k, values, segment, remember):
    """Segment by segment; `remember` takes a segment's rows and returns the memory for the next one."""
    heads, n, d = q.shape
    hidden = rows_of(k, values)
    memory, outs = hidden[:0], []
    for begin in range(0, n, segment):
        rows = hidden[begin : begin + segment]
        length = len(rows)
        buffer = torch.cat([memory, rows])
        attention.query = Given(q[:, begin : begin + length].transpose(0, 1)[:, None])
        mask = torch.ones(length, len(buffer)).tril(len(memory))[:, :, None]
        out = attention(query=rows, key=buffer, value=buffer, mask=mask)
        outs.append(out.reshape(length, heads, d).transpose(0, 1))
        memory = remember(rows)
    return torch.cat(outs, dim=1)


def transformer_xl_cases():
    from labml_nn.transformers.xl.experiment import Configs

    def case(name, seed, n, segment, memory, heads=2, d=8):
        q, k, v = draw(seed, *[(heads, n, d)] * 3, size=0.8)
        rel_proj, content_bias, position_bias = drawn(seed, heads, d)
        attention = attention_with(q, rel_proj, content_bias, position_bias, n)

        def operator(values):
            kept = []

            def remember(rows):
                kept[:] = Configs.merge_memory(SimpleNamespace(mem_len=memory), list(kept), [rows])
                return kept[0]

            return run(attention, q, k, values, segment, remember)

        spec = f"transformer-xl:segment={segment},memory={memory}"
        add(
            name,
            spec,
            "labml-nn",
            seed,
            q,
            k,
            v,
            operator,
            logit=relative_logit(q, k, rel_proj, content_bias, position_bias, 1 / math.sqrt(d)),
            weights=True,
            tensors={"rel_proj": rel_proj, "content_bias": content_bias, "position_bias": position_bias},
            injected=["rel_proj, content_bias and position_bias, drawn by us"],
            switched_off=[
                "query, key and value return our rows, the output layer is the identity, dropout 0"
            ],
            deviations=[TABLES],
            differs=[spec.replace(f"memory={memory}", f"memory={memory - 1}"), spec + ",term_c=off"],
        )

    case("transformer_xl_labml", 125, 37, 7, 10)


def compressive_cases():
    from labml_nn.transformers.compressive import Conv1dCompression
    from labml_nn.transformers.compressive.experiment import CompressedMemory, Configs

    def case(name, seed, n, segment, memory, slots, rate, differs, heads=2, d=6):
        q, k, v = draw(seed, *[(heads, n, d)] * 3, size=0.8)
        rel_proj, content_bias, position_bias = drawn(seed, heads, d)
        attention = attention_with(q, rel_proj, content_bias, position_bias, n)
        conv_k, conv_v, bias_k, bias_v = draw(
            seed + 600,
            (heads, rate, d, d),
            (heads, rate, d, d),
            (heads, d),
            (heads, d),
            size=(rate * d) ** -0.5,
        )
        compress = Conv1dCompression(rate, 2 * heads * d)
        weight = torch.zeros_like(compress.conv.weight)
        for block, taps in enumerate([*conv_k, *conv_v]):  # a block for each head's keys, then for its values
            weight[block * d : (block + 1) * d, block * d : (block + 1) * d] = taps.permute(2, 1, 0)
        compress.conv.weight.data.copy_(weight)
        compress.conv.bias.data.copy_(torch.cat([bias_k.flatten(), bias_v.flatten()]))
        settings = SimpleNamespace(
            mem_len=memory,
            c_mem_len=slots,
            compression_rate=rate,
            model=SimpleNamespace(transformer=SimpleNamespace(layers=[SimpleNamespace(compress=compress)])),
        )

        def operator(values):
            state = CompressedMemory([], [])

            def remember(rows):
                nonlocal state
                state, _ = Configs.merge_compress_memory(settings, state, [rows])
                return torch.cat([*state.c_mem, *state.mem])

            return run(attention, q, k, values, segment, remember)

        spec = f"compressive:rate={rate},segment={segment},memory={memory},compressed={slots},function=conv"
        add(
            name,
            spec,
            "labml-nn",
            seed,
            q,
            k,
            v,
            operator,
            logit=relative_logit(q, k, rel_proj, content_bias, position_bias, 1 / math.sqrt(d)),
            tensors={
                "rel_proj": rel_proj,
                "content_bias": content_bias,
                "position_bias": position_bias,
                "conv_k": conv_k,
                "conv_v": conv_v,
                "conv_k_bias": bias_k,
                "conv_v_bias": bias_v,
            },
            injected=[
                "rel_proj, content_bias, position_bias, drawn by us",
                "conv_k, conv_v and their biases, drawn by us: blocks of its one convolution over [keys | values] of all heads",
            ],
            switched_off=[
                "query, key and value return our rows, the output layer is the identity, dropout 0"
            ],
            deviations=[
                TABLES,
                "It compresses the layer's input and projects afterwards; with keys and values in the place of the input "
                "it compresses those, as we do.",
            ],
            differs=[spec.replace(*one) for one in differs],
        )

    case(
        "compressive_labml",
        131,
        48,
        5,
        7,
        4,
        3,
        [
            ("compressed=4", "compressed=3"),
            ("memory=7", "memory=8"),
            ("rate=3", "rate=3,evict=floor"),
            ("rate=3", "rate=3,distance=centre"),
        ],
    )
    case(
        "compressive_labml_short",
        132,
        40,
        5,
        5,
        9,
        2,
        [("compressed=9", "compressed=8"), ("memory=5", "memory=6")],
    )

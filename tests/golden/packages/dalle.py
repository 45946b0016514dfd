# SPDX-License-Identifier: GPL-3.0-or-later
"""Axial when causal, and the second set of sparse's strided pattern: dalle-pytorch's attention along an axis."""

import importlib
import importlib.util
import math
import sys
import types

import torch
from torch import nn

from recorder import Given, heads_last, heads_first, draw, largest_logit, add


def attention_module():
    """Its attention without the rest of the package, which asks for tokenizers and pictures."""
    package = types.ModuleType("dalle_pytorch")
    package.__path__ = list(importlib.util.find_spec("dalle_pytorch").submodule_search_locations)
    sys.modules["dalle_pytorch"] = package
    return importlib.import_module("dalle_pytorch.attention")


def dalle_cases():
    attention = attention_module()

    def case(name, seed, side, axes, spec, differs, note, heads=2, d=8):
        n = side * side
        q, k, v = draw(seed, *[(heads, n, d)] * 3)
        modules = []
        for axis in axes:
            module = attention.SparseAxialCausalAttention(
                heads * d, n - 1, image_size=side, axis=axis, heads=heads, dim_head=d
            ).eval()
            module.to_out = nn.Identity()
            modules.append(module)

        def operator(values):
            for module in modules:
                module.to_qkv = Given(torch.cat([heads_last(x) for x in (q, k, values)], dim=-1))
                values = heads_first(module(torch.zeros(1, n, heads * d)), heads)
            return values

        add(
            name,
            spec,
            "dalle-pytorch",
            seed,
            q,
            k,
            v,
            operator,
            logit=largest_logit(q, k, 1 / math.sqrt(d)),
            weights=True,
            switched_off=[
                "to_qkv returns our rows, to_out is the identity, dropout 0; a text of no tokens, no rotary embedding"
            ],
            deviations=note,
            differs=differs,
        )

    case(
        "axial_causal_row",
        147,
        6,
        [0],
        "axial:grid=6x6,mode=row,causal=on",
        ["axial:grid=6x6,mode=row", "axial:grid=4x9,mode=row,causal=on"],
        [],
    )
    case(
        "axial_causal_col",
        148,
        6,
        [1],
        "axial:grid=6x6,mode=col,causal=on",
        ["axial:grid=6x6,mode=col", "axial:grid=6x6,mode=row,causal=on"],
        [],
    )
    case(
        "axial_causal_both",
        149,
        6,
        [0, 1],
        "axial:grid=6x6,mode=row_col,causal=on",
        ["axial:grid=6x6,mode=col_row,causal=on", "axial:grid=6x6,mode=row_col"],
        ["Its layers for rows and for columns are run after each other, with the same queries and keys."],
    )
    case(
        "sparse_strided_far",
        105,
        6,
        [1],
        "sparse:mode=interleaved,stride=6,layer=1",
        ["sparse:mode=interleaved,stride=5,layer=1", "sparse:mode=merged,stride=6"],
        [
            "The second of the two strided sets alone, which is layer 1 of the interleaved mode: columns of a picture as wide as the stride."
        ],
    )

# SPDX-License-Identifier: GPL-3.0-or-later
"""Axial: lucidrains' axial-attention."""

import math

import torch
from torch import nn

from recorder import draw, largest_logit, add


class Rows(nn.Module):
    """A projection that takes some channels of its input, which holds [queries | keys | values] of all heads."""

    def __init__(self, begin, end):
        super().__init__()
        self.begin, self.end = begin, end

    def forward(self, hidden):
        self.seen = hidden
        return hidden[..., self.begin : self.end]


class Again(nn.Module):
    """An output layer that puts queries and keys beside what was read, for the next axis."""

    def __init__(self, queries, width):
        super().__init__()
        self.queries, self.width = queries, width

    def forward(self, out):
        return torch.cat([self.queries.seen[..., : 2 * self.width], out], dim=-1)


def axial_cases():
    from axial_attention import AxialAttention

    def case(name, seed, grid, mode, differs, heads=2, d=8):
        n, width = math.prod(grid), heads * d
        module = AxialAttention(
            3 * width, num_dimensions=len(grid), heads=heads, dim_heads=d, sum_axial_out=mode == "sum"
        ).eval()
        for stage in module.axial_attentions:
            attention = stage.fn
            attention.to_q, attention.to_kv = Rows(0, width), Rows(width, 3 * width)
            attention.to_out = Again(attention.to_q, width)
        apply = {"col": module.axial_attentions[0], "row": module.axial_attentions[-1]}.get(mode, module)
        q, k, v = draw(seed, *[(heads, n, d)] * 3)

        def operator(values):
            hidden = torch.cat([x.transpose(0, 1).reshape(1, *grid, width) for x in (q, k, values)], dim=-1)
            out = apply(hidden)[..., 2 * width :]
            return out.reshape(n, heads, d).transpose(0, 1)

        spec = f"axial:grid={'x'.join(map(str, grid))},mode={mode}"
        stages = (
            ["Of its modules, one for each axis, only that for this axis is run."]
            if mode in ("row", "col")
            else []
        )
        add(
            name,
            spec,
            "axial-attention",
            seed,
            q,
            k,
            v,
            operator,
            logit=largest_logit(q, k, 1 / math.sqrt(d)),
            weights=True,
            switched_off=[
                "to_q and to_kv return our rows, which go along as channels; to_out keeps queries and keys for the next axis"
            ],
            deviations=stages
            or [
                "Its modules for the axes have projections of their own: all get the same queries and keys here, as ours do."
            ],
            differs=[spec.replace(*one) for one in differs],
        )

    case("axial_row", 141, (5, 7), "row", [("mode=row", "mode=col"), ("5x7", "7x5")])
    case("axial_col", 142, (5, 7), "col", [("mode=col", "mode=row"), ("mode=col", "mode=col,causal=on")])
    case("axial_sum", 143, (6, 6), "sum", [("mode=sum", "mode=row_col"), ("6x6", "4x9")])
    case("axial_col_row", 144, (5, 8), "col_row", [("mode=col_row", "mode=row_col"), ("5x8", "8x5")])
    case(
        "axial_three",
        145,
        (3, 4, 3),
        "col_row",
        [("mode=col_row", "mode=row_col"), ("mode=col_row", "mode=sum")],
    )
    case("axial_three_sum", 146, (3, 2, 5), "sum", [("mode=sum", "mode=col_row"), ("3x2x5", "2x3x5")])

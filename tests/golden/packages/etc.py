# SPDX-License-Identifier: GPL-3.0-or-later
"""ETC: LongT5's transient global attention in transformers, which is what a long row of ETC does."""

import torch
from torch import nn

from recorder import Given, heads_last, heads_first, draw, largest_logit, add


class ByLength(nn.Module):
    """A projection that is used for the tokens and for their summaries."""

    def __init__(self, *choices):
        super().__init__()
        self.choices = {rows.shape[1]: rows for rows in choices}

    def forward(self, hidden):
        return self.choices[hidden.shape[1]].clone()


def etc_cases():
    from transformers import LongT5Config
    from transformers.models.longt5.modeling_longt5 import LongT5TransientGlobalAttention

    def case(name, seed, n, radius, block, clip, own_notes, differs, heads=2, d=8):
        config = LongT5Config(
            d_model=heads * d,
            d_kv=d,
            num_heads=heads,
            local_radius=radius,
            global_block_size=block,
            dropout_rate=0.0,
        )
        module = LongT5TransientGlobalAttention(config, has_relative_attention_bias=True).eval()
        module.o = nn.Identity()
        q, k, v = draw(seed, *[(heads, n, d)] * 3, size=0.6)
        notes = n // block
        k_notes, v_notes = draw(seed + 500, *[(heads, notes, d)] * 2, size=0.6)
        (bias,) = draw(seed + 600, (heads, 2 * clip + 3))
        if clip == 0:
            bias = torch.zeros(heads, 3)
        local = module.relative_attention_bias.weight.data
        side = module.global_relative_attention_bias.weight.data
        local.zero_()
        side.zero_()
        if clip:
            half = config.relative_attention_num_buckets // 2
            assert radius < half // 2  # distances that have a bucket for themselves
            for x in range(radius + 1):
                local[x] = bias[:, clip + min(x, clip) if x else 0]
                local[half + x] = bias[:, min(x, clip)]
            side[:] = bias[:, 2 * clip + 1]
            side[0] = bias[:, 2 * clip + 2]

        def means(x):
            return x.reshape(heads, notes, block, d).mean(dim=2)

        if not own_notes:
            k_notes = means(k)
        module.q = Given(heads_last(q))
        module.k = ByLength(heads_last(k), heads_last(k_notes))

        def operator(values):
            summaries = v_notes if own_notes else means(values)
            module.v = ByLength(heads_last(values), heads_last(summaries))
            out = module(torch.zeros(1, n, heads * d), mask=torch.ones(1, n))[0]
            return heads_first(out, heads)

        spec = f"etc:radius={radius},block={block},clip={clip},scale=1"
        tensors = {"label_bias": bias} if clip else {}
        tensors |= {"k_global": k_notes, "v_global": v_notes} if own_notes else {}
        injected = []
        if clip:
            injected.append(
                "label_bias, drawn by us: its buckets of distances between tokens, and its side buckets, of which 0 is a "
                "token's own summary and all others are the rest"
            )
        if own_notes:
            injected.append("k_global and v_global, drawn by us, in the place of its projections of sums")
        add(
            name,
            spec,
            "transformers",
            seed,
            q,
            k,
            v,
            operator,
            logit=largest_logit(q, torch.cat([k, k_notes], dim=1), 1.0) + float(bias.abs().max()),
            weights=not own_notes,
            tensors=tensors,
            injected=injected,
            switched_off=["q, k and v return our rows, o is the identity, dropout 0"],
            deviations=[
                "Its summaries have no rows of their own: this is the part of ETC that writes the tokens.",
                "It does not scale logits: our scale is 1.",
                *(
                    ["Its summaries are normalised sums of the input; means of keys and of values are given."]
                    if not own_notes
                    else []
                ),
            ],
            differs=[spec.replace(*one) for one in differs],
        )

    case("etc_notes", 201, 40, 4, 8, 4, True, [("radius=4", "radius=3")])
    case("etc_clipped", 202, 36, 6, 6, 3, True, [("radius=6", "radius=5"), ("clip=3", "clip=3,hard_l2g=on")])
    case("etc_means", 203, 36, 5, 9, 0, False, [("block=9", "block=12"), ("radius=5", "radius=6")])

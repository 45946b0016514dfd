# SPDX-License-Identifier: GPL-3.0-or-later
"""Longformer: transformers."""

import math

import torch
from torch import nn

from recorder import Given, heads_last, heads_first, draw, largest_logit, add


def longformer_cases():
    from transformers import LongformerConfig
    from transformers.models.longformer.modeling_longformer import LongformerSelfAttention

    def case(name, seed, n, window, global_tokens, own_projections, differs, heads=2, d=8):
        padded = -(-n // window) * window
        config = LongformerConfig(
            hidden_size=heads * d,
            num_attention_heads=heads,
            attention_window=[window],
            attention_probs_dropout_prob=0.0,
            num_hidden_layers=1,
        )
        module = LongformerSelfAttention(config, 0).eval()
        q, k, v, q_global, k_global, v_global = draw(seed, *[(heads, n, d)] * 6)
        if not own_projections:
            q_global, k_global, v_global = q, k, None

        def rows(x):  # (padded, 1, H d), the layout inside the layer; padding is not read
            return heads_last(nn.functional.pad(x, (0, 0, 0, padded - n), value=3.0)).transpose(0, 1)

        mask = torch.zeros(1, padded)
        mask[0, n:] = -10000.0
        mask[0, global_tokens] = 10000.0
        module.query, module.key = Given(rows(q)), Given(rows(k))
        module.query_global, module.key_global = Given(rows(q_global)[global_tokens]), Given(rows(k_global))

        def operator(values):
            module.value = Given(rows(values))
            module.value_global = Given(rows(values if v_global is None else v_global))
            out = module(
                torch.zeros(1, padded, heads * d),
                attention_mask=mask,
                is_index_masked=mask < 0,
                is_index_global_attn=mask > 0,
                is_global_attn=bool(global_tokens),
            )[0]
            return heads_first(out, heads)[:, :n]

        scale = 1 / math.sqrt(d)
        globals_text = "+".join(map(str, global_tokens)) or "none"
        add(
            name,
            f"longformer:window={window},globals={globals_text}",
            "transformers",
            seed,
            q,
            k,
            v,
            operator,
            logit=max(largest_logit(q, k, scale), largest_logit(q_global, k_global, scale)),
            weights=not own_projections,
            tensors=(
                {"q_global": q_global, "k_global": k_global, "v_global": v_global}
                if own_projections
                else None
            ),
            injected=["q_global, k_global, v_global drawn apart from q, k, v"] if own_projections else [],
            switched_off=[
                "six projections return our rows (the global ones copies of the local ones unless injected)",
                "dropout 0",
            ],
            deviations=(
                [f"n = {n} is padded to {padded}, a multiple of the window; padding is masked and cut off."]
                if padded != n
                else []
            ),
            differs=differs,
        )

    case(
        "longformer_window",
        41,
        40,
        8,
        [],
        False,
        [
            "longformer:window=6,globals=none",
            "longformer:window=10,globals=none",
            "longformer:window=8,globals=none,causal=on",
            "longformer:window=8,globals=0",
        ],
    )
    case("longformer_ragged", 42, 37, 6, [], False, ["longformer:window=6,globals=none,dilation=2"])
    case(
        "longformer_globals",
        43,
        37,
        8,
        [0, 5, 6, 30],
        False,
        ["longformer:window=8,globals=0+5+6", "longformer:window=8,globals=none"],
    )
    case(
        "longformer_global_projections",
        44,
        32,
        4,
        [0, 17],
        True,
        ["longformer:window=4,globals=0", "longformer:window=4,globals=none"],
    )

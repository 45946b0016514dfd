# SPDX-License-Identifier: GPL-3.0-or-later
"""Set: lucidrains' isab-pytorch."""

import torch
from torch import nn

from recorder import Given, heads_last, heads_first, draw, largest_logit, add


class Halves(nn.Module):
    """to_kv of the second stage: what the first stage made holds [keys | values] of each head."""

    def __init__(self, heads):
        super().__init__()
        self.heads = heads

    def forward(self, summaries):
        keys, values = heads_first(summaries, self.heads).chunk(2, dim=-1)
        return torch.cat([heads_last(keys), heads_last(values)], dim=-1)


def set_cases():
    from isab_pytorch import ISAB

    def case(name, seed, n_q, n_k, count, heads=2, d=8):
        module = ISAB(dim=heads * d, heads=heads, num_latents=count).eval()
        q, k, v = draw(seed, (heads, n_q, d), (heads, n_k, d), (heads, n_k, d))
        (inducing,) = draw(seed + 500, (heads, count, d))
        first, second = module.attn1, module.attn2
        first.to_out = second.to_out = nn.Identity()

        def wide(x):  # queries and keys of the first stage as wide as its values, which are [K | V]
            return heads_last(nn.functional.pad(x, (0, d)))

        first.to_q = Given(wide(inducing))
        second.to_q, second.to_kv = Given(heads_last(q)), Halves(heads)

        def operator(values):
            both = heads_last(torch.cat([k, values], dim=-1))
            first.to_kv = Given(torch.cat([wide(k), both], dim=-1))
            return heads_first(module(torch.zeros(1, n_k, heads * d))[0], heads)

        scale = first.scale
        summaries = (scale * inducing @ k.transpose(1, 2)).softmax(dim=-1) @ k
        spec = f"set:inducing={count},scale={scale}"
        add(
            name,
            spec,
            "isab-pytorch",
            seed,
            q,
            k,
            v,
            operator,
            logit=max(largest_logit(inducing, k, scale), largest_logit(q, summaries, scale)),
            weights=True,
            tensors={"inducing": inducing},
            injected=["inducing, drawn by us, in the place of its latents after to_q"],
            switched_off=["to_q and to_kv return our rows, to_out is the identity"],
            deviations=[
                "Its second stage projects what the first one read. The first one reads [K | V] here, and the second takes "
                "the halves as keys and values, as ours does.",
                "Its heads are 64 wide, so it scales by 1/8: our scale is set to that.",
            ],
            differs=[spec.replace(f"scale={scale}", "scale=0.5"), "full"],
        )

    case("set_plain", 161, 30, 30, 5)
    case("set_lengths", 162, 21, 37, 7)

# SPDX-License-Identifier: GPL-3.0-or-later
"""Sparse: DeepSpeed's layout of the fixed pattern, and local-attention for the window of the strided one."""

import math

import torch

from recorder import draw, largest_logit, add


def sparse_cases():
    sdpa = torch.nn.functional.scaled_dot_product_attention

    def fixed(name, seed, n, l, c, heads, groups, causal, differs, d=8):
        from deepspeed.ops.sparse_attention.sparsity_config import FixedSparsityConfig

        layout = FixedSparsityConfig(
            num_heads=heads,
            block=1,
            different_layout_per_head=groups > 1,
            num_local_blocks=l,
            num_global_blocks=c,
            attention="unidirectional" if causal else "bidirectional",
            num_different_global_patterns=groups,
        ).make_layout(n)
        mask = layout.bool()
        q, k, v = draw(seed, *[(heads, n, d)] * 3)
        if causal:
            mask = mask.tril()
        spec = f"sparse:pattern=fixed,stride={l},summary={c},sub_blocks={groups},causal={'on' if causal else 'off'}"
        add(
            name,
            spec,
            "deepspeed",
            seed,
            q,
            k,
            v,
            lambda values: sdpa(q[None], k[None], values[None], attn_mask=mask[None])[0],
            logit=largest_logit(q, k, 1 / math.sqrt(d)),
            weights=True,
            switched_off=[
                "its GPU kernels: the layout, in blocks of one token, is the package's, the softmax under it is torch's"
            ],
            deviations=(
                [
                    "Inside a group of summary columns it reads the columns after the query too: the future is cut off here."
                ]
                if causal and c > 1
                else []
            ),
            differs=[spec.replace(*one) for one in differs],
        )

    def window(name, seed, n, l, heads=1, d=8):
        from local_attention import LocalAttention

        module = LocalAttention(
            l - 1, causal=True, look_backward=1, exact_windowsize=True, autopad=True, use_rotary_pos_emb=False
        ).eval()
        q, k, v = draw(seed, *[(heads, n, d)] * 3)
        everything = torch.ones(1, n, dtype=torch.bool)
        spec = f"sparse:mode=interleaved,stride={l},causal=on"
        add(
            name,
            spec,
            "local-attention",
            seed,
            q,
            k,
            v,
            lambda values: module(q[None], k[None], values[None], mask=everything)[0],
            logit=largest_logit(q, k, 1 / math.sqrt(d)),
            weights=True,
            switched_off=["rotary position embedding, dropout"],
            deviations=[
                "The first of the two strided sets alone, which is layer 0 of the interleaved mode. A window of "
                f"{l - 1} holds {l} keys there, self included."
            ],
            differs=[spec.replace(f"stride={l}", f"stride={l + 1}"), spec + ",layer=1"],
        )

    fixed(
        "sparse_fixed_causal",
        101,
        32,
        6,
        1,
        2,
        2,
        True,
        [("sub_blocks=2", "sub_blocks=1"), ("stride=6", "stride=7")],
    )
    fixed(
        "sparse_fixed_columns",
        102,
        37,
        8,
        2,
        3,
        3,
        True,
        [("summary=2", "summary=1"), ("sub_blocks=3", "sub_blocks=2")],
    )
    fixed(
        "sparse_fixed_two_way",
        103,
        32,
        8,
        2,
        2,
        2,
        False,
        [("causal=off", "causal=on"), ("summary=2", "summary=1")],
    )
    window("sparse_window", 104, 37, 7)

# SPDX-License-Identifier: GPL-3.0-or-later
"""Memory-compressed: lucidrains' memory-compressed-attention."""

import torch
from torch import nn

from recorder import Given, heads_last, heads_first, draw, largest_logit, add


def memory_compressed_cases():
    from memory_compressed_attention import MemoryCompressedAttention

    def case(name, seed, n, stride, causal, differs, taps="drawn", heads=2, d=8):
        torch.manual_seed(seed)
        dim = heads * d
        module = MemoryCompressedAttention(
            dim=dim, heads=heads, causal=causal, compression_factor=stride
        ).eval()
        conv = module.compress_fn.conv
        if taps == "mean":
            conv.weight.data.copy_(torch.eye(d).repeat(heads, 1)[:, :, None].expand(dim, d, stride) / stride)
            conv.bias.data.zero_()
        module.to_out = nn.Identity()
        padding = -n % stride
        q, k, v = draw(seed, (heads, n, d), (heads, n, d), (heads, n, d))

        def operator(values):
            module.to_qkv = Given(torch.cat([heads_last(x) for x in (q, k, values)], dim=-1))
            return heads_first(module(torch.zeros(1, n, dim)), heads)

        # (out channel over all heads, in channel of its head, tap) -> (head, tap, in, out)
        weight = conv.weight.detach().reshape(heads, d, d, stride).permute(0, 3, 2, 1)
        bias = conv.bias.detach().reshape(heads, d)
        tensors = {"conv_k": weight, "conv_v": weight, "conv_k_bias": bias, "conv_v_bias": bias}
        with torch.no_grad():
            padded = nn.functional.pad(k, (0, 0, padding, 0))
            slots = heads_first(module.compress_fn(heads_last(padded)), heads)

        def front(x):  # the rows of zeros that the package puts before the first key
            return nn.functional.pad(x, (0, 0, padding, 0))

        mean = taps == "mean"
        spec = f"memory-compressed:stride={stride},null=zero,scale={dim ** -0.5}" + (
            "" if mean else ",function=conv"
        )
        spec += ",causal=on" if causal else ""
        add(
            name,
            spec,
            "memory-compressed-attention",
            seed,
            q,
            front(k),
            front(v),
            lambda values: operator(values[:, padding:]),
            logit=largest_logit(q, slots, dim**-0.5),
            weights=mean and not padding,
            tensors={} if mean else tensors,
            injected=(
                []
                if mean
                else [
                    "conv_k, conv_v and their biases as its constructor draws them: one convolution, a group for each head, "
                    "serves keys and values"
                ]
            ),
            switched_off=[
                "to_qkv returns our rows, to_out is the identity, dropout 0",
                *(["its convolution is set to the mean of its taps"] if mean else []),
            ],
            deviations=[
                "It divides logits by the square root of the width of all heads together: our scale is set to that.",
                "A null slot is read also when not causal: our null is set to zero.",
                *(
                    [
                        f"n = {n} is padded to a multiple of the stride by {padding} rows of zeros in front of the keys, we pad at the "
                        "end: those rows are given to us as keys."
                    ]
                    if padding
                    else []
                ),
            ],
            differs=[spec.replace(*one) for one in differs],
        )

    no_null = ("null=zero", "null=off")
    causal_differs = [("causal=on", "causal=on,rule=past"), ("causal=on", "causal=off")]
    case("compressed_conv", 91, 30, 3, False, [no_null, ("function=conv", "function=mean")])
    case("compressed_causal", 92, 33, 3, True, causal_differs)
    case("compressed_ragged", 93, 30, 4, True, causal_differs)
    case("compressed_mean", 94, 32, 4, True, [*causal_differs, ("stride=4", "stride=3")], taps="mean")


def local_block_cases():
    from local_attention import LocalAttention

    def case(name, seed, n, block, previous, causal, differs, heads=2, d=8):
        module = LocalAttention(
            block,
            causal=causal,
            look_backward=int(previous),
            look_forward=0,
            autopad=True,
            use_rotary_pos_emb=False,
        ).eval()
        q, k, v = draw(seed, *[(heads, n, d)] * 3)
        everything = torch.ones(1, n, dtype=torch.bool)
        spec = f"memory-compressed:kind=local,block={block}"
        spec += (",previous=on" if previous else "") + (",causal=on" if causal else "")
        add(
            name,
            spec,
            "local-attention",
            seed,
            q,
            k,
            v,
            lambda values: module(q[None], k[None], values[None], mask=everything)[0],
            logit=largest_logit(q, k, d**-0.5),
            weights=True,
            switched_off=["rotary position embedding, dropout"],
            deviations=[
                f"n = {n} is padded to a multiple of the block (autopad); padding is masked and cut off."
            ],
            differs=[spec.replace(*one) for one in differs],
        )

    case(
        "compressed_local",
        95,
        37,
        8,
        False,
        False,
        [("block=8", "block=7"), ("block=8", "block=8,previous=on")],
    )
    case("compressed_previous", 96, 37, 8, True, True, [(",previous=on", ""), (",causal=on", "")])

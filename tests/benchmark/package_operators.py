# SPDX-License-Identifier: GPL-3.0-or-later
"""What against_packages.py times: each package's operator on given queries, keys and values, and the SPEC of ours.

A layer with projections gets modules in their place that return copies of the given rows, as in tests/golden: copies,
since some layers scale their queries where they stand, and would be timed on numbers that vanish.
"""

import math
import sys
from pathlib import Path
from types import SimpleNamespace

import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "golden"))
from packages.axial import Again, Rows  # noqa: E402
from packages.etc import ByLength  # noqa: E402
from packages.set import Halves  # noqa: E402
from recorder import Given  # noqa: E402


def sizes(n):
    """The power of two that is nearest to the root of n: blocks, chunks and windows."""
    return 1 << round(math.log2(math.ceil(math.sqrt(n))))


# Each takes queries, keys and values (1, n, d) and returns our SPEC and a function of no arguments: one pass.


def performer(q, k, v):
    from performer_pytorch.performer_pytorch import FastAttention

    module = FastAttention(q.shape[2], nb_features=256).eval()
    return "performer:features=256", lambda: module(q[None], k[None], v[None])


def linear(q, k, v):
    from fast_transformers.attention import LinearAttention
    from fast_transformers.masking import FullMask, LengthMask

    _, n, d = q.shape
    module = LinearAttention(d).eval()
    full, lengths = FullMask(n, n), LengthMask(torch.full((1,), n))
    return "linear", lambda: module(*(x[:, :, None] for x in (q, k, v)), full, lengths, lengths)


def reformer(q, _, v):
    from reformer_pytorch.reformer_pytorch import LSHAttention

    chunk = sizes(q.shape[1])
    module = LSHAttention(bucket_size=chunk, n_hashes=2, attend_across_buckets=False).eval()
    return f"reformer:chunk={chunk},rounds=2", lambda: module(q, v)


def image(q, k, v):
    from local_attention import LocalAttention

    block = sizes(q.shape[1])
    module = LocalAttention(block, causal=True, look_backward=1, use_rotary_pos_emb=False).eval()
    return f"image:query_block={block},memory={block}", lambda: module(q, k, v)


def sinkhorn(q, k, v):
    from sinkhorn_transformer.sinkhorn_transformer import SinkhornAttention

    _, n, d = q.shape
    module = SinkhornAttention(
        sizes(n), d, d, 1, n, temperature=0.75, non_permutative=False, sinkhorn_iter=7
    ).eval()
    return f"sinkhorn:block={sizes(n)},iterations=7", lambda: module(q[None], k[None], v[None])


def routing(q, k, v):
    from routing_transformer.routing_transformer import KmeansAttention

    _, n, d = q.shape
    window = sizes(n)
    module = KmeansAttention(
        n // window, window, 1, d, context_window_size=window, receives_context=True
    ).eval()
    spec = f"routing:clusters={n // window},window={window},init=random"
    return spec, lambda: module(q[None], k[None], v[None], update_kmeans=False)


def linformer(q, k, v):
    from linformer import LinformerSelfAttention

    _, n, d = q.shape
    summaries = 2 * sizes(n)
    module = LinformerSelfAttention(dim=d, seq_len=n, k=summaries, heads=1).eval()
    module.to_q, module.to_k, module.to_v, module.to_out = Given(q), Given(k), Given(v), nn.Identity()
    return f"linformer:k={summaries},projection=gaussian", lambda: module(q)


def axial(q, k, v):
    from axial_attention import AxialAttention

    _, n, d = q.shape
    rows = sizes(n)
    module = AxialAttention(3 * d, num_dimensions=2, heads=1, dim_heads=d, sum_axial_out=False).eval()
    for stage in module.axial_attentions:
        attention = stage.fn
        attention.to_q, attention.to_kv = Rows(0, d), Rows(d, 3 * d)
        attention.to_out = Again(attention.to_q, d)
    hidden = torch.cat([q, k, v], dim=-1).reshape(1, rows, n // rows, 3 * d)
    return f"axial:grid={rows}x{n // rows},mode=col_row", lambda: module(hidden)


def inducing(q, k, v):
    from isab_pytorch import ISAB

    _, n, d = q.shape
    count = sizes(n)
    module = ISAB(dim=d, heads=1, num_latents=count).eval()
    first, second = module.attn1, module.attn2
    first.to_out = second.to_out = nn.Identity()
    first.to_q = Given(nn.functional.pad(torch.randn(1, count, d), (0, d)))
    first.to_kv = Given(torch.cat([nn.functional.pad(k, (0, d)), k, v], dim=-1))
    second.to_q, second.to_kv = Given(q), Halves(1)
    return f"set:inducing={count},init=random", lambda: module(torch.zeros(1, n, d))


def compressed(q, k, v):
    from memory_compressed_attention import MemoryCompressedAttention

    d = q.shape[2]
    module = MemoryCompressedAttention(dim=d, heads=1, causal=True, compression_factor=4).eval()
    module.to_qkv, module.to_out = Given(torch.cat([q, k, v], dim=-1)), nn.Identity()
    return "memory-compressed:stride=4,function=conv,causal=on", lambda: module(q)


def longformer(q, k, v):
    from transformers import LongformerConfig
    from transformers.models.longformer.modeling_longformer import LongformerSelfAttention

    _, n, d = q.shape
    window = 2 * sizes(n)
    config = LongformerConfig(
        hidden_size=d,
        num_attention_heads=1,
        attention_window=[window],
        attention_probs_dropout_prob=0.0,
        num_hidden_layers=1,
    )
    module = LongformerSelfAttention(config, 0).eval()
    module.query, module.key, module.value = (Given(x.transpose(0, 1)) for x in (q, k, v))
    module.query_global = Given(q.transpose(0, 1)[:1])
    module.key_global, module.value_global = Given(k.transpose(0, 1)), Given(v.transpose(0, 1))
    mask = torch.zeros(1, n)
    mask[0, 0] = 10000.0
    return f"longformer:window={window},globals=0", lambda: module(
        q, attention_mask=mask, is_index_masked=mask < 0, is_index_global_attn=mask > 0, is_global_attn=True
    )


def bigbird(q, k, v):
    from transformers import BigBirdConfig
    from transformers.models.big_bird.modeling_big_bird import BigBirdBlockSparseAttention, BigBirdModel

    _, n, d = q.shape
    block = sizes(n)
    config = BigBirdConfig(hidden_size=d, num_attention_heads=1, num_random_blocks=3, block_size=block)
    config.attention_probs_dropout_prob = 0.0
    module = BigBirdBlockSparseAttention(config, seed=0).train()  # evaluation reads block 0 and draws nothing
    module.query, module.key, module.value = Given(q), Given(k), Given(v)
    blocked, band, rows, columns = BigBirdModel.create_masks_for_block_sparse_attn(torch.ones(1, n), block)
    return f"bigbird:block={block},random=3", lambda: module(
        q,
        band_mask=band,
        from_mask=rows,
        to_mask=columns,
        from_blocked_mask=blocked,
        to_blocked_mask=blocked,
    )


def etc(q, k, v):
    from transformers import LongT5Config
    from transformers.models.longt5.modeling_longt5 import LongT5TransientGlobalAttention

    _, n, d = q.shape
    radius, block = sizes(n) - 1, 16
    config = LongT5Config(
        d_model=d, d_kv=d, num_heads=1, local_radius=radius, global_block_size=block, dropout_rate=0.0
    )
    module = LongT5TransientGlobalAttention(config, has_relative_attention_bias=True).eval()
    module.o = nn.Identity()
    notes = [x.reshape(1, n // block, block, d).mean(dim=2) for x in (k, v)]
    module.q, module.k, module.v = Given(q), ByLength(k, notes[0]), ByLength(v, notes[1])
    mask = torch.ones(1, n)
    return f"etc:radius={radius},block={block},clip=8", lambda: module(q, mask=mask)


def transformer_xl(q, k, v):
    from labml_nn.transformers.xl.experiment import Configs
    from packages.labml import attention_with, run
    from packages.relative import drawn

    _, n, d = q.shape
    segment = 2 * sizes(n)
    rel_proj, content_bias, position_bias = drawn(0, 1, d)
    attention = attention_with(q, rel_proj, content_bias, position_bias, min(n, 2 * segment))

    def operator():
        kept = []

        def remember(rows):
            kept[:] = Configs.merge_memory(SimpleNamespace(mem_len=segment), list(kept), [rows])
            return kept[0]

        return run(attention, q, k, v, segment, remember)

    return f"transformer-xl:segment={segment},memory={segment}", operator


def compressive(q, k, v):
    from compressive_transformer_pytorch.compressive_transformer_pytorch import ConvCompress, SelfAttention

    _, n, d = q.shape
    segment, rate = 2 * sizes(n), 4
    slots = segment // rate
    module = SelfAttention(d, segment, mem_len=segment, cmem_len=slots, cmem_ratio=rate, heads=1).eval()
    module.to_kv, module.to_out = nn.Identity(), nn.Identity()
    module.compress_mem_fn = ConvCompress(2 * d, rate)
    distances = torch.randn(1, 2 * segment + slots, d)
    hidden = torch.cat([k, v], dim=-1)

    def operator():
        memories = None
        for begin in range(0, n, segment):
            module.to_q = Given(q[:, begin : begin + segment])
            _, memories, _ = module(hidden[:, begin : begin + segment], memories=memories, pos_emb=distances)

    return f"compressive:rate={rate},segment={segment},memory={segment},compressed={slots},function=conv", operator


OPERATORS = {
    "performer-pytorch": performer,
    "pytorch-fast-transformers": linear,
    "reformer-pytorch": reformer,
    "local-attention": image,
    "sinkhorn-transformer": sinkhorn,
    "routing-transformer": routing,
    "linformer": linformer,
    "axial-attention": axial,
    "isab-pytorch": inducing,
    "memory-compressed-attention": compressed,
    "transformers, Longformer": longformer,
    "transformers, BigBird": bigbird,
    "transformers, LongT5": etc,
    "labml-nn, Transformer-XL": transformer_xl,
    "compressive-transformer-pytorch": compressive,
}

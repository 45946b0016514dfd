# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes data/*.npz and data/cases.json: what published packages compute, for golden_test.cpp to compare with.

Not needed to build or test. To make the files again:

    python -m venv venv && venv/bin/pip install -r requirements.txt && venv/bin/python generate.py

The packages' projections are replaced by modules that return our Q, K and V, so that what runs is the operator alone.
Everything is float32 on the CPU, as the packages are used. Nothing of the packages' code is in this file.
"""

import importlib.metadata
import json
import math
import pathlib
from unittest import mock

import numpy as np
import torch
from torch import nn

DATA = pathlib.Path(__file__).parent / "data"
# The tolerance in golden_test.cpp is argued for logits up to this size.
LARGEST_LOGIT = 8.0
# Buckets are decided in float32 there and in double here: a decision closer than this could fall either way.
SMALLEST_MARGIN = 1e-4

cases = []


class Given(nn.Module):
    """A projection that returns the rows that it was given, whatever comes in."""

    def __init__(self, rows):
        super().__init__()
        self.rows = rows

    def forward(self, hidden):
        return self.rows.clone()


def heads_last(x):
    """(H, n, d) -> (1, n, H d), as packages lay heads out in a hidden state."""
    return x.transpose(0, 1).reshape(1, x.shape[1], -1)


def heads_first(x, heads):
    """(1, n, H d) -> (H, n, d)."""
    return x[0].reshape(x.shape[1], heads, -1).transpose(0, 1)


def draw(seed, *shapes, size=1.0):
    generator = torch.Generator().manual_seed(seed)
    return [size * torch.randn(shape, generator=generator) for shape in shapes]


def weights_of(operator, v):
    """The matrix that the package applies to V, by running it on the identity, v's width at a time."""
    kv_heads, n, width = v.shape
    slabs = []
    for begin in range(0, n, width):
        slab = torch.zeros_like(v)
        for c in range(min(width, n - begin)):
            slab[:, begin + c, c] = 1.0
        slabs.append(operator(slab)[..., : min(width, n - begin)])
    return torch.cat(slabs, dim=-1)


def largest_logit(q, k, scale):
    k = k.repeat_interleave(q.shape[0] // k.shape[0], dim=0)
    return float(scale * (q @ k.transpose(1, 2)).abs().max())


@torch.no_grad()
def add(
    name,
    spec,
    package,
    seed,
    q,
    k,
    v,
    operator,
    *,
    logit,
    tensors=None,
    weights=False,
    injected=(),
    switched_off=(),
    deviations=(),
    differs=(),
):
    out = operator(v)
    assert torch.isfinite(out).all(), name
    assert logit <= LARGEST_LOGIT, (name, logit)
    arrays = {"q": q, "k": k, "v": v, "out": out, **(tensors or {})}
    if weights:
        arrays["weights"] = weights_of(operator, v)
        repeated = v.repeat_interleave(q.shape[0] // v.shape[0], dim=0)
        assert torch.allclose(arrays["weights"] @ repeated, out, atol=2e-5), name
    arrays = {key: np.ascontiguousarray(torch.as_tensor(value).numpy()) for key, value in arrays.items()}
    np.savez_compressed(DATA / f"{name}.npz", **arrays)
    cases.append(
        {
            "name": name,
            "spec": spec,
            "package": package,
            "version": importlib.metadata.version(package).split("+")[0],
            "seed": seed,
            "largest_logit": round(logit, 2),
            "injected": list(injected),
            "switched_off": list(switched_off),
            "deviations": list(deviations),
            # SPECs that differ in the one thing that a case is about: their output must not agree.
            "differs": list(differs),
        }
    )


# --- full: torch.nn.functional.scaled_dot_product_attention ---------------------------------------------------------


def full_cases():
    sdpa = torch.nn.functional.scaled_dot_product_attention

    def case(
        name,
        spec,
        seed,
        heads,
        kv_heads,
        n_q,
        n_k,
        d,
        d_v,
        *,
        size=1.0,
        scale=None,
        deviations=(),
        differs=(),
        weights=False,
        **options,
    ):
        q, k, v = draw(seed, (heads, n_q, d), (kv_heads, n_k, d), (kv_heads, n_k, d_v))
        q = size * q
        logit = largest_logit(q, k, scale or 1 / math.sqrt(d))
        add(
            name,
            spec,
            "torch",
            seed,
            q,
            k,
            v,
            lambda values: sdpa(q[None], k[None], values[None], scale=scale, **options)[0],
            logit=logit,
            deviations=deviations,
            differs=differs,
            weights=weights,
        )

    def mask(n_q, n_k):
        return torch.ones(n_q, n_k, dtype=torch.bool).tril(n_k - n_q)

    at_the_end = [
        "is_causal puts query 0 beside key 0; ours puts the last query beside the last key. The mask is given."
    ]
    case(
        "full_plain",
        "full",
        11,
        2,
        2,
        33,
        33,
        16,
        5,
        weights=True,
        differs=["full:causal=on", "full:scale=0.3"],
    )
    case(
        "full_causal",
        "full:causal=on",
        12,
        2,
        2,
        33,
        33,
        16,
        16,
        is_causal=True,
        weights=True,
        differs=["full"],
    )
    case(
        "full_grouped",
        "full:causal=on",
        13,
        2,
        1,
        30,
        30,
        8,
        8,
        is_causal=True,
        enable_gqa=True,
        differs=["full"],
    )
    case(
        "full_more_keys",
        "full:causal=on",
        14,
        2,
        2,
        23,
        40,
        16,
        16,
        attn_mask=mask(23, 40),
        deviations=at_the_end,
        weights=True,
        differs=["full"],
    )
    case(
        "full_more_queries",
        "full:causal=on",
        15,
        1,
        1,
        40,
        23,
        16,
        16,
        attn_mask=mask(40, 23),
        weights=True,
        deviations=at_the_end + ["The first 17 queries have no key: both give a row of zeros."],
        differs=["full"],
    )
    case("full_scale", "full:scale=1", 16, 2, 2, 33, 33, 16, 16, scale=1.0, size=0.3, differs=["full"])


# --- linear: pytorch-fast-transformers -------------------------------------------------------------------------------


def linear_cases():
    from fast_transformers.attention.causal_linear_attention import CausalLinearAttention
    from fast_transformers.attention.linear_attention import LinearAttention
    from fast_transformers.masking import FullMask, LengthMask, TriangularCausalMask

    def case(
        name,
        spec,
        seed,
        module,
        mask,
        n_q,
        n_k,
        d,
        d_v,
        differs,
        shift=0.0,
        kind=torch.float32,
        deviations=(),
    ):
        q, k, v = draw(seed, (2, n_q, d), (2, n_k, d), (2, n_k, d_v))
        q, k = q + shift, k + shift

        def lengths(n):
            return LengthMask(torch.full((1,), n, dtype=torch.long))

        def operator(values):
            inputs = [x.transpose(0, 1)[None].contiguous().to(kind) for x in (q, k, values)]
            return module(*inputs, mask, lengths(n_q), lengths(n_k))[0].transpose(0, 1).float()

        add(
            name,
            spec,
            "pytorch-fast-transformers",
            seed,
            q,
            k,
            v,
            operator,
            logit=0.0,
            weights=True,
            deviations=[
                "It adds 1e-6 to every denominator, the paper nothing: our eps is set to that.",
                *deviations,
            ],
            differs=differs,
        )

    case(
        "linear_plain",
        "linear:eps=0.000001",
        21,
        LinearAttention(16),
        FullMask(29, 37),
        29,
        37,
        16,
        7,
        ["linear:eps=0.000001,feature=exp", "full"],
    )
    # Features so small that the denominators are not far from 1e-6.
    case(
        "linear_small",
        "linear:eps=0.000001",
        23,
        LinearAttention(8),
        FullMask(19, 5),
        19,
        5,
        8,
        5,
        ["linear", "linear:eps=0.000003"],
        shift=-6.0,
        kind=torch.float64,
        deviations=[
            "elu(x) + 1 in float32 keeps few digits of a small feature; ours is exp(x) there. The package is run in double."
        ],
    )
    case(
        "linear_causal",
        "linear:eps=0.000001,causal=on",
        22,
        CausalLinearAttention(16),
        TriangularCausalMask(37),
        37,
        37,
        16,
        7,
        ["linear:eps=0.000001", "linear:eps=0.000001,causal=on,feature=exp"],
    )


# --- linformer: lucidrains' linformer --------------------------------------------------------------------------------


def linformer_cases():
    from linformer import LinformerSelfAttention

    def case(name, seed, n_q, n, k_dim, seq_len, heads=2, d=8, differs=()):
        torch.manual_seed(seed)
        module = LinformerSelfAttention(dim=heads * d, seq_len=seq_len, k=k_dim, heads=heads).eval()
        q, k, v = draw(seed, (heads, n_q, d), (heads, n, d), (heads, n, d))
        module.to_q, module.to_k, module.to_out = Given(heads_last(q)), Given(heads_last(k)), nn.Identity()
        hidden = torch.zeros(1, n, heads * d)

        def operator(values):
            module.to_v = Given(heads_last(values))
            return heads_first(module(torch.zeros(1, n_q, heads * d), context=hidden), heads)

        proj_k, proj_v = module.proj_k.detach().T, module.proj_v.detach().T
        summaries = torch.einsum("an,hnd->had", proj_k[:, :n], k)
        add(
            name,
            f"linformer:k={k_dim}",
            "linformer",
            seed,
            q,
            k,
            v,
            operator,
            logit=largest_logit(q, summaries, 1 / math.sqrt(d)),
            weights=True,
            tensors={"proj_k": proj_k, "proj_v": proj_v},
            injected=[
                "proj_k and proj_v as its constructor draws them, transposed; one pair serves all heads"
            ],
            switched_off=["to_q, to_k, to_v return our rows, to_out is the identity"],
            deviations=(
                ["none on the operator"]
                if n == seq_len
                else [
                    "Fewer keys than seq_len: it uses the first rows of its projections, we the first columns of ours."
                ]
            ),
            differs=[f"linformer:k={k_dim},scale=0.2", "full", *differs],
        )

    case("linformer_plain", 31, 32, 32, 6, 32)
    case("linformer_short", 32, 20, 27, 7, 40)


# --- longformer: transformers ----------------------------------------------------------------------------------------


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


# --- reformer: transformers and reformer-pytorch ---------------------------------------------------------------------


class RecordedRandn:
    """torch.randn that keeps what it drew."""

    def __init__(self):
        self.drawn = []
        self.original = torch.randn

    def __call__(self, *args, dtype=torch.float32, **kwargs):
        self.drawn.append(self.original(*args, dtype=torch.float32, **kwargs))
        return self.drawn[-1].to(dtype)


def hash_margin(q, rotations):
    """The smallest distance between the two best buckets of any token."""
    scores = torch.einsum("hnd,hrda->hrna", q.double(), rotations.double())
    best = torch.cat([scores, -scores], dim=-1).topk(2, dim=-1).values
    return float((best[..., 0] - best[..., 1]).min())


def wrapped_twice(q, rotations, chunk):
    """True if the chunk that is reached over the border of a round holds a token of the first chunk too."""
    scores = torch.einsum("hnd,hrda->hrna", q, rotations)
    order = torch.cat([scores, -scores], dim=-1).argmax(dim=-1).argsort(dim=-1, stable=True)
    first, last = order[..., :chunk], order[..., -chunk:].roll(1, dims=1)
    return bool((first[..., :, None] == last[..., None, :]).any())


WRAPPED = (
    "Chunks form one ring over all rounds, so the first chunk of a round also reads the last chunk of the round before "
    "(wrap=on, restrict_to_bucket=off)."
)
IN_DOUBLE = (
    "In float32 its merge of rounds works on logits near its self mask, where float32 has steps of 0.004 to 0.008: a "
    "token that is alone in all rounds (token 0 when causal) comes out 0.2 to 0.4 % too small. The package is run "
    "in double, where that is gone."
)
TWICE = (
    "A token in both of these chunks is counted twice there and once here; the seed is the first one for which no token "
    "is in both."
)
MASKED_SELF = (
    "It overwrites a token's logit with itself by a large negative number; beside any other key that has weight 0 in "
    "float32, alone weight 1: our self=fallback."
)
ALL_PAIRS = "A pair found in several rounds is counted in each (dedup=off)."
NORM = "It divides by sqrt(mean(x^2) + 1e-6), we by the norm: keys differ by less than 1e-6 relatively."


def first_seed(seed, draw_all, rounds, chunk):
    while True:
        q, rotations = draw_all(seed)
        if all(hash_margin(q, part) > SMALLEST_MARGIN for part in rotations) and (
            rounds == 1 or len(rotations) > 1 or not wrapped_twice(q, rotations[0], chunk)
        ):
            return seed
        seed += 1


def reformer_transformers_cases():
    from transformers import ReformerConfig
    from transformers.models.reformer.modeling_reformer import LSHSelfAttention

    def case(
        name,
        seed,
        n,
        chunk,
        buckets,
        rounds,
        causal=False,
        before=1,
        after=0,
        heads=2,
        d=16,
        differs=(),
        factors=None,
    ):
        config = ReformerConfig(
            hidden_size=heads * d,
            num_attention_heads=heads,
            attention_head_size=d,
            num_hashes=rounds,
            num_buckets=factors or buckets,
            lsh_attn_chunk_length=chunk,
            lsh_num_chunks_before=before,
            lsh_num_chunks_after=after,
            is_decoder=causal,
            lsh_attention_probs_dropout_prob=0.0,
        )
        halves = [b // 2 for b in factors or [buckets]]

        def draw_all(s):
            q = draw(s, (heads, n, d))[0]
            torch.manual_seed(s)
            rotations = torch.randn(heads, d, rounds, sum(halves)).transpose(1, 2)
            return q, list(rotations.split(halves, dim=-1))

        seed = first_seed(seed, draw_all, rounds if before else 1, chunk)
        q, rotations = draw_all(seed)
        v = draw(seed + 1000, (heads, n, d))[0]
        config.hash_seed = seed
        in_double = causal and rounds > 1
        kind = torch.float64 if in_double else torch.float32
        module = LSHSelfAttention(config, 0).eval().to(kind)
        module.query_key = Given(heads_last(q).to(kind))
        recorded = RecordedRandn()

        def operator(values):
            module.value = Given(heads_last(values).to(kind))
            with mock.patch("torch.randn", recorded):
                return heads_first(module(torch.zeros(1, n, heads * d)).hidden_states, heads).float()

        operator(v)
        assert torch.equal(recorded.drawn[-1].transpose(1, 2), torch.cat(rotations, dim=-1))
        names = ["rotations"] if len(rotations) == 1 else ["rotations_1", "rotations_2"]
        spec = f"reformer:chunk={chunk},buckets={buckets},rounds={rounds},dedup=off,restrict_to_bucket=off"
        if before != 1:
            spec += f",look_back={before}"
        if after:
            spec += f",look_ahead={after}"
        if before + after:
            spec += ",wrap=on"
        if causal:
            spec += ",causal=on"
        deviations = [MASKED_SELF, NORM] + ([IN_DOUBLE] if in_double else [])
        if before + after:
            deviations.append(WRAPPED)
        if rounds > 1:
            deviations += [ALL_PAIRS] + ([TWICE] if before + after else [])
        keys = q / q.norm(dim=-1, keepdim=True)
        add(
            name,
            spec,
            "transformers",
            seed,
            q,
            q,
            v,
            operator,
            logit=largest_logit(q, keys, 1.0),
            weights=True,
            tensors=dict(zip(names, rotations)),
            injected=["the random rotations, recorded as the layer draws them"],
            switched_off=["query_key and value return our rows", "dropout 0"],
            deviations=deviations,
            differs=[
                spec + ",self=always",
                spec.replace("restrict_to_bucket=off", "restrict_to_bucket=on"),
                *differs,
                *([spec.replace("wrap=on", "wrap=off")] if "wrap" in spec else []),
            ],
        )

    case("reformer_one_round", 51, 48, 8, 8, 1)
    case("reformer_causal", 52, 48, 8, 8, 1, causal=True)
    case("reformer_two_rounds", 100, 64, 8, 16, 2, heads=1)
    case("reformer_two_rounds_causal", 200, 64, 8, 16, 2, heads=1, causal=True)
    case("reformer_own_chunk", 53, 48, 8, 8, 3, before=0)
    case("reformer_ahead", 54, 48, 6, 8, 1, after=1)
    case("reformer_factorised", 55, 72, 9, 144, 1, heads=1, factors=[16, 8])


def reformer_pytorch_cases():
    from reformer_pytorch.reformer_pytorch import LSHAttention

    def case(name, seed, n, chunk, rounds, causal=False, across=True, d=16):
        def draw_all(s):
            q = draw(s, (1, n, d))[0]
            torch.manual_seed(s)
            return q, [torch.randn(1, d, rounds, n // chunk // 2).transpose(1, 2)]

        seed = first_seed(seed, draw_all, rounds if across else 1, chunk)
        q, (rotations,) = draw_all(seed)
        v = draw(seed + 1000, (1, n, d))[0]
        in_double = causal and rounds > 1
        kind = torch.float64 if in_double else torch.float32
        module = LSHAttention(
            bucket_size=chunk, n_hashes=rounds, causal=causal, attend_across_buckets=across
        ).eval()
        recorded = RecordedRandn()

        def operator(values):
            torch.manual_seed(seed)
            with mock.patch("torch.randn", recorded):
                return module(q.to(kind), values.to(kind))[0].float()

        operator(v)
        assert torch.equal(recorded.drawn[-1].transpose(1, 2), rotations)
        across_text = "restrict_to_bucket=off,wrap=on" if across else "restrict_to_bucket=on"
        spec = (
            f"reformer:chunk={chunk},buckets={n // chunk},rounds={rounds},dedup=off,{across_text},scale={d ** -0.5}"
            + (",causal=on" if causal else "")
        )
        deviations = [
            "It multiplies the logits of unit keys by d^-1/2 once more: our scale is set to that.",
            "It uses n/m buckets, the paper 2n/m: our buckets is set to that.",
            MASKED_SELF,
        ] + ([IN_DOUBLE] if in_double else [])
        if across:
            deviations.append(WRAPPED)
        if rounds > 1:
            deviations += [ALL_PAIRS] + ([TWICE] if across else [])
        keys = q / q.norm(dim=-1, keepdim=True)
        without_scale = spec.replace(f",scale={d ** -0.5}", "")
        add(
            name,
            spec,
            "reformer-pytorch",
            seed,
            q,
            q,
            v,
            operator,
            logit=largest_logit(q, keys, d**-0.5),
            weights=True,
            tensors={"rotations": rotations},
            injected=["the random rotations, recorded as the layer draws them"],
            switched_off=["no dropout"],
            deviations=deviations,
            differs=[without_scale, spec + ",self=always"],
        )

    case("reformer_lucidrains", 61, 64, 8, 1)
    case("reformer_lucidrains_causal", 300, 64, 8, 2, causal=True)
    case("reformer_lucidrains_buckets", 62, 64, 8, 2, across=False)


# --- bigbird: transformers -------------------------------------------------------------------------------------------


def bigbird_cases():
    from transformers import BigBirdConfig
    from transformers.models.big_bird.modeling_big_bird import BigBirdBlockSparseAttention, BigBirdModel

    def case(name, seed, n, block, random, heads=2, d=8, differs=()):
        config = BigBirdConfig(
            hidden_size=heads * d,
            num_attention_heads=heads,
            num_random_blocks=random,
            block_size=block,
            attention_type="block_sparse",
            attention_probs_dropout_prob=0.0,
        )
        module = BigBirdBlockSparseAttention(config, seed=seed).train()
        q, k, v = draw(seed, *[(heads, n, d)] * 3)
        module.query, module.key = Given(heads_last(q)), Given(heads_last(k))
        blocked, band, from_mask, to_mask = BigBirdModel.create_masks_for_block_sparse_attn(
            torch.ones(1, n), block
        )
        plans = []
        draw_plan = module._bigbird_block_rand_mask_with_head

        def recorded_plan(*args, **kwargs):
            plans.append(draw_plan(*args, **kwargs))
            return plans[-1]

        module._bigbird_block_rand_mask_with_head = recorded_plan

        def operator(values):
            module.value = Given(heads_last(values))
            out = module(
                torch.zeros(1, n, heads * d),
                band_mask=band,
                from_mask=from_mask,
                to_mask=to_mask,
                from_blocked_mask=blocked,
                to_blocked_mask=blocked,
            )[0]
            return heads_first(out, heads)

        operator(v)
        blocks = n // block
        random_blocks = np.full((heads, blocks, random), -1, dtype=np.int32)
        random_blocks[:, 1:-1] = np.stack(plans[-1])
        for plan in random_blocks:  # a block read twice would count twice there and once here
            for row in range(1, blocks - 1):
                read = [*plan[row], *{0, row - 1, row, row + 1, blocks - 1}]
                assert len(set(read)) == len(read), (name, row, read)
        add(
            name,
            f"bigbird:block={block},random={random}",
            "transformers",
            seed,
            q,
            k,
            v,
            operator,
            logit=largest_logit(q, k, 1 / math.sqrt(d)),
            weights=True,
            tensors={"random_blocks": random_blocks},
            injected=[
                "the random blocks, recorded as the layer draws them; rows of the first and last block are not read"
            ],
            switched_off=["query, key and value return our rows", "dropout 0"],
            deviations=[
                "In evaluation mode it draws nothing and reads block 0 another r times: it is run in training mode.",
                f"With more than 2 r + 5 = {2 * random + 5} blocks its planner draws from the first ones only; which are "
                "drawn does not matter here, they are injected.",
                "With r + 5 < blocks <= 2 r + 5 its planner fails for r = 2 (9 blocks of 5): not tried.",
            ],
            differs=["full", *differs],
        )

    case("bigbird_many_blocks", 71, 48, 4, 2)
    case("bigbird_three_random", 72, 60, 5, 3)


# --- image: local-attention ------------------------------------------------------------------------------------------


def image_cases():
    from local_attention import LocalAttention

    def case(name, spec, seed, n, window, causal, back, differs, heads=2, d=8):
        module = LocalAttention(
            window, causal=causal, look_backward=back, autopad=True, use_rotary_pos_emb=False
        ).eval()
        q, k, v = draw(seed, *[(heads, n, d)] * 3)
        mask = torch.ones(1, n, dtype=torch.bool)
        add(
            name,
            spec,
            "local-attention",
            seed,
            q,
            k,
            v,
            lambda values: module(q[None], k[None], values[None], mask=mask)[0],
            logit=largest_logit(q, k, 1 / math.sqrt(d)),
            weights=True,
            switched_off=["rotary position embedding, dropout"],
            deviations=(
                [
                    f"n = {n} is padded to a multiple of the window of {window} (autopad); padding is masked and cut off."
                ]
                if n % window
                else []
            ),
            differs=differs,
        )

    case(
        "image_causal",
        "image:query_block=8,memory=8,causal=on",
        81,
        37,
        8,
        True,
        1,
        [
            "image:query_block=8,memory=7,causal=on",
            "image:query_block=8,memory=8,causal=off",
            "image:query_block=7,memory=8,causal=on",
        ],
    )
    case(
        "image_long_memory",
        "image:query_block=6,memory=12,causal=on",
        82,
        40,
        6,
        True,
        2,
        ["image:query_block=6,memory=6,causal=on"],
    )
    case(
        "image_two_way",
        "image:query_block=8,memory=8,causal=off",
        83,
        37,
        8,
        False,
        1,
        ["image:query_block=8,memory=8,causal=on"],
    )


def main():
    DATA.mkdir(exist_ok=True)
    torch.set_num_threads(1)
    for make in (
        full_cases,
        linear_cases,
        linformer_cases,
        longformer_cases,
        reformer_transformers_cases,
        reformer_pytorch_cases,
        bigbird_cases,
        image_cases,
    ):
        make()
    (DATA / "cases.json").write_text(json.dumps(cases, indent=1) + "\n")
    print(f"{len(cases)} cases")


if __name__ == "__main__":
    main()

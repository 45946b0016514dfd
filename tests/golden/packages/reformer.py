# SPDX-License-Identifier: GPL-3.0-or-later
"""Reformer: transformers and reformer-pytorch."""

from unittest import mock

import torch

from recorder import SMALLEST_MARGIN, Given, heads_last, heads_first, draw, largest_logit, add


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

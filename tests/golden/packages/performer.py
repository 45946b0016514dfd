# SPDX-License-Identifier: GPL-3.0-or-later
"""Performer: lucidrains' performer-pytorch, and Favor in pytorch-fast-transformers."""

import functools
from unittest import mock

import torch

from recorder import draw, add


def performer_cases():
    from performer_pytorch import performer_pytorch

    def case(name, seed, n_q, n_k, features, kind, differs, causal=False, size=0.7, heads=2, d=8):
        torch.manual_seed(seed)
        module = performer_pytorch.FastAttention(
            d, nb_features=features, causal=causal, generalized_attention=kind == "relu"
        ).eval()
        q, k, v = draw(seed, (heads, n_q, d), (heads, n_k, d), (heads, n_k, d))
        q, k = size * q, size * k
        if causal:  # in pieces, as without its GPU kernel
            module.causal_linear_fn = functools.partial(
                performer_pytorch.causal_linear_attention_noncuda, chunk_size=4, eps=0.0
            )
        without_eps = functools.partial(performer_pytorch.softmax_kernel, eps=0.0)

        def operator(values):
            with mock.patch.object(performer_pytorch, "softmax_kernel", without_eps):
                return module(q[None], k[None], values[None])[0]

        spec = f"performer:features={features},kind={kind}" + (",causal=on" if causal else "")
        add(
            name,
            spec,
            "performer-pytorch",
            seed,
            q,
            k,
            v,
            operator,
            logit=0.0,
            weights=True,
            tensors={"omega": module.projection_matrix.expand(heads, features, d)},
            injected=["omega as its constructor draws it, one for all heads"],
            switched_off=[
                *(["the 1e-4 that it adds to every feature"] if kind == "positive" else []),
                *(["the 1e-6 that it adds to sums of keys"] if causal else []),
            ],
            deviations=(
                [
                    "It subtracts the largest exponent of all keys, ours the largest up to each: without 1e-4 it cancels."
                ]
                if kind == "positive"
                else ["Its 1e-3 beside a ReLU is our eps, with the same default."]
            ),
            differs=[spec.replace(*one) for one in differs],
        )

    case(
        "performer_positive",
        191,
        30,
        37,
        24,
        "positive",
        [("kind=positive", "kind=hyperbolic"), ("features=24", "features=24,scale=0.5")],
    )
    case(
        "performer_causal",
        192,
        33,
        33,
        16,
        "positive",
        [(",causal=on", ""), ("kind=positive", "kind=hyperbolic")],
        causal=True,
    )
    case(
        "performer_relu",
        193,
        30,
        30,
        20,
        "relu",
        [("kind=relu", "kind=relu,eps=0.1"), ("kind=relu", "kind=positive")],
    )
    case("performer_relu_causal", 194, 32, 32, 20, "relu", [(",causal=on", "")], causal=True)


def favor_cases():
    from fast_transformers.attention.causal_linear_attention import CausalLinearAttention
    from fast_transformers.attention.linear_attention import LinearAttention
    from fast_transformers.feature_maps import Favor, RandomFourierFeatures
    from fast_transformers.masking import FullMask, LengthMask, TriangularCausalMask

    def case(name, seed, n, features, kind, differs, causal=False, size=0.7, heads=2, d=8):
        torch.manual_seed(seed)
        features_of = (Favor if kind == "hyperbolic" else RandomFourierFeatures).factory(
            n_dims=2 * features, orthogonal=True, deterministic_eval=True
        )
        module = (CausalLinearAttention if causal else LinearAttention)(d, features_of, eps=0.0)
        module.feature_map.train().new_feature_map("cpu")
        module.eval()
        q, k, v = draw(seed, *[(heads, n, d)] * 3)
        q, k = size * q, size * k
        if kind == "trig":
            k = 1.5 * torch.nn.functional.normalize(k, dim=-1)
        mask = TriangularCausalMask(n) if causal else FullMask(n, n)
        lengths = LengthMask(torch.full((1,), n, dtype=torch.long))

        def operator(values):
            inputs = [x.transpose(0, 1)[None].contiguous() for x in (q, k, values)]
            return module(*inputs, mask, lengths, lengths)[0].transpose(0, 1)

        spec = f"performer:features={features},kind={kind}" + (",causal=on" if causal else "")
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
            tensors={"omega": module.feature_map.omega.T.expand(heads, features, d)},
            injected=["omega as its feature map draws it, one for all heads"],
            switched_off=["the 1e-6 that it adds to every denominator"],
            deviations=(
                [
                    "It leaves out exp(|x|^2/2), so that it approximates another kernel: keys are given the same norm, for which "
                    "that factor cancels."
                ]
                if kind == "trig"
                else []
            ),
            differs=[spec.replace(*one) for one in differs],
        )

    case("favor_hyperbolic", 195, 34, 16, "hyperbolic", [("kind=hyperbolic", "kind=positive")])
    case(
        "favor_causal",
        196,
        34,
        16,
        "hyperbolic",
        [("kind=hyperbolic", "kind=positive"), (",causal=on", "")],
        causal=True,
    )
    case("favor_trig", 197, 34, 24, "trig", [("kind=trig", "kind=hyperbolic")], size=0.5)

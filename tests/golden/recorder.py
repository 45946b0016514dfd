# SPDX-License-Identifier: GPL-3.0-or-later
"""What all packages have in common: inputs, the stand-ins for projections, and the list of cases."""


import importlib.metadata
import pathlib

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

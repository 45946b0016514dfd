# SPDX-License-Identifier: GPL-3.0-or-later
"""What the cases with relative positions have in common: our tensors of the positions, drawn, and the rows that they make."""

import torch

from recorder import draw


def positions(count, width):
    """R(x) for x = 0 .. count - 1: the sines of all frequencies, then their cosines."""
    frequencies = 10000.0 ** (-torch.arange(0, width, 2, dtype=torch.float64) / width)
    angles = torch.arange(count, dtype=torch.float64)[:, None] * frequencies
    return torch.cat([angles.sin(), angles.cos()], dim=-1).float()


def drawn(seed, heads, d):
    """rel_proj (H, d, d), content_bias and position_bias (H, d)."""
    return draw(seed + 500, (heads, d, d), (heads, d), (heads, d), size=d**-0.5)


def relative_rows(rel_proj, count):
    """(H, count, d): row x is R(x) times the head's projection."""
    return positions(count, rel_proj.shape[1]) @ rel_proj


def relative_logit(q, k, rel_proj, content_bias, position_bias, scale):
    """Bound of |logit|: the largest of the part with keys and of the part with distances, added."""
    rows = relative_rows(rel_proj, k.shape[1])
    content = (q + content_bias[:, None]) @ k.transpose(1, 2)
    distance = (q + position_bias[:, None]) @ rows.transpose(1, 2)
    return float(scale * (content.abs().max() + distance.abs().max()))

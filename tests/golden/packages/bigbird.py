# SPDX-License-Identifier: GPL-3.0-or-later
"""Bigbird: transformers."""

import math

import numpy as np
import torch

from recorder import Given, heads_last, heads_first, draw, largest_logit, add


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

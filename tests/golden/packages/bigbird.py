# SPDX-License-Identifier: GPL-3.0-or-later
"""Bigbird: transformers."""

import importlib.metadata
import json
import math

import numpy as np
import torch

from recorder import DATA, Given, heads_last, heads_first, draw, largest_logit, add


def bigbird_cases():
    from transformers import BigBirdConfig
    from transformers.models.big_bird.modeling_big_bird import BigBirdBlockSparseAttention, BigBirdModel

    def case(name, seed, n, block, random, heads=2, d=8, differs=(), injected=True):
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
            f"bigbird:block={block},random={random}" + ("" if injected else f",plan=official,seed={seed}"),
            "transformers",
            seed,
            q,
            k,
            v,
            operator,
            logit=largest_logit(q, k, 1 / math.sqrt(d)),
            weights=True,
            tensors={"random_blocks": random_blocks} if injected else None,
            injected=[
                "the random blocks, recorded as the layer draws them; rows of the first and last block are not read"
            ]
            if injected
            else [],
            switched_off=["query, key and value return our rows", "dropout 0"],
            deviations=[
                "In evaluation mode it draws nothing and reads block 0 another r times: it is run in training mode.",
                f"With more than 2 r + 5 = {2 * random + 5} blocks its planner draws from the first ones only.",
            ],
            differs=["full", *differs],
        )

    case("bigbird_many_blocks", 71, 48, 4, 2)
    case("bigbird_three_random", 72, 60, 5, 3)
    case(
        "bigbird_official",
        73,
        55,
        5,
        2,
        injected=False,
        differs=["bigbird:block=5,random=2,plan=official,seed=74", "bigbird:block=5,random=2,seed=73"],
    )


def bigbird_plan_cases():
    """The random blocks alone, as the layer reads them, for the lengths and sizes at which its planner takes another way."""
    from transformers import BigBirdConfig
    from transformers.models.big_bird.modeling_big_bird import BigBirdBlockSparseAttention, BigBirdModel

    def layer(block, random, heads, seed):
        config = BigBirdConfig(
            hidden_size=heads, num_attention_heads=heads, num_random_blocks=random, block_size=block
        )
        return BigBirdBlockSparseAttention(config, seed=seed).train()

    def as_read(n, block, random, heads, seed):
        module = layer(block, random, heads, seed)
        read = []

        def gather(params, indices):
            read.append(indices)
            return BigBirdBlockSparseAttention.torch_gather_b2(params, indices)

        module.torch_gather_b2 = gather
        blocked, band, from_mask, to_mask = BigBirdModel.create_masks_for_block_sparse_attn(
            torch.ones(1, n), block
        )
        module(
            torch.zeros(1, n, heads),
            band_mask=band,
            from_mask=from_mask,
            to_mask=to_mask,
            from_blocked_mask=blocked,
            to_blocked_mask=blocked,
        )
        return read[0][0].numpy()

    def as_planned(n, block, random, heads, seed):
        """At 2,048 tokens the original code takes the plan of the released models; the function is the same here."""
        module = layer(block, random, heads, seed)
        np.random.seed(seed)
        plans = [
            module._bigbird_block_rand_mask(4096, 4096, block, block, random, last_idx=1024) for _ in range(heads)
        ]
        return np.stack(plans)[:, : n // block - 2]

    plans = []
    for draw_plan, *sizes in [
        (as_read, 1024, 64, 3, 2, 0),
        (as_read, 1024, 32, 3, 3, 5),
        (as_read, 3072, 64, 3, 2, 1),
        (as_read, 3072, 96, 2, 2, 11),
        (as_read, 4096, 64, 3, 3, 4294967295),
        (as_read, 4096, 128, 1, 2, 7),
        (as_read, 3072, 192, 2, 2, 3),  # a single block is left for some rows and fills them
        (as_read, 4096, 256, 1, 2, 3),  # none is left: it fails
        (as_planned, 2048, 64, 3, 2, 2),
        (as_read, 512, 16, 3, 2, 0),
        (as_read, 1536, 64, 2, 2, 9),
        (as_read, 5120, 64, 3, 2, 8),
        (as_read, 200, 10, 1, 4, 6),
        (as_read, 64, 8, 3, 2, 1),  # r + 5 blocks
        (as_read, 90, 9, 5, 2, 4),
        (as_read, 100, 4, 10, 2, 3),  # two parts
        (as_read, 168, 8, 8, 3, 12),
        (as_read, 110, 10, 4, 2, 3),  # two parts, and it fails
        (as_read, 7, 1, 1, 2, 2),
    ]:
        n, block, random, heads, seed = sizes
        try:
            rows = draw_plan(n, block, random, heads, seed)
        except ValueError as problem:
            assert "broadcast" in str(problem), problem
            rows = None
        plans.append(
            {
                "n": n,
                "block": block,
                "random": random,
                "heads": heads,
                "seed": seed,
                "rows": None if rows is None else rows.reshape(-1).tolist(),
            }
        )
    listed = {"package": "transformers", "version": importlib.metadata.version("transformers"), "plans": plans}
    (DATA / "bigbird_plans.json").write_text(json.dumps(listed) + "\n")

# SPDX-License-Identifier: GPL-3.0-or-later
"""Synthesizer: mesh-tensorflow, which has an environment of its own (requirements-mesh-tensorflow.txt)."""

import math
from types import SimpleNamespace

import numpy as np
import torch

from recorder import draw, largest_logit, add

LENGTH = 512  # what its tables are built for, in some modes whatever is asked for


def run(mode, q, k, v, variables, causal=False, rank=16):
    """What its function computes with these values of its variables."""
    import mesh_tensorflow as mtf
    import tensorflow.compat.v1 as tf
    from mesh_tensorflow.transformer.attention import synthetic_attention

    heads, n, d = q.shape
    graph = mtf.Graph()
    with tf.Graph().as_default(), tf.Session() as session:
        mesh = mtf.Mesh(graph, "mesh")
        head, length = mtf.Dimension("heads", heads), mtf.Dimension("length", n)
        memory, key = mtf.Dimension("memory_length", n), mtf.Dimension("d_k", d)
        value = mtf.Dimension("d_v", v.shape[2])

        def imported(x, *dims):
            return mtf.import_tf_tensor(mesh, tf.constant(x.numpy()), mtf.Shape(dims))

        # The modes without queries give it the layer's input there, which has no heads and is not read.
        pure = mode in ("random", "factorized")
        queries = imported(q[0], length, key) if pure else imported(q, head, length, key)
        out = synthetic_attention(
            queries,
            imported(k, head, memory, key),
            imported(v, head, memory, value),
            memory,
            key,
            value,
            bias=imported(torch.full((n, n), -1e9).triu(1), length, memory) if causal else None,
            synthesize_mode=mode,
            factorized_dim=rank,
            max_length=LENGTH,
            context=SimpleNamespace(
                mesh=mesh, variable_dtype=mtf.VariableDType(tf.float32), mode="eval", train=False
            ),
        )
        out = mtf.transpose(out, mtf.Shape([head, length, value]))
        lowering = mtf.Lowering(graph, {mesh: mtf.placement_mesh_impl.PlacementMeshImpl([], [], [""])})
        found = lowering.export_to_tf_tensor(out)
        session.run(tf.global_variables_initializer())
        for variable in tf.global_variables():
            name = variable.name.split(":")[0]
            if name in variables:
                variable.load(np.ascontiguousarray(variables[name].numpy()), session)
        names = {variable.name.split(":")[0] for variable in tf.global_variables()}
        assert set(variables) <= names, (set(variables), names)
        session.run(lowering.copy_masters_to_slices())
        return torch.from_numpy(session.run(found))


def synthesizer_cases():
    def case(
        name, seed, n, mode, spec, make, differs, deviations=(), causal=False, size=1.0, d_v=8, heads=2, d=8
    ):
        q, k, v = draw(seed, (heads, n, d), (heads, n, d), (heads, n, d_v))
        q = size * q
        variables, tensors, logit, injected = make(seed + 500, q, k)
        spec = f"synthesizer:{spec}" + (",causal=on" if causal else "")
        add(
            name,
            spec,
            "mesh-tensorflow",
            seed,
            q,
            k,
            v,
            lambda values: run(mode, q, k, values, variables, causal),
            logit=logit,
            weights=True,
            tensors=tensors,
            injected=injected,
            switched_off=["dropout 0; only its function of queries, keys and values is called"],
            deviations=[
                *deviations,
                *(["The future is masked by a bias of -1e9, which leaves a weight of 0."] if causal else []),
            ],
            differs=[spec.replace(*one) for one in differs],
        )

    def table(seed, q, k):
        (logits,) = draw(seed, (q.shape[0], LENGTH, LENGTH))
        n = q.shape[1]
        used = logits[:, :n, :n]
        variables = {"R": logits.transpose(0, 1)}
        return (
            variables,
            {"logits": used},
            float(used.abs().max()),
            ["logits, drawn by us: its variable R, cut to n"],
        )

    def mixed(seed, q, k):
        variables, tensors, logit, injected = table(seed, q, k)
        variables["alpha"] = torch.tensor([math.log(0.7 / 0.3)])
        return variables, tensors, logit + largest_logit(q, k, 1.0), injected

    def network(seed, q, k):
        heads, n, d = q.shape
        (pi,) = draw(seed, (d, LENGTH))
        tensors = {
            "w1": torch.eye(d).repeat(heads, 1, 1),
            "b1": torch.zeros(heads, d),
            "w2": pi[:, :n].repeat(heads, 1, 1),
            "b2": torch.zeros(heads, n),
        }
        logit = float((q.relu() @ tensors["w2"]).abs().max())
        return {"pi/kernel": pi}, tensors, logit, ["w2, drawn by us: its kernel, cut to n, one for all heads"]

    one_layer = ["Its first layer is the projection of the queries: our w1 is the identity, biases are 0."]
    case(
        "synthesizer_random",
        181,
        29,
        "random",
        "mode=random",
        table,
        [("=random", "=random,alpha=0.5")],
        d_v=5,
    )
    case("synthesizer_causal", 182, 29, "random", "mode=random", table, [(",causal=on", "")], causal=True)
    case(
        "synthesizer_dense",
        183,
        30,
        "dense_minus",
        "mode=dense",
        network,
        [("=dense", "=dense,alpha=0.5")],
        one_layer,
        size=0.7,
    )
    case(
        "synthesizer_mixed",
        184,
        30,
        "random_plus_alpha",
        "mode=random,alpha=0.7,scale=1",
        mixed,
        [("alpha=0.7", "alpha=0.5"), ("scale=1", "scale=0.5")],
        [
            "Its queries come in scaled: our scale is 1.",
            "Its alpha is the sigmoid of a variable, set so that it is 0.7.",
        ],
        size=0.3,
    )

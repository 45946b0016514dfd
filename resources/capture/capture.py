#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Records the queries, keys and values of every layer of a Hugging Face model for Attnscope.

    pip install -r requirements.txt
    python capture.py sentence-transformers/all-MiniLM-L6-v2 paragraph.txt minilm.safetensors
    attnscope minilm.safetensors

The model runs once over the text. Its attention function is replaced, through transformers'
AttentionInterface, by one that keeps what it is given and then calls the stock one, so that the numbers
are those the model works with: after rotary positions, before heads of keys are repeated for grouped
queries. The mask function is registered under the same name; without that transformers would drop the
mask in silence.

The file holds, for each layer l, `layer.{l}.q` (heads, tokens, width), `layer.{l}.k` and `layer.{l}.v`
(key heads, tokens, width), and in its metadata the tokens, the scale and whether the model is causal.
"""

import argparse
import json
import sys

import torch
from safetensors.torch import save_file
from transformers import AutoModel, AutoTokenizer, AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS

FORMAT_VERSION = "1"
NAME = "attnscope_capture"
DTYPES = {"float16": torch.float16, "bfloat16": torch.bfloat16, "float32": torch.float32}


class Recorder:
    """Keeps what every layer's attention is given, in the order in which the layers run."""

    def __init__(self):
        self.layers = []

    def __call__(self, module, query, key, value, attention_mask, **kwargs):
        result = sdpa_attention_forward(module, query, key, value, attention_mask, **kwargs)
        scaling = kwargs.get("scaling")
        causal = kwargs.get("is_causal")
        self.layers.append({
            "index": getattr(module, "layer_idx", None),
            "q": query[0].detach().float().cpu(),
            "k": key[0].detach().float().cpu(),
            "v": value[0].detach().float().cpu(),
            "out": result[0][0].detach().float().cpu(),  # (tokens, heads, width)
            "scale": float(scaling) if scaling is not None else query.shape[-1] ** -0.5,
            "causal": bool(getattr(module, "is_causal", False) if causal is None else causal),
        })
        return result


def recompute(layer, dtype):
    """The layer's attention from what will be saved, in double precision; (tokens, heads, width)."""
    q, k, v = (layer[name].to(dtype).double() for name in "qkv")
    share = q.shape[0] // k.shape[0]
    k, v = k.repeat_interleave(share, 0), v.repeat_interleave(share, 0)
    logits = layer["scale"] * q @ k.transpose(-1, -2)
    if layer["causal"]:
        rows, columns = logits.shape[-2:]
        mask = torch.ones(rows, columns, dtype=torch.bool).tril(columns - rows)
        logits = logits.masked_fill(~mask, float("-inf"))
    return (logits.softmax(-1) @ v).transpose(0, 1)


def display_tokens(tokenizer, ids):
    """What to write beside a row: the text of each token, special tokens by their names."""
    texts = []
    for name, token in zip(tokenizer.convert_ids_to_tokens(ids), ids):
        special = token in tokenizer.all_special_ids
        # Byte-level vocabularies spell letters in a code of their own, so they are decoded; the others mark
        # word pieces (##ing), which is worth seeing.
        coded = any(mark in name for mark in ("\u0120", "\u010a", "\u00c3", "\u00e2"))
        texts.append(tokenizer.decode([token]) if coded and not special else name.replace("\u2581", " "))
    return texts


def wanted_layers(text, count):
    if text == "all":
        return list(range(count))
    layers = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        layers += range(int(first), int(last or first) + 1)
    bad = [layer for layer in layers if not 0 <= layer < count]
    if bad:
        sys.exit(f"--layers: there is no layer {bad[0]}; the model has 0 to {count - 1}")
    return sorted(set(layers))


def capture(arguments):
    recorder = Recorder()
    AttentionInterface.register(NAME, recorder)
    AttentionMaskInterface.register(NAME, ALL_MASK_ATTENTION_FUNCTIONS["sdpa"])
    tokenizer = AutoTokenizer.from_pretrained(arguments.model)
    model = AutoModel.from_pretrained(arguments.model, dtype=torch.float32, attn_implementation=NAME).eval()
    with open(arguments.text, encoding="utf-8") as file:
        text = " ".join(file.read().split())
    limit = {"truncation": True, "max_length": arguments.max_tokens} if arguments.max_tokens else {}
    encoded = tokenizer(text, return_tensors="pt", **limit)
    with torch.no_grad():
        model(**encoded)
    if not recorder.layers:
        sys.exit(f"{arguments.model}: its attention does not go through transformers' AttentionInterface, "
                 "so nothing could be recorded; try a newer version of transformers")
    return recorder.layers, display_tokens(tokenizer, encoded["input_ids"][0].tolist())


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("model", help="name on the hub, or a folder")
    parser.add_argument("text", help="text file in UTF-8")
    parser.add_argument("output", help="the .safetensors file to write")
    parser.add_argument("--dtype", choices=DTYPES, default="float16", help="precision of the file")
    parser.add_argument("--layers", default="all", help="e.g. 0,3,8-11 (default: all)")
    parser.add_argument("--max-tokens", type=int, default=0, help="cut the text after so many tokens")
    parser.add_argument("--model-name", default="", help="what to write as the model's name (default: as given)")
    arguments = parser.parse_args()

    layers, tokens = capture(arguments)
    dtype = DTYPES[arguments.dtype]
    tensors = {}
    worst = 0.0
    for number in wanted_layers(arguments.layers, len(layers)):
        layer = layers[number]
        for name in "qkv":
            tensors[f"layer.{number}.{name}"] = layer[name].to(dtype).contiguous()
        if layer["q"].shape[-2] > layer["k"].shape[-2]:
            print(f"layer {number}: fewer keys than queries, not checked", file=sys.stderr)
            continue
        error = (recompute(layer, dtype) - layer["out"].double()).abs().max().item()
        size = layer["out"].abs().max().item()
        worst = max(worst, error / size)
        print(f"layer {number}: q {tuple(layer['q'].shape)}, k {tuple(layer['k'].shape)}; recomputed from the "
              f"file's precision: largest difference {error:.2e}, largest output {size:.2f}")
    metadata = {
        "format_version": FORMAT_VERSION,
        "layout": "hnd",
        "tokens": json.dumps(tokens, ensure_ascii=False),
        "model": arguments.model_name or arguments.model,
        "scale": repr(layers[0]["scale"]),
        "causal": "true" if layers[0]["causal"] else "false",
        "rope": "applied or none",
        "dtype_source": "float32",
        "tool": "attnscope capture.py 1",
    }
    save_file(tensors, arguments.output, metadata=metadata)
    print(f"{arguments.output}: {len(tensors)} tensors, {len(tokens)} tokens; worst relative difference {worst:.2e}")
    if worst > 0.05:
        sys.exit("The recomputed attention differs: the model masks, biases or caps its scores in a way that the "
                 "file does not hold (a window, relative positions, sinks). The numbers were written all the same.")


if __name__ == "__main__":
    main()

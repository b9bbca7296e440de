#!/usr/bin/env python3
"""check_export.py SAM FOLDER: trains a short run of each family of networks on FOLDER, a folder of class folders of PNG pictures of
one size, exports it, and holds onnxruntime (and PyTorch, if it is installed, for the perceptron) to the command's own logits.

Needs numpy, pillow, onnx, onnxruntime and safetensors.
"""
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy
import onnx
import onnxruntime
from PIL import Image
from safetensors.numpy import load_file

MODELS = sys.argv[3:] or ["mlp-16", "lenet", "resnet-8", "wrn-10-1", "wrn-10-1-nobn", "resnet-8-noshort", "shake-shake-26-2x4d", "pyramidnet-20-12"]
# Largest difference of a logit, as a share of the largest logit.
TOLERANCE = 1e-5


def run(*arguments):
    done = subprocess.run([str(argument) for argument in arguments], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, arguments))}: {done.stderr}")
    return done.stdout


def compare(name, found, expected):
    difference = numpy.abs(found - expected).max() / numpy.abs(expected).max()
    print(f"{name}: largest difference {difference:.1e}")
    return difference <= TOLERANCE


def perceptron(weights, values):
    import torch

    x = torch.from_numpy(values).flatten(1)
    names = [name.removesuffix(".weight") for name in weights if name.endswith(".weight")]
    # The hidden layers in their order, the logits behind them.
    for name in sorted(names, key=lambda name: (name == "head", name)):
        x = torch.nn.functional.linear(x, *(torch.from_numpy(weights[f"{name}.{part}"]) for part in ("weight", "bias")))
        x = x if name == "head" else x.relu()
    return x.numpy()


def main():
    sam, folder = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
    images = sorted(folder.glob("*/*.png"))[::7]
    pictures = [numpy.asarray(Image.open(path).convert("RGB"), dtype=numpy.float32) for path in images]
    pixels = numpy.stack(pictures).transpose(0, 3, 1, 2)
    good = True
    with tempfile.TemporaryDirectory() as place:
        for model in MODELS:
            out = Path(place, model)
            run(sam, "train", "--data", folder, "--model", model, "--epochs", 2, "--batch", 8, "--out", out)
            lines = run(sam, "predict", out, *images, "--json").splitlines()
            expected = numpy.array([json.loads(line)["logits"] for line in lines])
            file = Path(place, f"{model}.onnx")
            run(sam, "export", out, "--out", file)
            onnx.checker.check_model(onnx.load(file), full_check=True)
            session = onnxruntime.InferenceSession(file)
            found = session.run(["logits"], {"pixels": pixels})[0]
            good &= compare(f"{model} in onnxruntime", found, expected)
            if model.startswith("mlp"):
                try:
                    import torch  # noqa: F401
                except ImportError:
                    print("PyTorch is not installed: not compared")
                    continue
                file = Path(place, f"{model}.safetensors")
                run(sam, "export", out, "--out", file)
                metadata = json.loads(file.read_bytes()[8:].split(b"\x00")[0][: int.from_bytes(file.read_bytes()[:8], "little")])
                lines = numpy.array(json.loads(metadata["__metadata__"]["standardise"]), dtype=numpy.float32)
                slope, offset = lines.T[..., None, None]
                found = perceptron(load_file(file), pixels * slope + offset)
                good &= compare(f"{model} in PyTorch", found, expected)
    sys.exit(0 if good else 1)


main()

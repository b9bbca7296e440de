#!/usr/bin/env python3
"""check_export.py SAM FOLDER: trains a short run of each family of networks on FOLDER, a folder of class folders of coloured PNG pictures of
one size, exports it, and holds onnxruntime, and PyTorch by sam-train/python/load_export.py where it is installed, to the command's own
logits; and starts another run from the export, which must have the same bits.

Needs numpy, pillow, onnx, onnxruntime, and torch with safetensors for the last.
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

MODELS = sys.argv[3:] or ["mlp-16", "lenet", "resnet-8", "wrn-10-1", "wrn-10-1-nobn", "resnet-8-noshort", "shake-shake-26-2x4d", "pyramidnet-20-12", "pyramidnet-20-12-shakedrop", "resnet-50", "efficientnet-b0", "efficientnet-lite0"]
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


def in_torch(file, pixels):
    import torch

    sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "python"))
    from load_export import Network

    with torch.no_grad():
        return Network(file).eval()(torch.from_numpy(pixels)).numpy()


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
            file = Path(place, f"{model}.safetensors")
            run(sam, "export", out, "--out", file)
            again = run(sam, "train", "--data", folder, "--model", model, "--epochs", 1, "--batch", 8, "--lr", 0, "--weights", file,
                        "--out", f"{out}-again", "--json")
            weights = json.loads(Path(out, "result.json").read_text())["weights_sha256"]
            if json.loads(again)["weights_sha256"] != weights:
                print(f"{model}: other weights after the way out and back")
                good = False
            try:
                import torch  # noqa: F401
            except ImportError:
                print("PyTorch is not installed: not compared")
                continue
            good &= compare(f"{model} in PyTorch", in_torch(file, pixels), expected)
    sys.exit(0 if good else 1)


main()

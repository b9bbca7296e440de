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
# Largest difference of a logit, as a share of the largest logit; or so many times what single precision costs PyTorch itself, of networks that
# enlarge what rounding leaves, as EfficientNets do that have hardly been trained.
TOLERANCE = 1e-5
TIMES = 4


def run(*arguments):
    done = subprocess.run([str(argument) for argument in arguments], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, arguments))}: {done.stderr}")
    return done.stdout


def difference(found, expected):
    return numpy.abs(found - expected).max() / numpy.abs(expected).max()


def compare(name, found, expected, tolerance):
    print(f"{name}: largest difference {difference(found, expected):.1e}, allowed {tolerance:.1e}")
    return difference(found, expected) <= tolerance


def in_torch(file, pixels):
    """The logits in double precision and in single, or nothing where PyTorch is not installed."""
    try:
        import torch
    except ImportError:
        return None
    sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "python"))
    from load_export import Network

    network, pixels = Network(file).eval(), torch.from_numpy(pixels)
    with torch.no_grad():
        single = network(pixels).numpy()
        return network.double()(pixels.double()).numpy(), single


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
            file = Path(place, f"{model}.safetensors")
            run(sam, "export", out, "--out", file)
            again = run(sam, "train", "--data", folder, "--model", model, "--epochs", 1, "--batch", 8, "--lr", 0, "--weights", file,
                        "--out", f"{out}-again", "--json")
            weights = json.loads(Path(out, "result.json").read_text())["weights_sha256"]
            if json.loads(again)["weights_sha256"] != weights:
                print(f"{model}: other weights after the way out and back")
                good = False
            peer = in_torch(file, pixels)
            if peer is None:
                print("PyTorch is not installed: onnxruntime is compared with the command alone")
                good &= compare(f"{model} in onnxruntime", found, expected, TOLERANCE)
                continue
            exact, single = peer
            tolerance = max(TOLERANCE, TIMES * difference(single, exact))
            good &= compare(f"{model} here, beside PyTorch in double precision", expected, exact, tolerance)
            good &= compare(f"{model} in onnxruntime", found, exact, tolerance)
            good &= compare(f"{model} in PyTorch", single, expected, 2 * tolerance)
    sys.exit(0 if good else 1)


main()

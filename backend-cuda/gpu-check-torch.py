#!/usr/bin/env python3
"""SGD and SAM steps of PyTorch on the networks of `sam bench`, in every way that it has to make them fast.

    gpu-check-torch.py --model wrn-16-4 [--batch 128] [--image 28x28x1] [--device cuda|cpu] [--precision f32|tf32|bf16]
                       [--ways eager,graph,compile,reduce-overhead,max-autotune] [--seconds 5] [--best]

One line of JSON for each way: memory layout (channels first or last) and eager, a CUDA graph of the whole step, torch.compile,
or that in a mode with CUDA graphs (reduce-overhead, max-autotune); with --best only the one with the fastest SAM step. Steps of both kinds are made in turn, medians count. The batch is
on the device all the time. A way that fails is reported on standard error and left out.
"""

import argparse
import json
import statistics
import sys
import time

import torch
from torch.nn import functional as F

from gpu_check_networks import build

RHO = 0.05
WARM_UP = 3
# What torch.compile is told, and ways that use its CUDA graphs.
MODES = {"compile": None, "reduce-overhead": "reduce-overhead", "max-autotune": "max-autotune"}


class Steps:
    """Both kinds of step on one batch; neither asks the device for a number."""

    def __init__(self, options, image, layout, way):
        device = torch.device(options.device)
        torch.manual_seed(0)
        network = build(options.model, image).to(device=device, memory_format=layout)
        self.parameters = list(network.parameters())
        self.network = torch.compile(network, mode=MODES[way]) if way in MODES else network
        # Of its three forms the one with the fewest launches, where there is a device.
        form = {"fused": True} if options.device == "cuda" else {"foreach": True}
        self.optimizer = torch.optim.SGD(self.parameters, 0.01, 0.9, weight_decay=5e-4, nesterov=True, **form)
        self.marks = way in MODES and MODES[way] is not None
        height, width, channels = image
        images = torch.randn(options.batch, channels, height, width, device=device)
        self.images = images.contiguous(memory_format=layout)
        self.labels = torch.randint(0, 10, (options.batch,), device=device)
        self.cast = torch.autocast(options.device, torch.bfloat16, enabled=options.precision == "bf16")

    def gradient(self):
        if self.marks:
            # The outputs of the gradient before are not read any more.
            torch.compiler.cudagraph_mark_step_begin()
        # In place: a recorded step finds its gradients where they were.
        for parameter in self.parameters:
            if parameter.grad is not None:
                parameter.grad.zero_()
        with self.cast:
            loss = F.cross_entropy(self.network(self.images).float(), self.labels)
        loss.backward()

    def sgd(self):
        self.gradient()
        self.optimizer.step()

    def sam(self):
        self.gradient()
        gradients = [parameter.grad for parameter in self.parameters]
        with torch.no_grad():
            norm = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients)))
            before = torch._foreach_mul(self.parameters, 1.0)
            torch._foreach_add_(self.parameters, torch._foreach_mul(gradients, RHO / (norm + 1e-12)))
        self.gradient()
        with torch.no_grad():
            torch._foreach_copy_(self.parameters, before)
        self.optimizer.step()


def recorded(step):
    """The step as one CUDA graph."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(WARM_UP):
            step()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    return graph.replay


def measure(options, image, layout, way):
    steps = Steps(options, image, layout, way)
    kinds = [steps.sgd, steps.sam]
    for _ in range(WARM_UP):
        for step in kinds:
            step()
    if way == "graph":
        kinds = [recorded(step) for step in kinds]
    wait = torch.cuda.synchronize if options.device == "cuda" else lambda: None
    times = [[], []]
    end = time.perf_counter() + options.seconds
    while len(times[0]) < 5 or (time.perf_counter() < end and len(times[0]) < 200):
        for step, spent in zip(kinds, times):
            wait()
            started = time.perf_counter()
            step()
            wait()
            spent.append(time.perf_counter() - started)
    sgd, sam = (statistics.median(spent) for spent in times)
    return {
        "peer": f"torch {torch.__version__}",
        "model": options.model,
        "batch": options.batch,
        "precision": options.precision,
        "layout": "channels-last" if layout == torch.channels_last else "channels-first",
        "way": way,
        "params": sum(parameter.numel() for parameter in steps.parameters),
        "sgd_ms": 1e3 * sgd,
        "sam_ms": 1e3 * sam,
        "sam_images_per_s": options.batch / sam,
        "sam_over_sgd": sam / sgd,
        "steps": len(times[0]),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--image", default="28x28x1")
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--precision", choices=["f32", "tf32", "bf16"], default="f32")
    parser.add_argument("--ways", default="eager,graph,compile,reduce-overhead,max-autotune")
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--best", action="store_true")
    options = parser.parse_args()
    image = tuple(map(int, options.image.split("x")))
    if options.device == "cuda":
        if not torch.cuda.is_available():
            sys.exit("--device cuda: this PyTorch finds no GPU; use --device cpu")
        torch.backends.cudnn.benchmark = True
        # Convolutions and dense layers alike.
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = options.precision != "f32"

    results = []
    for way in options.ways.split(","):
        if options.device == "cpu" and way not in ("eager", "compile"):
            continue
        for layout in (torch.contiguous_format, torch.channels_last):
            try:
                results.append(measure(options, image, layout, way))
            except Exception as error:  # PyTorch's own are of many types
                print(f"{options.model}, {way}: left out: {error}".splitlines()[0], file=sys.stderr)
    if not results:
        sys.exit(f"--model {options.model}: no way of making steps has worked")
    if options.best:
        results = [min(results, key=lambda result: result["sam_ms"])]
    for result in results:
        print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()

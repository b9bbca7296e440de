#!/usr/bin/env python3
"""SGD and SAM steps of JAX on perceptrons and on the networks of `sam bench`, each step one compiled function.

    peers-jax.py --model mlp-256-128|lenet|wrn-16-1 [--batch 128] [--seconds 5]

One line of JSON. Steps of both kinds are made in turn, medians count. SGD has Nesterov momentum and weight decay.
"""

import argparse
import json
import statistics
import sys
import time

import jax
import jax.numpy as jnp
from jax import lax

CLASSES, RHO, RATE, MOMENTUM, DECAY, WARM_UP = 10, 0.05, 0.01, 0.9, 5e-4, 3


class Weights:
    """Draws parameters, each of which has a number."""

    def __init__(self):
        self.values = []

    def normal(self, *shape):
        fan_in = 1
        for extent in shape[:-1]:
            fan_in *= extent
        key = jax.random.PRNGKey(len(self.values))
        self.values.append(jax.random.normal(key, shape) * (2 / fan_in) ** 0.5)
        return len(self.values) - 1

    def constant(self, value, channels):
        self.values.append(jnp.full(channels, value))
        return len(self.values) - 1


def convolve(x, filters, stride=1):
    extent = filters.shape[0] // 2
    return lax.conv_general_dilated(
        x, filters, (stride, stride), [(extent, extent)] * 2, dimension_numbers=("NHWC", "HWIO", "NHWC")
    )


def pool(x):
    return lax.reduce_window(x, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")


def dense(w, inputs, outputs):
    matrix, bias = w.normal(inputs, outputs), w.constant(0.0, outputs)
    return lambda p, x: x @ p[matrix] + p[bias]


def convolution(w, kernel, inputs, outputs, stride=1):
    filters = w.normal(kernel, kernel, inputs, outputs)
    return lambda p, x: convolve(x, p[filters], stride)


def biased(w, layer, outputs):
    bias = w.constant(0.0, outputs)
    return lambda p, x: layer(p, x) + p[bias]


def norm(w, channels):
    scale, shift = w.constant(1.0, channels), w.constant(0.0, channels)

    def apply(p, x):
        mean, variance = x.mean((0, 1, 2)), x.var((0, 1, 2))
        return (x - mean) * lax.rsqrt(variance + 1e-5) * p[scale] + p[shift]

    return apply


def perceptron(w, sizes):
    layers = [dense(w, a, b) for a, b in zip(sizes, sizes[1:])]

    def logits(p, x):
        x = x.reshape(x.shape[0], -1)
        for layer in layers[:-1]:
            x = jax.nn.relu(layer(p, x))
        return layers[-1](p, x)

    return logits


def lenet(w):
    first = biased(w, convolution(w, 3, 1, 32), 32)
    second = biased(w, convolution(w, 3, 32, 64), 64)
    hidden, head = dense(w, 64 * 7 * 7, 128), dense(w, 128, CLASSES)

    def logits(p, x):
        for layer in (first, second):
            x = pool(jax.nn.relu(layer(p, x)))
        return head(p, jax.nn.relu(hidden(p, x.reshape(x.shape[0], -1))))

    return logits


def wide_resnet(w, depth, width):
    begin, inputs, blocks = convolution(w, 3, 1, 16), 16, []
    for stage, base in enumerate((16, 32, 64)):
        for number in range((depth - 4) // 6):
            outputs, stride = base * width, 2 if stage > 0 and number == 0 else 1
            same = inputs == outputs and stride == 1
            shortcut = None if same else convolution(w, 1, inputs, outputs, stride)
            blocks.append((
                norm(w, inputs),
                convolution(w, 3, inputs, outputs, stride),
                norm(w, outputs),
                convolution(w, 3, outputs, outputs),
                shortcut,
            ))
            inputs = outputs
    last, head = norm(w, inputs), dense(w, inputs, CLASSES)

    def logits(p, x):
        x = begin(p, x)
        for norm1, conv1, norm2, conv2, shortcut in blocks:
            active = jax.nn.relu(norm1(p, x))
            residual = x if shortcut is None else shortcut(p, active)
            x = conv2(p, jax.nn.relu(norm2(p, conv1(p, active)))) + residual
        return head(p, jax.nn.relu(last(p, x)).mean((1, 2)))

    return logits


def build(name, w):
    kind, *numbers = name.split("-")
    if kind == "mlp":
        return perceptron(w, [28 * 28, *map(int, numbers), CLASSES])
    if kind == "lenet":
        return lenet(w)
    if kind == "wrn":
        return wide_resnet(w, int(numbers[0]), int(numbers[1]))
    sys.exit(f"--model {name}: expected lenet, wrn-D-K or mlp-H1-H2..")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--seconds", type=float, default=5)
    options = parser.parse_args()
    weights = Weights()
    logits = build(options.model, weights)
    x = jax.random.normal(jax.random.PRNGKey(1), (options.batch, 28, 28, 1))
    labels = jax.random.randint(jax.random.PRNGKey(2), (options.batch,), 0, CLASSES)

    def loss(p):
        return -jnp.take_along_axis(jax.nn.log_softmax(logits(p, x)), labels[:, None], 1).mean()

    def update(p, m, g):
        g = [g + DECAY * p for g, p in zip(g, p)]
        m = [MOMENTUM * m + g for m, g in zip(m, g)]
        return [p - RATE * (g + MOMENTUM * m) for p, g, m in zip(p, g, m)], m

    def sgd(p, m):
        return update(p, m, jax.grad(loss)(p))

    def sam(p, m):
        g = jax.grad(loss)(p)
        scale = RHO / (jnp.sqrt(sum((g * g).sum() for g in g)) + 1e-12)
        return update(p, m, jax.grad(loss)([p + scale * g for p, g in zip(p, g)]))

    kinds, times = [jax.jit(step) for step in (sgd, sam)], [[], []]
    state = weights.values, [jnp.zeros_like(value) for value in weights.values]
    for _ in range(WARM_UP):
        for step in kinds:
            jax.block_until_ready(step(*state))
    end = time.perf_counter() + options.seconds
    while len(times[0]) < 5 or time.perf_counter() < end:
        for step, spent in zip(kinds, times):
            started = time.perf_counter()
            state = jax.block_until_ready(step(*state))
            spent.append(time.perf_counter() - started)
    sgd_ms, sam_ms = (1e3 * statistics.median(spent) for spent in times)
    result = {"peer": f"jax {jax.__version__}", "model": options.model, "batch": options.batch, "sgd_ms": sgd_ms, "sam_ms": sam_ms}
    print(json.dumps({**result, "params": sum(value.size for value in weights.values), "steps": len(times[0])}))


if __name__ == "__main__":
    main()

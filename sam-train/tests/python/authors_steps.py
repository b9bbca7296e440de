"""Steps of SAM as its authors' code takes them, in NumPy and double precision: prints the weights that tests/authors.rs expects.

    python3 sam-train/tests/python/authors_steps.py

The loss is cross-entropy plus 0.5 * decay * |w|^2; each group of M images has its own ascent and descent gradient of that loss; their mean
is cut to the length CLIP; then Nesterov momentum, or RMSProp as TensorFlow has it. The network is linear(4 -> 4), ReLU, linear(4 -> 3).
"""

import numpy as np

IMAGES, M, STEPS = 8, 4, 3
RHO, DECAY, CLIP, RATE, MOMENTUM = 0.05, 0.1, 0.265, 0.1, 0.9
SHAPES = [(4, 4), (4,), (4, 3), (3,)]


def batch(step):
    images = np.cos(0.3 * np.arange(IMAGES * 4) + step).reshape(IMAGES, 4)
    return images, (np.arange(IMAGES) * 7 + step) % 3


def split(w):
    parts, at = [], 0
    for shape in SHAPES:
        size = int(np.prod(shape))
        parts.append(w[at : at + size].reshape(shape))
        at += size
    return parts


def gradient(w, images, labels):
    a, b, c, d = split(w)
    before = images @ a + b
    hidden = np.maximum(before, 0)
    logits = hidden @ c + d
    share = np.exp(logits - logits.max(1, keepdims=True))
    share /= share.sum(1, keepdims=True)
    share[np.arange(len(labels)), labels] -= 1
    share /= len(labels)
    back = (share @ c.T) * (before > 0)
    parts = [images.T @ back, back.sum(0), hidden.T @ share, share.sum(0)]
    return np.concatenate([part.ravel() for part in parts]) + DECAY * w


def sam(w, images, labels):
    mean = np.zeros_like(w)
    for at in range(0, IMAGES, M):
        group = images[at : at + M], labels[at : at + M]
        clean = gradient(w, *group)
        mean += gradient(w + RHO * clean / np.linalg.norm(clean), *group) * M / IMAGES
    return mean


def run(base):
    w = 0.5 * np.sin(1 + 0.7 * np.arange(sum(int(np.prod(shape)) for shape in SHAPES)))
    v, m, lengths = np.ones_like(w), np.zeros_like(w), []
    for step in range(STEPS):
        g = sam(w, *batch(step))
        lengths.append(np.linalg.norm(g))
        g *= min(1, CLIP / lengths[-1])
        if base == "sgd":
            m = MOMENTUM * m + g
            w = w - RATE * (g + MOMENTUM * m)
        else:
            v = 0.9 * v + 0.1 * g * g
            m = MOMENTUM * m + g / np.sqrt(v + 0.001)
            w = w - RATE * m
    print(base, "lengths before the cut:", *(f"{length:.6f}" for length in lengths))
    print(", ".join(f"{value:.9f}" for value in w))


run("sgd")
run("rmsprop-tf")

"""Writes pytorch.csv: what PyTorch gives, in f64, for the networks of tests/golden.rs.

    python pytorch.py > pytorch.csv        # made with PyTorch 2.9.1 for CPUs

Weights, images and labels come from one integer formula, so that both sides start from the same bits. Of every tensor
two numbers are kept: its Euclidean norm and its inner product with a fixed vector, which together depend on every
element in its place. (The formula is no arithmetic progression: with one, windows of max-pooling have ties.)
"""

import math

import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)

CLASSES, BATCH, STEPS = 10, 6, 3
RHO, RATE, MOMENTUM, DECAY = 0.1, 0.05, 0.9, 5e-4


def sequence(first, n):
    i = torch.arange(first, first + n, dtype=torch.int64)
    return ((i * i % 1999 * 7919 + i * 104729) % 2003).double() / 2003 - 0.5


class Network:
    """A network by our names and layouts: filters [rows, columns, inputs, outputs], matrices [inputs, outputs]."""

    def __init__(self):
        self.tensors, self.statistics, self.count = {}, {}, 0
        self.training = self.follow = True

    def tensor(self, name, shape, kind):
        if name not in self.tensors:
            n = math.prod(shape)
            v = sequence(self.count, n).reshape(shape)
            self.count += n
            if kind == "weight":
                v = v * math.sqrt(12 / math.prod(shape[:-1]))
            elif kind == "scale":
                v = 1 + 0.2 * v
            else:
                v = 0.2 * v
            self.tensors[name] = v.requires_grad_()
        return self.tensors[name]

    def conv(self, name, x, channels, kernel=3, stride=1, bias=False):
        w = self.tensor(name + ".weight", (kernel, kernel, x.shape[1], channels), "weight")
        b = self.tensor(name + ".bias", (channels,), "bias") if bias else None
        return F.conv2d(x, w.permute(3, 2, 0, 1), b, stride, kernel // 2)

    def dense(self, name, x, outputs):
        w = self.tensor(name + ".weight", (x.shape[1], outputs), "weight")
        return x @ w + self.tensor(name + ".bias", (outputs,), "bias")

    def norm(self, name, x):
        c = x.shape[1]
        scale, shift = self.tensor(name + ".scale", (c,), "scale"), self.tensor(name + ".shift", (c,), "shift")
        mean, variance = self.statistics.setdefault(name, (torch.zeros(c), torch.ones(c)))
        momentum = 0.1 if self.training and self.follow else 0.0
        return F.batch_norm(x, mean, variance, scale, shift, self.training, momentum, 1e-5)


def flat(x):
    return x.permute(0, 2, 3, 1).flatten(1)


def lenet(n, x):
    x = F.max_pool2d(F.relu(n.conv("conv1", x, 32, bias=True)), 2)
    x = F.max_pool2d(F.relu(n.conv("conv2", x, 64, bias=True)), 2)
    return n.dense("head", F.relu(n.dense("dense", flat(x), 128)), CLASSES)


def resnet(n, x):
    x = F.relu(n.norm("stem_norm", n.conv("stem", x, 16)))
    for stage, channels in enumerate([16, 32, 64], 1):
        block, stride, shortcut = f"stage{stage}.0.", 1 if stage == 1 else 2, x
        if stride != 1:
            shortcut = n.norm(block + "projection_norm", n.conv(block + "projection", x, channels, 1, stride))
        y = F.relu(n.norm(block + "norm1", n.conv(block + "conv1", x, channels, stride=stride)))
        x = F.relu(n.norm(block + "norm2", n.conv(block + "conv2", y, channels)) + shortcut)
    return n.dense("head", x.mean((2, 3)), CLASSES)


def wide_resnet(n, x):
    x = n.conv("stem", x, 16)
    for stage, channels in enumerate([32, 64, 128], 1):
        block, stride = f"stage{stage}.0.", 1 if stage == 1 else 2
        y = F.relu(n.norm(block + "norm1", x))
        x = n.conv(block + "projection", y, channels, 1, stride)
        y = F.relu(n.norm(block + "norm2", n.conv(block + "conv1", y, channels, stride=stride)))
        x = n.conv(block + "conv2", y, channels) + x
    return n.dense("head", F.relu(n.norm("norm", x)).mean((2, 3)), CLASSES)


def show(network, quantity, tensor):
    tensor = tensor.detach().flatten()
    weights = sequence(17, tensor.numel())
    print(f"{network},{quantity},{tensor.norm().item()!r},{(tensor * weights).sum().item()!r}")


def run(name, forward, size, channels):
    x = sequence(5, BATCH * size * size * channels).reshape(BATCH, size, size, channels).permute(0, 3, 1, 2) * 4
    y = torch.arange(BATCH) * 7 % CLASSES
    n = Network()
    n.training = False
    show(name, "logits", forward(n, x))
    n.training = True
    w = n.tensors
    buffers = {k: torch.zeros_like(v) for k, v in w.items()}

    def gradient():
        loss = F.cross_entropy(forward(n, x), y)
        return loss, dict(zip(w, torch.autograd.grad(loss, list(w.values()))))

    for step in range(STEPS):
        n.follow = True
        loss, g = gradient()
        show(name, f"loss{step}", loss)
        if step == 0:
            for k, v in g.items():
                show(name, f"gradient.{k}", v)
        scale = RHO / math.sqrt(sum((v**2).sum().item() for v in g.values()))
        before = {k: v.detach().clone() for k, v in w.items()}
        with torch.no_grad():
            for k, v in w.items():
                v += scale * g[k]
        n.follow = False
        loss, g = gradient()
        show(name, f"perturbed{step}", loss)
        with torch.no_grad():
            for k, v in w.items():
                d = g[k] + DECAY * before[k]
                buffers[k] = MOMENTUM * buffers[k] + d
                v.copy_(before[k] - RATE * (d + MOMENTUM * buffers[k]))
    for k, v in w.items():
        show(name, f"weights.{k}", v)
    for k, (mean, variance) in n.statistics.items():
        show(name, f"mean.{k}", mean)
        show(name, f"variance.{k}", variance)


if __name__ == "__main__":
    print("network,quantity,norm,inner_product")
    run("lenet", lenet, 12, 1)
    run("resnet-8", resnet, 10, 3)
    run("wrn-10-2-projection", wide_resnet, 11, 2)

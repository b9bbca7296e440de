"""Writes zoo.csv: what PyTorch gives, in f64, for one SAM step of a small member of each family of the SAM paper's networks.

    python zoo.py > zoo.csv        # made with PyTorch 2.15.0 for CPUs

Quantities, inputs and layouts are those of pytorch.py. Padding, normalisation with its running statistics and the random
numbers are written out from their definitions. Layers are numbered in the order in which they are called, as random layers
count theirs.
"""

import math

import numpy
import torch
import torch.nn.functional as F

from pytorch import BATCH, CLASSES, DECAY, MOMENTUM, RATE, RHO, Network, sequence, show

KEY = (11, 8, 5)


def chacha8(key, blocks):
    """The words of so many blocks of ChaCha with 8 rounds, stream 0, as rows (Bernstein 2008)."""

    def quarter(x, a, b, c, d):
        for to, by, other, turn in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
            x[to] += x[by]
            mixed = x[other] ^ x[to]
            x[other] = mixed << numpy.uint32(turn) | mixed >> numpy.uint32(32 - turn)

    constants = numpy.frombuffer(b"expand 32-byte k", "<u4")
    words = [numpy.full(blocks, w, numpy.uint32) for w in [*constants, *numpy.frombuffer(key, "<u4")]]
    counters = numpy.arange(blocks, dtype=numpy.uint64)
    words += [counters.astype(numpy.uint32), (counters >> numpy.uint64(32)).astype(numpy.uint32)]
    words += [numpy.zeros(blocks, numpy.uint32)] * 2
    x = [w.copy() for w in words]
    for _ in range(4):
        for column in range(4):
            quarter(x, column, 4 + column, 8 + column, 12 + column)
        for i in range(4):
            quarter(x, i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4)
    return numpy.stack([a + b for a, b in zip(x, words)], 1)


class Branches(torch.autograd.Function):
    """A sum of branches, each times a factor forward and another one backward."""

    @staticmethod
    def forward(context, forward, backward, *branches):
        context.backward_factors = backward
        return sum(f[:, None, None, None] * x for f, x in zip(forward, branches))

    @staticmethod
    def backward(context, g):
        return None, None, *(f[:, None, None, None] * g for f in context.backward_factors)


def around(extent, kernel, stride):
    total = max((math.ceil(extent / stride) - 1) * stride + kernel - extent, 0)
    return total // 2, total - total // 2


def same(x, kernel, stride):
    (top, bottom), (left, right) = around(x.shape[2], kernel, stride), around(x.shape[3], kernel, stride)
    return F.pad(x, (left, right, top, bottom)), (top, bottom, left, right)


class Zoo(Network):
    def __init__(self, momentum=0.1, eps=1e-5):
        super().__init__()
        self.momentum, self.eps = momentum, eps
        self.fresh, self.node = False, 0

    def number(self):
        self.node += 1
        return self.node - 1

    def uniform(self, node, values):
        blocks = math.ceil(values / 16)
        key = numpy.array([*KEY, node], "<u8").tobytes()
        words = chacha8(key, BATCH * blocks).reshape(BATCH, -1)[:, :values]
        return torch.from_numpy((words >> numpy.uint32(8)).astype(numpy.float64) / 2**24)

    def conv(self, name, x, channels, kernel=3, stride=1, bias=False, groups=1, padding=None):
        self.number()
        w = self.tensor(name + ".weight", (kernel, kernel, x.shape[1] // groups, channels), "weight")
        b = self.tensor(name + ".bias", (channels,), "bias") if bias else None
        x = same(x, kernel, stride)[0] if padding is None else F.pad(x, [padding] * 4)
        return F.conv2d(x, w.permute(3, 2, 0, 1), b, stride, groups=groups)

    def dense(self, name, x, outputs):
        self.number()
        return super().dense(name, x, outputs)

    def norm(self, name, x):
        self.number()
        c = x.shape[1]
        scale, shift = self.tensor(name + ".scale", (c,), "scale"), self.tensor(name + ".shift", (c,), "shift")
        mean, variance = self.statistics.setdefault(name, (torch.zeros(c), torch.ones(c)))
        if self.training:
            m, v = x.mean((0, 2, 3)), x.var((0, 2, 3), unbiased=self.unbiased)
            if self.follow:
                mean += self.momentum * (m.detach() - mean)
                variance += self.momentum * (v.detach() - variance)
            v = x.var((0, 2, 3), unbiased=False)
        else:
            m, v = mean, variance
        at = lambda t: t[None, :, None, None]
        return (x - at(m)) / at(v + self.eps).sqrt() * at(scale) + at(shift)

    unbiased = False

    def relu(self, x):
        self.number()
        return F.relu(x)

    def swish(self, x):
        self.number()
        return F.silu(x)

    def relu6(self, x):
        self.number()
        return F.relu6(x)

    def add(self, x, y):
        self.number()
        return x + y

    def mean(self, x):
        self.number()
        return x.mean((2, 3))

    def pool(self, x):
        """Means of 2x2 pixels, padded."""
        self.number()
        return F.avg_pool2d(same(x, 2, 2)[0], 2)

    def pad(self, x, channels):
        self.number()
        return F.pad(x, (0, 0, 0, 0, 0, channels - x.shape[1]))

    def shake_shake(self, a, b):
        alpha, beta, _ = self.uniform(self.number(), 3).T
        if not self.training:
            return (a + b) / 2
        beta = beta if self.fresh else alpha
        return Branches.apply((alpha, 1 - alpha), (beta, 1 - beta), a, b)

    def shake_drop(self, x, keep):
        gate, alpha, beta = self.uniform(self.number(), 3).T
        if not self.training:
            return x * float(numpy.float32(keep))
        alpha = 2 * alpha - 1
        kept, one = gate < keep, torch.ones(BATCH)
        beta = beta if self.fresh else alpha
        return Branches.apply((torch.where(kept, one, alpha),), (torch.where(kept, one, beta),), x)

    def factors(self, numbers, rate):
        return torch.where(numbers < rate, 0.0, float(numpy.float32(1 / (1 - rate))))

    def drop_connect(self, x, rate):
        gate = self.uniform(self.number(), 3)[:, 0]
        return x * self.factors(gate, rate)[:, None, None, None] if self.training else x

    def dropout(self, x, rate):
        numbers = self.uniform(self.number(), x.shape[1])
        return x * self.factors(numbers, rate) if self.training else x


def wide_resnet(bn):
    def forward(n, x):
        activate = lambda name, x: n.relu(n.norm(name, x) if bn else x)
        x = n.conv("stem", x, 16, bias=not bn)
        for stage, channels in enumerate([16, 32, 64], 1):
            block, stride = f"stage{stage}.0.", 1 if stage == 1 else 2
            y = activate(block + "norm1", x)
            shortcut = y if stage == 1 else n.pad(n.pool(x), channels)
            y = n.conv(block + "conv1", y, channels, stride=stride, bias=not bn)
            y = activate(block + "norm2", y)
            x = n.add(n.conv(block + "conv2", y, channels, bias=not bn), shortcut)
        return n.dense("head", n.mean(activate("norm", x)), CLASSES)

    return forward


def noshort(n, x):
    n.unbiased = True
    x = n.relu(n.norm("stem_norm", n.conv("stem", x, 16, padding=1)))
    for stage, channels in enumerate([16, 32, 64], 1):
        block, stride = f"stage{stage}.0.", 1 if stage == 1 else 2
        x = n.relu(n.norm(block + "norm1", n.conv(block + "conv1", x, channels, stride=stride, padding=1)))
        x = n.relu(n.norm(block + "norm2", n.conv(block + "conv2", x, channels, padding=1)))
    return n.dense("head", n.mean(x), CLASSES)


def shake_shake(n, x):
    x = n.norm("stem_norm", n.conv("stem", x, 16))
    for stage, channels in enumerate([4, 8, 16], 1):
        block, stride, branches = f"stage{stage}.0.", 1 if stage == 1 else 2, []
        for b in "ab":
            y = n.norm(f"{block}{b}_norm1", n.conv(f"{block}{b}_conv1", n.relu(x), channels, stride=stride))
            branches.append(n.norm(f"{block}{b}_norm2", n.conv(f"{block}{b}_conv2", n.relu(y), channels)))
        mixed = n.shake_shake(*branches)
        first = x
        if stride != 1:
            n.number()
            first = x[:, :, ::stride, ::stride]
        first = n.conv(block + "projection1", first, channels // 2, 1)
        n.number()
        second = F.pad(x, (0, 1, 0, 1))[:, :, 1:, 1:][:, :, ::stride, ::stride]
        second = n.conv(block + "projection2", second, channels // 2, 1)
        n.number()
        both = torch.cat([first, second], 1)
        x = n.add(mixed, n.norm(block + "projection_norm", both))
    return n.dense("head", n.mean(n.relu(x)), CLASSES)


def pyramid(n, x):
    x = n.norm("stem_norm", n.conv("stem", x, 16))
    for stage in (1, 2, 3):
        block, stride, width = f"stage{stage}.0.", 1 if stage == 1 else 2, round(16 + stage * 8 / 3)
        y = n.conv(block + "conv1", n.norm(block + "norm1", x), width, 1)
        y = n.conv(block + "conv2", n.relu(n.norm(block + "norm2", y)), width, stride=stride)
        y = n.conv(block + "conv3", n.relu(n.norm(block + "norm3", y)), 4 * width, 1)
        y = n.shake_drop(n.norm(block + "norm4", y), 1 - stage / 3 * 0.5)
        x = n.add(y, n.pad(x if stride == 1 else n.pool(x), 4 * width))
    return n.dense("head", n.mean(n.relu(n.norm("norm", x))), CLASSES)


def imagenet_resnet(n, x):
    x = n.relu(n.norm("stem_norm", n.conv("stem", x, 2, 7, 2, padding=3)))
    n.number()
    (top, bottom), (left, right) = around(x.shape[2], 3, 2), around(x.shape[3], 3, 2)
    x = F.max_pool2d(F.pad(x, (left, right, top, bottom), value=-math.inf), 3, 2)
    for stage, blocks in enumerate([3, 4, 6, 3]):
        for i in range(blocks):
            block, stride, width = f"stage{stage + 1}.{i}.", 2 if stage > 0 and i == 0 else 1, 2 << stage
            shortcut = x
            if i == 0:
                shortcut = n.norm(block + "projection_norm", n.conv(block + "projection", x, 4 * width, 1, stride))
            y = n.relu(n.norm(block + "norm1", n.conv(block + "conv1", x, width, 1)))
            y = n.relu(n.norm(block + "norm2", n.conv(block + "conv2", y, width, 3, stride)))
            y = n.norm(block + "norm3", n.conv(block + "conv3", y, 4 * width, 1))
            x = n.relu(n.add(y, shortcut))
    return n.dense("head", n.mean(x), CLASSES)


STAGES = [(16, 3, 1, 1, 1), (24, 3, 2, 6, 2), (40, 5, 2, 6, 2), (80, 3, 3, 6, 2), (112, 5, 3, 6, 1), (192, 5, 4, 6, 2)]
STAGES.append((320, 3, 1, 6, 1))


def efficientnet(lite):
    def forward(n, x):
        n.momentum, n.eps = 0.01, 1e-3
        activate = n.relu6 if lite else n.swish
        x, before = activate(n.norm("stem_norm", n.conv("stem", x, 32, 3, 2))), 0
        for stage, (channels, kernel, repeats, expansion, first) in enumerate(STAGES, 1):
            for i in range(repeats):
                block, stride, inputs, y = f"stage{stage}.{i}.", first if i == 0 else 1, x.shape[1], x
                if expansion != 1:
                    y = activate(n.norm(block + "expand_norm", n.conv(block + "expand", y, inputs * expansion, 1)))
                wide = y.shape[1]
                y = n.conv(block + "depthwise", y, wide, kernel, stride, groups=wide)
                y = activate(n.norm(block + "depthwise_norm", y))
                if not lite:
                    s = n.mean(y)[:, :, None, None]
                    s = activate(n.conv(block + "squeeze_conv", s, max(1, inputs // 4), 1, bias=True))
                    s = n.conv(block + "excite_conv", s, wide, 1, bias=True)
                    n.number()
                    n.number()
                    y = y * torch.sigmoid(s)
                y = n.norm(block + "project_norm", n.conv(block + "project", y, channels, 1))
                if stride == 1 and inputs == channels:
                    if before:
                        y = n.drop_connect(y, 0.2 * before / 16)
                    y = n.add(y, x)
                x, before = y, before + 1
        x = activate(n.norm("top_norm", n.conv("top", x, 1280, 1)))
        return n.dense("head", n.dropout(n.mean(x), 0.2), CLASSES)

    return forward


def run(name, forward, size, channels):
    x = sequence(5, BATCH * size * size * channels).reshape(BATCH, size, size, channels).permute(0, 3, 1, 2) * 4
    y = torch.arange(BATCH) * 7 % CLASSES
    n = Zoo()

    def logits():
        n.node = 0
        return forward(n, x)

    n.training = False
    show(name, "logits", logits())
    n.training = True
    w = n.tensors

    def gradient(follow, fresh):
        n.follow, n.fresh = follow, fresh
        loss = F.cross_entropy(logits(), y)
        return loss, dict(zip(w, torch.autograd.grad(loss, list(w.values()))))

    loss, g = gradient(True, False)
    show(name, "loss0", loss)
    for k, v in g.items():
        show(name, f"gradient.{k}", v)
    scale = RHO / math.sqrt(sum((v**2).sum().item() for v in g.values()))
    before = {k: v.detach().clone() for k, v in w.items()}
    with torch.no_grad():
        for k, v in w.items():
            v += scale * g[k]
    loss, g = gradient(False, True)
    show(name, "perturbed0", loss)
    with torch.no_grad():
        for k, v in w.items():
            d = g[k] + DECAY * before[k]
            v.copy_(before[k] - RATE * (d + MOMENTUM * d))
    for k, v in w.items():
        show(name, f"weights.{k}", v)
    for k, (mean, variance) in n.statistics.items():
        show(name, f"mean.{k}", mean)
        show(name, f"variance.{k}", variance)


if __name__ == "__main__":
    print("network,quantity,norm,inner_product")
    run("wrn-10-1", wide_resnet(True), 10, 3)
    run("wrn-10-1-nobn", wide_resnet(False), 10, 3)
    run("resnet-8-noshort", noshort, 10, 3)
    run("shake-shake-8-2x4d", shake_shake, 10, 3)
    run("pyramidnet-11-8-shakedrop", pyramid, 10, 3)
    run("resnet-50-w2", imagenet_resnet, 70, 3)
    run("efficientnet-b0", efficientnet(False), 40, 3)
    run("efficientnet-lite0", efficientnet(True), 40, 3)

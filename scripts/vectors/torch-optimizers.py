"""Writes test/vectors/torch-optimizers.json: five steps of PyTorch's optimisers on six weights. Run with python3-torch."""
import json
import pathlib

import torch

torch.manual_seed(0)
start = torch.randn(6, dtype=torch.float64)
gradients = torch.randn(5, 6, dtype=torch.float64)
cases = {
    "sgd": (torch.optim.SGD, {"lr": 0.1, "weight_decay": 0.01}, {"kind": "sgd"}),
    "momentum": (torch.optim.SGD, {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.01}, {"kind": "sgd", "momentum": 0.9}),
    "nesterov": (torch.optim.SGD, {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01}, {"kind": "sgd", "momentum": 0.9, "nesterov": True}),
    "adam": (torch.optim.Adam, {"lr": 0.01, "weight_decay": 0.1}, {"kind": "adam"}),
    "adamw": (torch.optim.AdamW, {"lr": 0.01, "betas": (0.9, 0.98), "weight_decay": 1.0}, {"kind": "adamw", "betas": [0.9, 0.98]}),
    "rmsprop": (torch.optim.RMSprop, {"lr": 0.01, "weight_decay": 0.01}, {"kind": "rmsprop"}),
    "rmsprop with momentum": (torch.optim.RMSprop, {"lr": 0.01, "alpha": 0.9, "momentum": 0.8}, {"kind": "rmsprop", "alpha": 0.9, "momentum": 0.8}),
}
result = {"torch": torch.__version__, "start": start.tolist(), "gradients": gradients.tolist(), "cases": {}}
for name, (make, options, spec) in cases.items():
    weights = start.clone().requires_grad_()
    optimizer = make([weights], **options)
    path = []
    for gradient in gradients:
        weights.grad = gradient.clone()
        optimizer.step()
        path.append(weights.tolist())
    result["cases"][name] = {"spec": spec, "learningRate": options["lr"], "weightDecay": options.get("weight_decay", 0), "weights": path}
target = pathlib.Path(__file__).parents[2] / "test/vectors/torch-optimizers.json"
target.write_text(json.dumps(result) + "\n")

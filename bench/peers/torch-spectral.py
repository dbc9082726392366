"""Steps of one linear layer in PyTorch, whole or by Sparse Spectral Training. Usage: torch-spectral.py <sst|full> <threads> <start.npz>

The spectral layer is written for this bench: one autograd function whose backward pass gives all of a step's products
without ever forming the weight or its gradient. Vectors are rows; the first ones of `left` and `right` are those that train.
Reads numbers of steps from standard input and answers each with a line of JSON.
"""
import json
import re
import sys
import time

import numpy as np
import torch
import torch.nn.functional as F

method, threads, start = sys.argv[1], int(sys.argv[2]), np.load(sys.argv[3])
torch.set_num_threads(threads)
torch.set_flush_denormal(True)
T = {name: torch.from_numpy(start[name].copy()) for name in start.files}
x, target, rate = T["x"], T["target"], 1e-3


class SpectralProduct(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, values, left_active, right_active, bias, left, right):
        z = x @ right.t()
        ctx.save_for_backward(x, z, values, left, right)
        ctx.active = left_active.shape[0]
        return torch.addmm(bias, z * values, left)

    @staticmethod
    def backward(ctx, d):
        x, z, values, left, right = ctx.saved_tensors
        r = ctx.active
        q = d @ left.t()
        return (q * values) @ right, (z * q).sum(0), z[:, :r].t() @ d, q[:, :r].t() @ x, d.sum(0), None, None


lift, bias = (T[name].requires_grad_() for name in ("lift", "bias"))
if method == "sst":
    values = T["values"].requires_grad_()
    # Views: what the optimiser changes are the first rows of the whole matrices.
    left_active, right_active = (T[name][: int(start["rank"])].requires_grad_() for name in ("left", "right"))
    parameters = [lift, bias, values, left_active, right_active]
    product = lambda x: SpectralProduct.apply(x, values, left_active, right_active, bias, T["left"], T["right"])
else:
    weight = T["weight"].requires_grad_()
    parameters = [lift, bias, weight]
    product = lambda x: F.linear(x, weight, bias)
first = [p.detach().clone() for p in parameters]


def step(optimizer):
    optimizer.zero_grad(set_to_none=True)
    error = product(x + lift) - target
    loss = (error * error).sum() * (0.5 / len(x))
    loss.backward()
    optimizer.step()
    if method == "sst":
        with torch.no_grad():
            values.clamp_(min=0)
            for rows in (left_active, right_active):
                rows.div_(rows.norm(dim=1, keepdim=True))
    return float(loss.detach())


def take(optimizer, steps):
    times, losses = [], []
    for _ in range(steps):
        begin = time.perf_counter()
        losses.append(step(optimizer))
        times.append((time.perf_counter() - begin) * 1e3)
    return times, losses


def chosen():
    """The variant of Adam that is the faster one here, with everything as it was at the start."""
    medians = []
    for foreach in (False, True):
        times, _ = take(torch.optim.Adam(parameters, lr=rate, foreach=foreach), 5)
        medians.append(sorted(times)[2])
    with torch.no_grad():
        for p, begin in zip(parameters, first):
            p.copy_(begin)
    return torch.optim.Adam(parameters, lr=rate, foreach=medians[1] < medians[0])


optimizer = chosen()
with open("/proc/self/maps") as f:
    blas = sorted({line.strip().split("/")[-1] for line in f if re.search(r"/[^/]*(blas|mkl)[^/]*\.so", line)})
print(json.dumps({"version": torch.__version__, "blas": blas}), flush=True)
for line in sys.stdin:
    times, losses = take(optimizer, int(line))
    print(json.dumps({"times": times, "losses": losses, "peakMemory": 0}), flush=True)

"""Steps of the grokking networks in PyTorch, full batch. Usage: torch-tickets.py <case> <threads> <weights.npz> <compile: 0 or 1>

`mlp` and `transformer` compute what the published code does, in its order; `mlp-ordered` and `transformer-last` save what
this library saves: products that don't depend on the batch come first, and only the last position is followed. The loss is
in double precision, as published. Reads numbers of steps from standard input and answers each with a line of JSON.
"""
import json
import sys
import time

import numpy as np
import torch
import torch.nn.functional as F

case, threads, weights, compiled = sys.argv[1], int(sys.argv[2]), np.load(sys.argv[3]), sys.argv[4] == "1"
torch.set_num_threads(threads)
torch.set_flush_denormal(True)
tensors = {name: torch.from_numpy(weights[name].copy()) for name in weights.files}
pairs, labels = tensors.pop("feed/pairs").long(), tensors.pop("feed/labels").long()
P = {name: t.requires_grad_() for name, t in tensors.items()}


def mlp():
    e = F.embedding(pairs, P["embed"].t()).sum(1)
    return F.relu(e @ P["inproj"].t()) @ P["outproj"].t() @ P["unembed"]


def mlp_ordered():
    table = (P["inproj"] @ P["embed"]).t()
    return F.relu(F.embedding(pairs, table).sum(1)) @ (P["outproj"].t() @ P["unembed"])


def transformer(last):
    x = F.embedding(pairs, P["embed"].t())
    k, v = x @ P["key"].t(), x @ P["value"].t()
    read = x[:, -1:] if last else x
    q = read @ P["query"].t()
    mixed = (q @ k.transpose(1, 2) * x.shape[2] ** -0.5).softmax(-1) @ v
    y = read + mixed @ P["out"].t()
    y = y + F.relu(y @ P["mlp.in"].t()) @ P["mlp.out"].t()
    return y[:, -1] @ P["unembed"]


forward = {
    "mlp": mlp,
    "mlp-ordered": mlp_ordered,
    "transformer": lambda: transformer(False),
    "transformer-last": lambda: transformer(True),
}[case]
loss_of = lambda: F.cross_entropy(forward().double(), labels)
if compiled:
    loss_of = torch.compile(loss_of)
optimizer = torch.optim.AdamW(list(P.values()), lr=1e-3, betas=(0.9, 0.98), weight_decay=1.0)


def step():
    optimizer.zero_grad(set_to_none=True)
    loss = loss_of()
    loss.backward()
    optimizer.step()
    return float(loss.detach())


print(json.dumps({"version": torch.__version__}), flush=True)
for line in sys.stdin:
    times, losses = [], []
    for _ in range(int(line)):
        begin = time.perf_counter()
        losses.append(step())
        times.append((time.perf_counter() - begin) * 1e3)
    print(json.dumps({"times": times, "losses": losses, "peakMemory": 0}), flush=True)

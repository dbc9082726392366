"""Steps of PyTorch's optimisers alone, one thread. Usage: torch-optimizers.py

Reads lines of JSON {kind, n, steps, foreach} and answers each with {seconds, weights}: the processor time of one step,
and the first weights after it. Another kind or n than in the line before starts anew.
"""
import json
import sys
import time

import torch

torch.set_num_threads(1)
print(json.dumps({"version": torch.__version__}), flush=True)
key = None
for line in sys.stdin:
    job = json.loads(line)
    if key != (job["kind"], job["n"], job["foreach"]):
        key = (job["kind"], job["n"], job["foreach"])
        indices = torch.arange(job["n"], dtype=torch.float64)
        weights = torch.nn.Parameter(torch.sin(indices).float())
        weights.grad = (torch.cos(indices) / 8).float()
        create = {
            "sgd": lambda: torch.optim.SGD([weights], lr=0.01, momentum=0.9, weight_decay=5e-4, foreach=job["foreach"]),
            "adam": lambda: torch.optim.Adam([weights], lr=0.01, weight_decay=5e-4, foreach=job["foreach"]),
        }[job["kind"]]
        optimizer = create()
    begin = time.process_time()
    for _ in range(job["steps"]):
        optimizer.step()
    seconds = (time.process_time() - begin) / max(1, job["steps"])
    print(json.dumps({"seconds": seconds, "weights": weights.detach()[:5].tolist()}), flush=True)

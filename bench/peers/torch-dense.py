"""Dense layers in PyTorch, inference. Usage: torch-dense.py THREADS

Reads lines of JSON {batch, inputs, outputs, size, runs}, a 3×3 convolution where size is not 0, and answers each with
{seconds}: the time of one run, processor time with one thread, wall time with more. Another layer than in the line
before starts anew.
"""
import json
import re
import sys
import time

import torch

threads = int(sys.argv[1])
clock = time.process_time if threads == 1 else time.perf_counter
torch.set_num_threads(threads)
with open("/proc/self/maps") as f:
    blas = sorted({"/".join(line.strip().split("/")[-2:]) for line in f if re.search(r"/[^/]*(blas|mkl)[^/]*\.so", line)})
print(json.dumps({"version": torch.__version__, "blas": blas}), flush=True)
key = None
for line in sys.stdin:
    job = json.loads(line)
    now = (job["batch"], job["inputs"], job["outputs"], job["size"])
    if key != now:
        key = now
        batch, inputs, outputs, size = now
        if size:
            layer = torch.nn.Conv2d(inputs, outputs, 3, padding=1)
            x = torch.randn(batch, inputs, size, size)
        else:
            layer = torch.nn.Linear(inputs, outputs)
            x = torch.randn(batch, inputs)
    with torch.no_grad():
        begin = clock()
        for _ in range(job["runs"]):
            layer(x)
        seconds = (clock() - begin) / max(1, job["runs"])
    print(json.dumps({"seconds": seconds}), flush=True)

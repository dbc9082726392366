"""Reference values of operators and their gradients from PyTorch, in double precision.

Run by hand where PyTorch is installed (made with 1.13):
    python3 scripts/vectors/torch-operators.py > test/vectors/torch-operators.json

Each case holds the inputs (x), the result (y), the cotangent (dy) and the gradient of sum(y * dy) for each input (dx).
Inputs have two decimals, so that they are short, exact in the file, and tie now and then.
"""
import json

import torch
import torch.nn.functional as F

torch.manual_seed(7)
torch.set_default_dtype(torch.float64)
cases = {}


def number(v):
    return float(f"{v:.12g}")


def pack(t):
    return {"shape": list(t.shape), "data": [number(v) for v in t.detach().flatten().tolist()]}


def case(name, shapes, function, map=lambda t: t, differentiable=True):
    inputs = [map((torch.randn(s) * 100).round() / 100).requires_grad_(differentiable) for s in shapes]
    y = function(*inputs)
    entry = {"x": [pack(t) for t in inputs], "y": pack(y)}
    if differentiable:
        dy = (torch.randn(y.shape) * 100).round() / 100
        (y * dy).sum().backward()
        entry["dy"] = pack(dy)
        entry["dx"] = [pack(t.grad) for t in inputs]
    cases[name] = entry


image = [2, 4, 7, 6]
case("conv", [image, [3, 4, 3, 2], [3]], F.conv2d)
case("conv stride 2 pad 1", [image, [3, 4, 3, 3], [3]], lambda x, w, b: F.conv2d(x, w, b, 2, 1))
case("conv dilated", [image, [3, 4, 3, 2]], lambda x, w: F.conv2d(x, w, None, (2, 1), (2, 1), (2, 3)))
case("conv groups", [image, [6, 2, 3, 3], [6]], lambda x, w, b: F.conv2d(x, w, b, 2, 1, 1, 2))
case("conv depthwise", [image, [4, 1, 3, 3], [4]], lambda x, w, b: F.conv2d(x, w, b, 1, 1, 1, 4))
case("conv 1-D", [[2, 3, 9], [4, 3, 3], [4]], lambda x, w, b: F.conv1d(x, w, b, 2, 1))
case("conv same", [image, [3, 4, 3, 5]], lambda x, w: F.conv2d(x, w, None, 1, "same"))

small = [2, 4, 3, 4]
case("transposed", [small, [4, 3, 3, 2], [3]], F.conv_transpose2d)
case("transposed stride 2", [small, [4, 3, 3, 3], [3]], lambda x, w, b: F.conv_transpose2d(x, w, b, 2, 1, 1))
case("transposed groups", [small, [4, 2, 3, 3]], lambda x, w: F.conv_transpose2d(x, w, None, 2, 1, (0, 1), 2))
case("transposed dilated", [small, [4, 2, 2, 3]], lambda x, w: F.conv_transpose2d(x, w, None, 1, 1, 0, 1, (2, 1)))
case("transposed 1-D", [[2, 3, 4], [3, 2, 4]], lambda x, w: F.conv_transpose1d(x, w, None, 3, 1, 2))

coarse = lambda t: (t * 2).round() / 2  # many ties
case("max pool", [image], lambda x: F.max_pool2d(x, 2), coarse)
case("max pool overlapping", [image], lambda x: F.max_pool2d(x, 3, 2, 1), coarse)
case("max pool ceil", [image], lambda x: F.max_pool2d(x, 3, 2, 0, ceil_mode=True), coarse)
case("max pool dilated", [image], lambda x: F.max_pool2d(x, 2, 1, 0, (2, 3)), coarse)
case("max pool 1-D", [[2, 3, 9]], lambda x: F.max_pool1d(x, 3, 2), coarse)
case("average pool", [image], lambda x: F.avg_pool2d(x, 2))
case("average pool padding counts", [image], lambda x: F.avg_pool2d(x, 3, 2, 1))
case("average pool padding does not", [image], lambda x: F.avg_pool2d(x, 3, 2, 1, False, False))
case("average pool ceil", [image], lambda x: F.avg_pool2d(x, 3, 2, 1, True, True))
case("global average pool", [image], lambda x: F.adaptive_avg_pool2d(x, 1))
case("global max pool", [image], lambda x: F.adaptive_max_pool2d(x, 1))

four = [4]
mean, variance = torch.tensor([0.1, -0.2, 0.3, 0.0]), torch.tensor([0.5, 1.0, 2.0, 0.7])
case("batch norm inference", [image, four, four], lambda x, w, b: F.batch_norm(x, mean, variance, w, b, False))
case("batch norm training", [image, four, four], lambda x, w, b: F.batch_norm(x, None, None, w, b, True))
case("batch norm training rows", [[6, 4], four, four], lambda x, w, b: F.batch_norm(x, None, None, w, b, True, eps=0.01))




def running(x, m, v):
    m, v = m.clone(), v * v
    F.batch_norm(x, m, v, None, None, True, 0.1)
    return torch.cat([m, v])


case("batch norm running statistics", [image, four, four], running, differentiable=False)
case("layer norm", [[3, 4, 5], [5], [5]], lambda x, w, b: F.layer_norm(x, [5], w, b))
case("layer norm two axes", [[3, 4, 5], [4, 5]], lambda x, w: F.layer_norm(x, [4, 5], w, None, 0.01))
case("group norm", [image, four, four], lambda x, w, b: F.group_norm(x, 2, w, b))
case("instance norm", [image, four, four], lambda x, w, b: F.instance_norm(x, None, None, w, b))
case("local response norm", [[2, 7, 2, 3]], lambda x: F.local_response_norm(x, 5, 0.5, 0.6, 2.0), differentiable=False)

matrix = [4, 5]
case("softmax", [matrix], lambda x: F.softmax(x, 1))
case("softmax axis 0", [matrix], lambda x: F.softmax(x, 0))
case("log softmax", [matrix], lambda x: F.log_softmax(x, 1))
case("log softmax large", [matrix], lambda x: F.log_softmax(300 * x, 1))
case("silu", [matrix], F.silu)
case("gelu", [matrix], F.gelu)
case("gelu tanh", [matrix], lambda x: F.gelu(x, approximate="tanh"))
case("elu", [matrix], lambda x: F.elu(x, 0.7))
case("softplus", [matrix], F.softplus)
case("hard swish", [matrix], lambda x: F.hardswish(3.7 * x))  # never at its kinks
case("erf", [matrix], torch.erf)
case("atanh", [matrix], lambda x: torch.atanh(0.9 * torch.tanh(x)))
case("pow", [matrix, [5]], lambda x, p: (x.abs() + 0.3) ** p)
case("matmul batched", [[2, 1, 3, 4], [5, 4, 2]], torch.matmul)
case("log sum exp", [[2, 3, 4]], lambda x: torch.logsumexp(x, (1, 2)))

labels = torch.tensor([3, 0, 4, 1])
case("cross entropy", [matrix], lambda x: F.cross_entropy(x, labels))
case("cross entropy smoothed", [matrix], lambda x: F.cross_entropy(x, labels, label_smoothing=0.1))
case("cross entropy sum", [matrix], lambda x: F.cross_entropy(x, labels, reduction="sum"))
case("cross entropy none", [matrix], lambda x: F.cross_entropy(x, labels, label_smoothing=0.2, reduction="none"))
case("soft target cross entropy", [matrix, matrix], lambda x, t: F.cross_entropy(x, F.softmax(t, 1)))
case("mse", [matrix, matrix], F.mse_loss)
case("l1", [matrix, matrix], F.l1_loss)
case("huber", [matrix, matrix], lambda x, t: F.huber_loss(x, t, delta=0.7))
case("bce with logits", [matrix, matrix], lambda x, t: F.binary_cross_entropy_with_logits(x, torch.sigmoid(t)))
case("bce with logits large", [matrix, matrix],
     lambda x, t: F.binary_cross_entropy_with_logits(100 * x, torch.sigmoid(t), reduction="sum"))

print(json.dumps({"torch": torch.__version__, "cases": cases}, separators=(",", ":")))

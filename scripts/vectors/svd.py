"""Writes test/vectors/svd.json: singular values by LAPACK. Run with NumPy: python3 scripts/vectors/svd.py > test/vectors/svd.json"""
import json, numpy as np
rng = np.random.default_rng(0)
def ortho(n):
    return np.linalg.qr(rng.standard_normal((n, n)))[0]
def made(m, n, s):
    k = min(m, n)
    return ortho(m)[:, :k] @ np.diag(s) @ ortho(n)[:, :k].T
cases = {
  "square": rng.standard_normal((6, 6)),
  "wide": rng.standard_normal((4, 9)),
  "tall": rng.standard_normal((9, 4)),
  "rank 2": rng.standard_normal((7, 2)) @ rng.standard_normal((2, 5)),
  "repeated": made(6, 6, [3, 3, 3, 1, 1, 0.5]),
  "graded": made(6, 5, [1, 1e-3, 1e-6, 1e-9, 1e-12]),
  "tiny": rng.standard_normal((5, 5)) * 1e-150,
  "huge": rng.standard_normal((5, 5)) * 1e150,
  "row": rng.standard_normal((1, 5)),
  "column": rng.standard_normal((5, 1)),
  "zero": np.zeros((4, 3)),
  "one": np.array([[-2.5]]),
  "Hilbert": np.array([[1 / (i + j + 1) for j in range(8)] for i in range(8)]),
}
print(json.dumps({"about": "Singular values by LAPACK's gesdd (NumPy %s)" % np.__version__, "cases": {k: {"matrix": a.tolist(), "values": np.linalg.svd(a, compute_uv=False).tolist()} for k, a in cases.items()}}))

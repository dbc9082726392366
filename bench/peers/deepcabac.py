"""DeepCABAC, the arithmetic coder of NNCodec (ISO/IEC 15938-17). Usage: deepcabac.py; needs NumPy and nncodec.

Reads lines of JSON {rows, columns, levels}, the last the base64 of int32 numbers, and answers each with {bytes, encode, decode}:
the least bytes over its options, and processor seconds with these, medians of five. What it decodes has to be what was given.
"""
import base64
import importlib.util
import json
import pathlib
import statistics
import sys
import time
from importlib.metadata import distribution

import numpy as np

# The package itself imports PyTorch; the coder needs none.
package = distribution("nncodec")
path = next(f for f in package.files if f.name.startswith("deepCABAC") and f.suffix == ".so")
spec = importlib.util.spec_from_file_location("deepCABAC", pathlib.Path(package.locate_file(path)))
cabac = importlib.util.module_from_spec(spec)
spec.loader.exec_module(cabac)

UNARY, PROFILE = 11, 1
OFF = (cabac.HdspMode.AlwaysOff, np.array((0, 0), dtype=np.int8))


def encode(levels, optimize, scan, skip):
    encoder = cabac.Encoder()
    encoder.initCtxModels(UNARY, optimize)
    empty = (~levels.any(axis=1)).astype(np.int32)
    encoder.encodeLayer(levels, 0, scan, PROFILE, 0, skip, empty, *OFF, 0, 0)
    return encoder.finish()


def decode(code, shape, scan):
    decoder = cabac.Decoder()
    decoder.setStream(code)
    decoder.initCtxModels(UNARY)
    levels = np.zeros(shape, dtype=np.int32)
    decoder.decodeLayer(levels, 0, scan, PROFILE, 0, *OFF, 0, 0)
    return levels


def seconds(run):
    times = []
    for _ in range(5):
        begin = time.process_time()
        result = run()
        times.append(time.process_time() - begin)
    return statistics.median(times), result


print(json.dumps({"nncodec": package.version}), flush=True)
for line in sys.stdin:
    job = json.loads(line)
    shape = (job["rows"], job["columns"])
    levels = np.frombuffer(base64.b64decode(job["levels"]), dtype=np.int32).reshape(shape).copy()
    best = None
    for optimize in (0, 1):
        for scan in (0, 1, 2, 3):
            for skip in (0, 1):
                size = len(encode(levels, optimize, scan, skip))
                if best is None or size < best[0]:
                    best = (size, optimize, scan, skip)
    size, optimize, scan, skip = best
    encoding, code = seconds(lambda: encode(levels, optimize, scan, skip))
    decoding, back = seconds(lambda: decode(code, shape, scan))
    assert (back == levels).all()
    print(json.dumps({"bytes": size, "encode": encoding, "decode": decoding}), flush=True)

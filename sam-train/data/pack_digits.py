#!/usr/bin/env python3
"""Packs the UCI optical digits into the four gzipped IDX files beside this script.

    python3 pack_digits.py digits.csv.gz

`digits.csv.gz` is the file `sklearn/datasets/data/digits.csv.gz` of any scikit-learn wheel: 1,797 lines of 64 pixels
(0 to 16, row by row) and a label. The images are put in the order of the SHA-256 of "digits/N", N being the line's
number from 0; the first 1,200 are for training, the other 597 for the test. What the files hold is the same on every machine (the
compressed bytes may differ with the version of zlib). Needs nothing but Python 3.
"""

import csv
import gzip
import hashlib
import io
import pathlib
import struct
import sys

TRAIN = 1200
SIDE = 8


def idx(dims, data):
    """An IDX file of unsigned bytes: magic 0x0000 08 <rank>, big-endian dimensions, then the data."""
    return struct.pack(">HBB", 0, 8, len(dims)) + struct.pack(f">{len(dims)}I", *dims) + bytes(data)


def write(name, content):
    buffer = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", compresslevel=9, fileobj=buffer, mtime=0) as file:
        file.write(content)
    (pathlib.Path(__file__).parent / name).write_bytes(buffer.getvalue())


def main(source):
    with gzip.open(source, "rt") as file:
        rows = [[int(float(value)) for value in row] for row in csv.reader(file)]
    if len(rows) != 1797 or any(len(row) != SIDE * SIDE + 1 for row in rows):
        sys.exit(f"{source}: expected 1797 lines of {SIDE * SIDE + 1} numbers; take digits.csv.gz of scikit-learn")
    order = sorted(range(len(rows)), key=lambda n: hashlib.sha256(f"digits/{n}".encode()).digest())
    for split, chosen in (("train", order[:TRAIN]), ("t10k", order[TRAIN:])):
        pixels = [value for n in chosen for value in rows[n][:-1]]
        write(f"{split}-images-idx3-ubyte.gz", idx((len(chosen), SIDE, SIDE), pixels))
        write(f"{split}-labels-idx1-ubyte.gz", idx((len(chosen),), [rows[n][-1] for n in chosen]))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])

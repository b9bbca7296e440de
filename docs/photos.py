#!/usr/bin/env python3
"""photos.py FOLDER [COUNT]: the first COUNT (120) pictures of five classes of Fashion-MNIST as PNG files, a folder for each class, for
docs/tutorial.md. Reads Debian's package dataset-fashion-mnist, or the folder in $SAM_DATA; needs nothing but Python."""
import gzip
import os
import struct
import sys
import zlib
from pathlib import Path

CLASSES = {0: "t-shirt", 2: "pullover", 3: "dress", 4: "coat", 6: "shirt"}
SIDE = 28


def png(pixels):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + pixels[row * SIDE : (row + 1) * SIDE] for row in range(SIDE))
    header = struct.pack(">IIBBBBB", SIDE, SIDE, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def main():
    folder, count = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 120
    place = Path(os.environ.get("SAM_DATA", "/usr/share/datasets"), "fashion-mnist")
    images = gzip.open(place / "train-images-idx3-ubyte.gz").read()[16:]
    labels = gzip.open(place / "train-labels-idx1-ubyte.gz").read()[8:]
    made = dict.fromkeys(CLASSES, 0)
    for number, label in enumerate(labels):
        if made.get(label, count) < count:
            own = folder / CLASSES[label]
            own.mkdir(parents=True, exist_ok=True)
            (own / f"{made[label]:04}.png").write_bytes(png(images[number * SIDE**2 : (number + 1) * SIDE**2]))
            made[label] += 1


main()

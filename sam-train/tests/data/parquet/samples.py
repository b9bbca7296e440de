"""samples.py: writes the Parquet files beside it, by pyarrow, as programs that write such files do. `own_data/parquet.rs` knows what is in them.

pictures: as Hugging Face's data sets have them, a column of pictures (PNG files with their names) and one of classes whose names are in the file's
metadata. numbers-CODEC: three columns of numbers and one of words, in two groups of rows, packed by CODEC. numbers-v2 has pages of the second
version, and a value that is missing.
"""
import json
import struct
import zlib
from pathlib import Path

import pyarrow
from pyarrow import parquet

HERE = Path(__file__).resolve().parent


def png(width, height, colour):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = (b"\0" + bytes(colour) * width) * height
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def pictures():
    kind = pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())])
    features = {"image": {"_type": "Image"}, "label": {"names": ["dog", "cat", "cow"], "_type": "ClassLabel"}}
    schema = pyarrow.schema(
        [("image", kind), ("label", pyarrow.int64())], metadata={"huggingface": json.dumps({"info": {"features": features}})}
    )
    images = [{"bytes": png(4, 3, (10 * row, 100, row % 3)), "path": f"{row}.png"} for row in range(15)]
    return pyarrow.table({"image": images, "label": [row % 3 for row in range(15)]}, schema=schema)


def numbers(missing=None):
    rows = range(20)
    return pyarrow.table(
        {
            "half": pyarrow.array([row / 2 for row in rows], pyarrow.float32()),
            "square": pyarrow.array([row * row - 100 for row in rows], pyarrow.int32()),
            "species": pyarrow.array(["iris" if row < 10 else "rose" for row in rows]),
            "odd": pyarrow.array([None if row == missing else row % 2 == 1 for row in rows]),
        }
    )


parquet.write_table(pictures(), HERE / "pictures.parquet", compression="snappy")
for codec in ["none", "snappy", "gzip", "zstd"]:
    parquet.write_table(numbers(), HERE / f"numbers-{codec}.parquet", compression=codec, row_group_size=12)
parquet.write_table(numbers(missing=7), HERE / "numbers-v2.parquet", compression="gzip", data_page_version="2.0", use_dictionary=False)
parquet.write_table(numbers(), HERE / "brotli.parquet", compression="brotli")
parquet.write_table(numbers().drop(["species"]), HERE / "delta.parquet", use_dictionary=False, column_encoding={"square": "DELTA_BINARY_PACKED"})
days = pyarrow.array([row for row in range(20)], pyarrow.date32())
parquet.write_table(numbers().append_column("day", days), HERE / "date.parquet")
parquet.write_table(numbers().append_column("list", pyarrow.array([[1, 2]] * 20)), HERE / "list.parquet")
zeros = pyarrow.array([bytes(50_000)] * 100)
parquet.write_table(pyarrow.table({"image": zeros, "label": [row % 2 for row in range(100)]}), HERE / "zeros.parquet")

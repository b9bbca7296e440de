"""What Pillow's bicubic resize gives: python3 bicubic.py > bicubic.txt (Pillow 11.3.0, in any environment)."""

from PIL import Image

SIZES = [
    (8, 8, 8, 8),
    (7, 5, 14, 10),
    (7, 5, 3, 2),
    (9, 6, 9, 4),
    (6, 9, 4, 9),
    (31, 17, 8, 8),
    (3, 4, 13, 11),
    (40, 30, 7, 12),
]

for height, width, to_height, to_width in SIZES:
    values = bytes(255 if i % 7 < 3 else i * 37 % 256 for i in range(height * width * 3))
    picture = Image.frombytes("RGB", (width, height), values)
    resized = picture.resize((to_width, to_height), Image.Resampling.BICUBIC)
    print(f"{height} {width} {to_height} {to_width}: {resized.tobytes().hex()}")

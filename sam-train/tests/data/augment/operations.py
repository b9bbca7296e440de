"""What Pillow makes of an 8x8 image: python3 operations.py > operations.txt (Pillow 13.0.0, in any environment)."""

from PIL import Image, ImageEnhance, ImageOps

GREY = (128, 128, 128)
SIDE = 8


def value(x, y, channel):
    return (37 * (8 * y + x) + 11 * channel + 5 * x * y) % 256


def moved(matrix):
    return image.transform(image.size, Image.Transform.AFFINE, matrix, Image.Resampling.NEAREST, fillcolor=GREY)


image = Image.new("RGB", (SIDE, SIDE))
for y in range(SIDE):
    for x in range(SIDE):
        image.putpixel((x, y), tuple(value(x, y, channel) for channel in range(3)))

lines = [("image", image)]
lines += [(name, getattr(ImageOps, name.lower())(image)) for name in ("AutoContrast", "Equalize", "Invert")]
lines += [(f"Posterize bits {bits}", ImageOps.posterize(image, bits)) for bits in (4, 5, 6)]
lines += [(f"Solarize threshold {limit}", ImageOps.solarize(image, limit)) for limit in (0, 77, 128, 256)]
for factor in (0.1, 0.64, 1.36, 1.9):
    for name in ("Color", "Contrast", "Brightness", "Sharpness"):
        lines.append((f"{name} factor {factor}", getattr(ImageEnhance, name)(image).enhance(factor)))
for angle in (9, -27):
    lines.append((f"Rotate {angle}", image.rotate(angle, Image.Resampling.NEAREST, fillcolor=GREY)))
for by in (0.12, -0.27):
    lines.append((f"ShearX {by}", moved((1, by, 0, 0, 1, 0))))
    lines.append((f"ShearY {by}", moved((1, 0, 0, by, 1, 0))))
for by in (3, -2):
    lines.append((f"TranslateX {by}", moved((1, 0, by, 0, 1, 0))))
    lines.append((f"TranslateY {by}", moved((1, 0, 0, 0, 1, by))))

for name, changed in lines:
    print(f"{name}: {changed.tobytes().hex()}")

"""Writes JPEGs of kinds that the crate `image` reads and does not write: python3 kinds.py (Pillow 13.0.0)."""

from PIL import Image


def halves(mode, left, right):
    picture = Image.new(mode, (32, 16), left)
    picture.paste(right, (16, 0, 32, 16))
    return picture


RED, BLUE = (250, 10, 20), (10, 20, 240)
halves("RGB", RED, BLUE).save("progressive.jpg", quality=95, progressive=True)
# Red without black, then black alone.
halves("CMYK", (0, 255, 255, 0), (0, 0, 0, 255)).save("cmyk.jpg", quality=95)
halves("L", 40, 200).save("grey.jpg", quality=95)

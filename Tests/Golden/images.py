"""Makes images.json: small JPEG and PNG files, and the pixels that libjpeg-turbo (djpeg) and libpng (through Pillow) read from them.

    apt-get install python3-pil libjpeg-turbo-progs imagemagick && /usr/bin/python3 Tests/Golden/images.py > Tests/Golden/images.json
"""
import base64, io, json, math, random, subprocess, sys
from PIL import Image

W, H = 23, 17
random.seed(1)


def run(command, data):
    return subprocess.run(command, input=data, stdout=subprocess.PIPE, check=True).stdout


def scene():
    """Gradients, an edge in colour, a little noise."""
    picture = Image.new("RGB", (W, H))
    for y in range(H):
        for x in range(W):
            edge = 90 if (x - 8) ** 2 + (y - 7) ** 2 < 30 else 0
            level = [60 + 5 * x + edge, 40 + 9 * y, 128 + 100 * math.sin(x / 3 + y / 4) - edge]
            picture.putpixel((x, y), tuple(min(255, max(0, int(v) + random.randrange(12))) for v in level))
    return picture


def ppm(picture):
    out = io.BytesIO()
    picture.save(out, "PPM")
    return out.getvalue()


def entry(name, file, picture=None):
    out = {"name": name, "file": base64.b64encode(file).decode()}
    if picture is not None:
        out.update(height=picture.height, width=picture.width, channels=len(picture.getbands()), pixels=base64.b64encode(picture.tobytes()).decode())
    return out


def jpeg(name, arguments, picture, refused=False, after=None):
    file = run(["cjpeg"] + arguments.split(), ppm(picture))
    if after: file = run(["jpegtran"] + after.split(), file)
    return entry(name, file, None if refused else Image.open(io.BytesIO(run(["djpeg"], file))))


def png(name, picture, interlaced=False, **options):
    out = io.BytesIO()
    picture.save(out, "PNG", **options)
    file = out.getvalue()
    if interlaced: file = run("convert png:- -interlace PNG -strip png:-".split(), file)
    read = Image.open(io.BytesIO(file))
    if read.mode == "1": read = read.convert("L")
    if read.mode == "P": read = read.convert("RGBA" if "transparency" in read.info else "RGB")
    return entry(name, file, read)


def saved(picture, **options):
    out = io.BytesIO()
    picture.save(out, "JPEG", **options)
    return out.getvalue()


colour = scene()
grey = colour.convert("L")
opaque = colour.copy()
opaque.putalpha(grey)
indexed = colour.quantize(13)
with open("/tmp/scans", "w") as scans: scans.write("2;\n0;\n1;\n")
cases = [
    jpeg("grey", "-grayscale -quality 90", grey),
    jpeg("4:4:4", "-sample 1x1 -quality 92", colour),
    jpeg("4:4:4, rough", "-sample 1x1 -quality 20", colour),
    jpeg("4:2:2", "-sample 2x1 -quality 92", colour),
    jpeg("4:2:0", "-sample 2x2 -quality 92", colour),
    jpeg("4:4:0", "-sample 1x2 -quality 92", colour),
    jpeg("4:1:1", "-sample 4x1 -quality 92", colour),
    jpeg("4:2:0, a restart after each unit, its own codes", "-sample 2x2 -quality 85 -restart 1B -optimize", colour),
    jpeg("4:2:0, a scan for each component", "-sample 2x2 -quality 85", colour, after="-scans /tmp/scans"),
    jpeg("4:2:0, a scan for each component, restarts", "-sample 2x2 -quality 85", colour, after="-scans /tmp/scans -restart 2B"),
    jpeg("RGB", "-rgb -quality 92", colour),
    jpeg("quantization of 16 bits", "-quality 3 -sample 1x1", colour),
    jpeg("one pixel", "-quality 90", colour.crop((3, 3, 4, 4))),
    jpeg("progressive", "-progressive", colour, refused=True),
    jpeg("arithmetic", "-arithmetic", colour, refused=True),
    entry("CMYK", saved(colour.convert("CMYK"))),
    png("PNG grey, 1 bit", grey.convert("1")),
    png("PNG grey, interlaced", grey, interlaced=True),
    png("PNG grey with opacity", opaque.convert("LA")),
    png("PNG colour", colour),
    png("PNG colour with opacity, interlaced", opaque, interlaced=True),
    png("PNG indexed, 4 bits", indexed, bits=4),
    png("PNG indexed, with transparency", indexed, transparency=3),
]
print("[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]")

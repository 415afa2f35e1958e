"""Makes images.json: small files of every kind, and the pixels that other programs read from them: djpeg (libjpeg-turbo; each chroma sample
repeated, not smoothed: -nosmooth), and Pillow with libpng, libwebp, libtiff and its own BMP and GIF.

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
    return entry(name, file, None if refused else Image.open(io.BytesIO(run(["djpeg", "-nosmooth"], file))))


def png(name, picture, interlaced=False, **options):
    out = io.BytesIO()
    picture.save(out, "PNG", **options)
    file = out.getvalue()
    if interlaced: file = run("convert png:- -interlace PNG -strip png:-".split(), file)
    read = Image.open(io.BytesIO(file))
    if read.mode == "1": read = read.convert("L")
    if read.mode == "P": read = read.convert("RGBA" if "transparency" in read.info else "RGB")
    return entry(name, file, read)


def saved(picture, kind="JPEG", **options):
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


def converted(picture, *arguments):
    """By ImageMagick."""
    return run(["convert", "png:-", *arguments], saved(picture, "PNG"))


def read(name, file, mode=None):
    """What Pillow reads from a file of any kind."""
    picture = Image.open(io.BytesIO(file))
    picture.load()
    if picture.mode in ("1", "I;16"): picture = picture.convert("L") if picture.mode == "1" else picture.point(lambda v: v / 257).convert("L")
    if picture.mode in ("P", "CMYK", "YCbCr"): picture = picture.convert("RGBA" if "transparency" in picture.info else "RGB")
    return entry(name, file, picture if mode is None else picture.convert(mode))


def ycck(picture):
    """Y, Cb, Cr and black as four components, with Adobe's word that they are."""
    luma, blue, red = picture.convert("YCbCr").split()
    # Pillow writes CMYK inverted.
    planes = [plane.point(lambda v: 255 - v) for plane in (luma, blue, red)] + [Image.new("L", picture.size, 40)]
    file = bytearray(saved(Image.merge("CMYK", planes), quality=92))
    at = file.index(b"Adobe")
    assert file[at + 11] == 0
    file[at + 11] = 2
    return bytes(file)


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
    jpeg("several scans and restarts", "-sample 2x2 -quality 85", colour, refused=True, after="-scans /tmp/scans -restart 2B"),
    jpeg("progressive and restarts", "-progressive -sample 2x2 -quality 85 -restart 2B", colour, refused=True),
    jpeg("RGB", "-rgb -quality 92", colour),
    jpeg("quantization of 16 bits", "-quality 3 -sample 1x1", colour),
    jpeg("one pixel", "-quality 90", colour.crop((3, 3, 4, 4))),
    jpeg("progressive, 4:2:0", "-progressive -sample 2x2 -quality 92", colour),
    jpeg("progressive, 4:4:4", "-progressive -sample 1x1 -quality 80", colour),
    jpeg("progressive, grey", "-progressive -grayscale", grey),
    jpeg("arithmetic", "-arithmetic", colour, refused=True),
    read("CMYK", saved(colour.convert("CMYK"), quality=92)),
    read("YCCK", ycck(colour)),
    png("PNG grey, 1 bit", grey.convert("1")),
    png("PNG grey, interlaced", grey, interlaced=True),
    png("PNG grey with opacity", opaque.convert("LA")),
    png("PNG colour", colour),
    png("PNG colour with opacity, interlaced", opaque, interlaced=True),
    png("PNG indexed, 4 bits", indexed, bits=4),
    png("PNG indexed, with transparency", indexed, transparency=3),
    read("WebP", saved(colour, "WEBP", quality=90)),
    read("WebP, rough", saved(colour, "WEBP", quality=5, method=6)),
    read("WebP, fine", saved(colour.resize((37, 35)), "WEBP", quality=97)),
    entry("WebP without loss", saved(colour, "WEBP", lossless=True)),
    entry("WebP with opacity", saved(opaque, "WEBP", quality=90, method=6)),
    entry("WebP of two images", saved(colour, "WEBP", save_all=True, append_images=[colour.transpose(0)])),
    read("BMP colour", saved(colour, "BMP")),
    read("BMP grey", saved(grey, "BMP")),
    read("BMP 1 bit", saved(grey.convert("1"), "BMP")),
    read("BMP indexed", saved(indexed, "BMP")),
    entry("BMP of run lengths", converted(indexed.convert("RGB"), "-type", "Palette", "-compress", "RLE", "bmp3:-")),
    read("GIF", saved(indexed, "GIF")),
    read("GIF grey, interlaced", converted(grey, "-interlace", "GIF", "gif:-"), "RGB"),
    read("GIF with transparency", saved(indexed, "GIF", transparency=3), "RGBA"),
    read("GIF of two images", saved(indexed, "GIF", save_all=True, append_images=[indexed.transpose(0)]), "RGB"),
    *[read(f"TIFF {mode}, {compression or 'as it is'}", saved(picture, "TIFF", compression=compression))
      for mode, picture, compression in [("colour", colour, None), ("colour", colour, "tiff_lzw"), ("colour", colour, "tiff_adobe_deflate"),
                                         ("colour", colour, "packbits"), ("grey", grey, None), ("grey", grey, "tiff_lzw"),
                                         ("opacity", opaque, "tiff_lzw"), ("indexed", indexed, "tiff_lzw")]],
    read("TIFF colour, big-endian", converted(colour, "-endian", "MSB", "-compress", "LZW", "tiff:-"), "RGB"),
    *[entry(f"TIFF of {compression}", saved(picture, "TIFF", compression=compression))
      for picture, compression in [(grey.convert("1"), "group4"), (grey.convert("1"), "group3"), (colour, "jpeg")]],
    entry("TIFF in planes", converted(colour, "-interlace", "plane", "tiff:-")),
    entry("TIFF of floats", converted(colour, "-define", "quantum:format=floating-point", "-depth", "32", "tiff:-")),
    entry("TIFF in tiles", converted(colour, "-define", "tiff:tile-geometry=16x16", "tiff:-")),
    read("TIFF of two images", saved(colour, "TIFF", save_all=True, append_images=[colour.transpose(0)])),
]
print("[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]")

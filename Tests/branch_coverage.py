#!/usr/bin/python3
"""Prints how many branches of each reader of files the tests took, from coverlet's report, and fails below 95 %.

    dotnet test Tests -c Release --collect "XPlat Code Coverage" --results-directory FOLDER
    branch_coverage.py FOLDER

Branches that no file can lead to, such as an error of the disk, are in it too.
"""
import glob, re, sys
import xml.etree.ElementTree as xml

LEAST = 0.95
READERS = {                      # a format, and the classes that read it
    "safetensors": ["SafetensorsFile", "SafetensorsHeader", "Numbers", "ReadableFile"],
    "npy, npz": ["NumpyFile", "NumpyHeader", "NumpyText", "ArrayFile"],
    "images": ["ImageFile", "ImageCodec", "ImageStructure", "ImageMemory"],
    "images of a folder": ["ImageFolder", "DecodedImages", "ImageCache"],
    "IDX": ["Idx"],
    "CIFAR": ["CifarFiles"],
}

taken = {}
for report in glob.glob(f"{sys.argv[1]}/**/coverage.cobertura.xml", recursive=True):
    for kind in xml.parse(report).iter("class"):
        name = re.split(r"[/<`]", kind.get("name"))[0].split(".")[-1]     # lambdas are classes of their own
        for line in kind.iter("line"):
            if (branches := re.search(r"\((\d+)/(\d+)\)", line.get("condition-coverage") or "")) is None: continue
            place = (name, kind.get("filename"), line.get("number"))
            taken[place] = max(taken.get(place, (0, 0)), tuple(map(int, branches.groups())))

failed = False
for reader, classes in READERS.items():
    lines = {place: counts for place, counts in taken.items() if place[0] in classes}
    absent = [name for name in classes if not any(place[0] == name for place in lines)]
    some, all = sum(counts[0] for counts in lines.values()), sum(counts[1] for counts in lines.values())
    share = some / all if all else 0
    print(f"branches of {reader}: {some} of {all}, {share:.1%}" + (f"; nothing of {', '.join(absent)}" if absent else ""))
    for (name, file, line), counts in sorted(lines.items(), key=lambda item: (item[0][1], int(item[0][2]))):
        if counts[0] < counts[1]: print(f"    {file}:{line}: {counts[0]} of {counts[1]}")
    failed |= share < LEAST or bool(absent)
sys.exit(failed)

#!/usr/bin/env bash
# Measures this library and PyTorch in turn, part by part, so that what is compared was measured in the same minute; prints the tables of the README.
#
#     bash Tests/Benchmarks/measure.sh [rounds [seconds for each figure [parts]]]
#     bash Tests/Benchmarks/measure.sh 1 0.5 "step norm"
#
# PYTHON names a python3 with torch. Nothing else should run on the machine meanwhile.
set -euo pipefail
rounds=${1:-3} seconds=${2:-4} parts=${3:-memory gemm norm step conv}
folder=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
dotnet build "$folder" -c Release --nologo -v q >&2
benchmarks="$folder/bin/Release/net10.0/benchmarks.dll"

files=()
for round in $(seq "$rounds"); do
    for part in $parts; do
        echo "round $round of $rounds: $part" >&2
        here="$work/$part-$round-here.json" there="$work/$part-$round-there.json"
        dotnet "$benchmarks" peer --threads 2 --seconds "$seconds" --only "$part" > "$here"
        "${PYTHON:-python3}" "$folder/torch_peer.py" --threads 2 --seconds "$seconds" --only "$part" > "$there"
        files+=("$here" "$there")
    done
done
echo "$(date -u +%F), $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1), $(nproc) cores, .NET $(dotnet --version); there: PyTorch" \
    "$(sed -n 's/.*"torch": "\([^"]*\)".*/\1/p' "$there"); rounds: $rounds, seconds for each figure: $seconds."
echo
dotnet "$benchmarks" compare "${files[@]}"
echo
dotnet "$benchmarks" errors

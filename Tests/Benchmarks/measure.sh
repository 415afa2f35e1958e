#!/usr/bin/env bash
# Measures this library and PyTorch in turn, part by part, so that what is compared was measured in the same minute; prints the tables of the README.
#
#     bash Tests/Benchmarks/measure.sh [rounds [seconds for each figure [parts]]]
#     bash Tests/Benchmarks/measure.sh 1 0.5 "step norm"
#
# PYTHON names a python3 with torch. TORCHSHARP_PEER, if it is set, names a program that takes seconds and parts and prints the figures of another
# libtorch. Inference is measured in ONNX Runtime too. Nothing else should run on the machine meanwhile.
set -euo pipefail
rounds=${1:-3} seconds=${2:-4} parts=${3:-memory gemm norm step conv}
folder=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
dotnet build "$folder" -c Release --nologo -v q >&2
benchmarks="$folder/bin/Release/net10.0/benchmarks.dll"

files=() peers=2
if [[ -n ${TORCHSHARP_PEER:-} ]]; then peers=3; fi
for round in $(seq "$rounds"); do
    for part in $parts; do
        echo "round $round of $rounds: $part" >&2
        of="$work/$part-$round" nothing='{ "threads": 2 }'
        dotnet "$benchmarks" peer --threads 2 --seconds "$seconds" --only "$part" > "$of-here.json"
        "${PYTHON:-python3}" "$folder/torch_peer.py" --threads 2 --seconds "$seconds" --only "$part" > "$of-torch.json"
        files+=("$of-here.json" "$of-torch.json")
        if [[ -n ${TORCHSHARP_PEER:-} ]]; then
            if [[ $part == memory ]]; then echo "$nothing"; else "$TORCHSHARP_PEER" "$seconds" "$part" 2> /dev/null; fi > "$of-libtorch.json"
            files+=("$of-libtorch.json")
        fi
        if [[ $part == step ]]; then dotnet "$benchmarks" onnx --threads 2 --seconds "$seconds"; else echo "$nothing"; fi > "$of-onnx.json"
        files+=("$of-onnx.json")
    done
done
echo "$(date -u +%F), $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1), $(nproc) cores, .NET $(dotnet --version); rounds: $rounds," \
    "seconds for each figure: $seconds."
echo
dotnet "$benchmarks" compare --peers "$peers" "${files[@]}"
echo
dotnet "$benchmarks" errors

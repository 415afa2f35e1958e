#!/usr/bin/env bash
# Measures this library and PyTorch in turn, and prints the comparison as the README shows it.
#
#     bash Tests/Benchmarks/measure.sh [rounds] [options of both programs, such as --seconds 2 --only step]
#
# PYTHON names a python3 with torch. Nothing else should run on the machine meanwhile.
set -euo pipefail
rounds=${1:-3}
shift || true
folder=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
dotnet build "$folder" -c Release --nologo -v q >&2
benchmarks="$folder/bin/Release/net10.0/benchmarks.dll"

files=()
for round in $(seq "$rounds"); do
    echo "round $round of $rounds" >&2
    dotnet "$benchmarks" peer --threads 2 "$@" > "$work/here-$round.json"
    "${PYTHON:-python3}" "$folder/torch_peer.py" --threads 2 "$@" > "$work/there-$round.json"
    files+=("$work/here-$round.json" "$work/there-$round.json")
done
echo "$(date -u +%F), $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1), $(nproc) cores, .NET $(dotnet --version), $rounds rounds; there: PyTorch" \
    "$(sed -n 's/.*"torch": "\(.*\)".*/\1/p' "$work/there-1.json")."
echo
dotnet "$benchmarks" compare "${files[@]}"
echo
dotnet "$benchmarks" errors

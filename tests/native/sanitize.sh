#!/bin/sh
# Fuzz the C kernels under AddressSanitizer and UndefinedBehaviorSanitizer, without Python. Usage: sanitize.sh [COUNT]
set -eu
here=$(cd "$(dirname "$0")" && pwd)
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
sh "$here/build.sh" "${CC:-gcc}" "$(uname -m)" "$out/driver" -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all
ASAN_OPTIONS=detect_leaks=1 "$out/driver" "${1:-150}"

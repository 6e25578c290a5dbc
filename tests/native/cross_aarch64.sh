#!/bin/sh
# Build the kernels for ARM (NEON) with a cross compiler and fuzz them under user-mode emulation. Usage: cross_aarch64.sh [COUNT]
set -eu
here=$(cd "$(dirname "$0")" && pwd)
cc=aarch64-linux-gnu-gcc
emulator=$(command -v qemu-aarch64 || command -v qemu-aarch64-static || true)
if ! command -v $cc >/dev/null || [ -z "$emulator" ]; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        { apt-get update -q && apt-get install -q -y --no-install-recommends gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user; } \
            >/dev/null 2>&1 || true
        emulator=$(command -v qemu-aarch64 || command -v qemu-aarch64-static || true)
    fi
    if ! command -v $cc >/dev/null || [ -z "$emulator" ]; then
        echo "skipped: $cc or qemu-aarch64 is missing and could not be installed"
        exit 0
    fi
fi
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
sh "$here/build.sh" $cc aarch64 "$out/driver" -O2 -static
"$emulator" "$out/driver" "${1:-60}"

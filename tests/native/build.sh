#!/bin/sh
# Build the driver: build.sh COMPILER ARCHITECTURE OUTPUT [FLAG...]. The flags per instruction set are those of backends/cpu/meson.build.
set -eu
cc=$1 arch=$2 out=$3
shift 3
here=$(cd "$(dirname "$0")" && pwd)
src=$here/../../backends/cpu/csrc
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

tile() { # name lanes tile flags...
    name=$1 lanes=$2 most=$3
    shift 3
    "$cc" -std=gnu11 -Wall -Wextra -I"$src" "-DBK_ISA=bk_$name" "-DBK_ISA_NAME=\"${name%%_*}\"" "-DBK_VL=$lanes" "-DBK_TILE=$most" \
        "$@" -c "$src/tile.c" -o "$work/$name.o" &
}

wide="-mavx512f -mavx512vl -mavx512dq -mavx512bw -mfma"
jit=$src/jit_none.c
tile portable 4 14 "$@"
case $arch in
x86_64)
    jit="$src/jit.c $src/jit_share.c $src/jit_layout.c $src/jit_code.c $src/jit_pages.c
        $src/bands.c $src/bands_layout.c $src/bands_order.c $src/bands_code.c $src/bands_pack.c $src/bands_row.c"
    # shellcheck disable=SC2086
    tile avx512 16 28 $wide "$@"
    # shellcheck disable=SC2086
    tile avx512_half 8 28 $wide "$@"
    tile avx2 8 14 -mavx2 -mfma "$@"
    ;;
aarch64) tile neon 4 28 "$@" ;;
esac
wait
# shellcheck disable=SC2086
"$cc" -std=gnu11 -Wall -Wextra -I"$src" "$@" "$here/driver.c" $jit "$src/plan.c" "$src/layout.c" "$src/run.c" "$src/team.c" "$src/dispatch.c" \
    "$work"/*.o -lpthread -o "$out"

#!/bin/sh
# Build the extension modules with AddressSanitizer and UndefinedBehaviorSanitizer and run their Python tests.
# Usage: sanitize_extension.sh [PYTEST ARGUMENT...]
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
python=${PYTHON:-python}
asan=$(${CC:-gcc} -print-file-name=libasan.so)
case $asan in
/*) ;;
*)
    echo "skipped: ${CC:-gcc} has no libasan.so"
    exit 0
    ;;
esac
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
for tool in meson ninja; do
    command -v $tool >/dev/null || "$python" -m pip install -q meson ninja
done

meson setup "$out/build" "$root" -Dpython.install_env=auto -Doptimization=1 -Ddebug=true -Db_sanitize=address,undefined -Db_lundef=false \
    -Dc_args=-fno-sanitize-recover=all >"$out/log" 2>&1 || { cat "$out/log"; exit 1; }
ninja -C "$out/build" >"$out/log" 2>&1 || { cat "$out/log"; exit 1; }

# A tree of its own, so that neither an installed wheel nor an editable install gets in the way.
mkdir "$out/tree"
for package in harness backends perfmodel gsl conf tests; do cp -R "$root/$package" "$out/tree/"; done
cp "$root/pyproject.toml" "$out/tree/"
cp "$out/build/backends/cpu/"_kernels*.so "$out/tree/backends/cpu/"
cp "$out/build/backends/host/"_host*.so "$out/tree/backends/host/"
cat >"$out/tree/sitecustomize.py" <<'PY'
import sys

sys.meta_path[:] = [finder for finder in sys.meta_path if "Mesonpy" not in type(finder).__name__]
PY
cd "$out/tree"
if [ $# = 0 ]; then set -- tests/backends/cpu tests/backends/host; fi
LD_PRELOAD="$asan" ASAN_OPTIONS=detect_leaks=0 PYTHONPATH="$out/tree" PYTHONDONTWRITEBYTECODE=1 OPENBLAS_NUM_THREADS=1 \
    "$python" -m pytest -q -p no:cacheprovider "$@"

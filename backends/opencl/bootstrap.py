"""Make a pip-installed OpenCL runtime, or a driver that no ``.icd`` file names, visible to the loader before the first platform call.

pyopencl's loader reads ``OCL_ICD_VENDORS``: a folder of ``.icd`` files that replaces the system's.
The ``.icd`` file in Intel's wheel names a folder of its build machine, so we write our own; the wheel's
libraries find those of ``intel-cmplr-lib-rt`` because both lie in the same folder. Containers mount NVIDIA's driver but often
not its ``.icd`` file: its library is looked for where they put it.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
from collections.abc import Iterable
from pathlib import Path

from harness.contract import BreakevenError

_SYSTEM_VENDORS = Path("/etc/OpenCL/vendors")
_VARIABLES = ("OCL_ICD_VENDORS", "OPENCL_VENDOR_PATH")
_DISTRIBUTION = "intel-opencl-rt"
_LIBRARY = "libintelocl.so"
_NVIDIA = "libnvidia-opencl.so.1"
_DRIVER_FOLDERS = (
    "/usr/local/nvidia/lib64",
    "/usr/local/nvidia/lib",
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
    "/usr/lib64",
)
HINTS = (
    "install a runtime: pip install 'breakeven[opencl]' (Intel's CPU runtime, x86-64) or pip install 'pyopencl[pocl]' (Linux x86-64); "
    "a system driver needs an .icd file in /etc/OpenCL/vendors, or OCL_ICD_VENDORS=libnvidia-opencl.so.1 (NVIDIA) in the environment; "
    "OCL_ICD_DEBUG=15 shows what the loader tries"
)


def cache_folder() -> Path:
    """Where this backend keeps what it found out: ``$XDG_CACHE_HOME`` (else ``~/.cache``) ``/breakeven/opencl``."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "breakeven" / "opencl"


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write ``content`` so that a reader sees the old file or the whole new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        part.write_bytes(content.encode() if isinstance(content, str) else content)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def pip_runtime(distribution: str = _DISTRIBUTION, library: str = _LIBRARY) -> Path | None:
    """Where pip put the runtime's library: asked of the package's own file list, so that any prefix works."""
    try:
        files = importlib.metadata.distribution(distribution).files or []
    except importlib.metadata.PackageNotFoundError:
        return None
    for file in files:
        if file.name == library and (path := Path(str(file.locate())).resolve()).exists():
            return path
    return None


def unannounced_driver(entries: Iterable[str], folders: Iterable[str] = _DRIVER_FOLDERS) -> Path | None:
    """NVIDIA's library where it is installed and none of the ``.icd`` texts in ``entries`` names it."""
    if any("nvidia" in text.lower() for text in entries):
        return None
    searched = [*filter(None, os.environ.get("LD_LIBRARY_PATH", "").split(":")), *folders]
    return next((path for folder in searched if (path := Path(folder) / _NVIDIA).exists()), None)


def ensure_runtimes(vendors: Path = _SYSTEM_VENDORS, cache: Path | None = None) -> Path | None:
    """Add pip's runtime and an unannounced driver to the system's ``.icd`` entries; returns the folder used, None if nothing was changed.

    A setting of the user wins. The folder lies in the cache, named by its contents: it is reused, never left behind.
    """
    if any(os.environ.get(name) for name in _VARIABLES):
        return None
    entries = {f.name: f.read_text() for f in sorted(vendors.glob("*.icd"))} if vendors.is_dir() else {}
    found = {"breakeven-intel-pip.icd": pip_runtime(), "breakeven-nvidia.icd": unannounced_driver(entries.values())}
    ours = {name: library for name, library in found.items() if library}
    if not ours:
        return None
    entries |= {name: f"{library}\n" for name, library in ours.items()}
    digest = hashlib.sha256(repr(sorted(entries.items())).encode()).hexdigest()[:16]
    folder = (cache or cache_folder()) / "vendors" / digest
    try:
        for name, text in entries.items():
            if not (folder / name).exists():
                write_atomically(folder / name, text)
    except OSError:  # a read-only home: the library itself is accepted too, at the cost of the system's entries
        if len(entries) > 1:
            return None
        folder = next(iter(ours.values()))
    os.environ["OCL_ICD_VENDORS"] = str(folder)
    return folder


def missing_runtime(detail: str) -> BreakevenError:
    """The message for a machine without any OpenCL platform."""
    lacking = ""
    if pip_runtime() and not (pip_runtime("intel-cmplr-lib-rt", "libimf.so")):
        lacking = "intel-opencl-rt is installed but not intel-cmplr-lib-rt, whose libraries it loads: pip install intel-cmplr-lib-rt. "
    return BreakevenError(f"no OpenCL platform found ({detail}). {lacking}To get one, {HINTS}")

"""A stranger's plugin: a backend whose kernels go wrong in every way, an engine that works, and engines that do not open."""

import math
import os
import time
from dataclasses import dataclass

import numpy as np

from harness.contract import (
    Backend,
    BackendConfig,
    BackendSpec,
    InputError,
    KernelClock,
    KernelSpec,
    Limits,
    Plan,
    Support,
    UnsupportedError,
)
from harness.hookspecs import hookimpl


@dataclass
class Config(BackendConfig):
    """``word``: anything."""

    word: str = ""


@hookimpl
def breakeven_backends():
    return [
        BackendSpec("naughty", "strange_backends:Naughty", "goes wrong", 1, config=Config),
        BackendSpec(
            "honest", "strange_backends:Honest", "a dense engine", 1, environment=lambda threads: {"STRANGE_THREADS": str(threads)}
        ),
        BackendSpec("absent", "strange_backends:Absent", "lacks its engine", 1, extra="absent-extra"),
        BackendSpec("crasher", "strange_backends:Crasher", "aborts when opened", 1),
        BackendSpec("sleepy", "strange_backends:Sleepy", "takes for ever to open", 1),
        BackendSpec("liar", "strange_backends:Liar", "computes zeros", 1, role="recording"),
        BackendSpec("lost", "strange_nowhere:Nothing", "its module does not exist", 1),
        BackendSpec("unsteady", "strange_backends:Honest", "its environment raises", 1, environment=lambda n: {}[n]),
    ]


def shifted(p, weight, x):
    """The convolution as a sum of shifted images, in float64; groups and dilation included."""
    bottom, right = p.end_padding
    padded = np.pad(x.astype(np.float64), ((0, 0), (0, 0), (p.ph, bottom), (p.pw, right)))
    y = np.zeros(p.output_shape)
    for o, c, r, s in np.argwhere(weight):
        top, left = r * (p.dh + 1), s * (p.dw + 1)
        seen = padded[:, o // (p.oc // p.g) * (p.ic // p.g) + c, top:, left:]
        y[:, o] += weight[o, c, r, s] * seen[:, : (p.oh - 1) * p.sh + 1 : p.sh, : (p.ow - 1) * p.sw + 1 : p.sw]
    return y


class Shifted(Plan):
    """Right, and a millisecond slow, so that spread is small; ``fault`` goes wrong from the call ``after`` on."""

    def __init__(self, request, backend, threads):
        super().__init__(request, backend, threads)
        self._weight, self._calls = request.weight.copy(), 0

    def _run(self, x, y):
        self._calls += 1
        start = time.perf_counter()
        while time.perf_counter() < start + 1e-3:
            pass
        y[...] = shifted(self.problem, self._weight, x)
        return getattr(self, f"_{self.kernel.name}", lambda y: None)(y)

    def _segfault(self, y):
        if self._calls > 3:
            os.kill(os.getpid(), 11)

    def _hang(self, y):
        if self._calls > 1:
            time.sleep(600)

    def _raise_error(self, y):
        raise RuntimeError("the device is on fire [/red]")

    def _exit(self, y):
        raise SystemExit(7)

    def _wrong(self, y):
        y.flat[5] += 0.5

    def _wrong_later(self, y):
        if self._calls > 8:
            y.flat[0] -= 3

    def _nan(self, y):
        y.flat[3] = math.nan

    def _do_nothing(self, y):
        y[...] = 0

    def _nan_clock(self, y):
        return KernelClock(math.nan)

    def _noisy(self, y):
        time.sleep(0.002 * 3 ** (self._calls % 4))

    def _fast_clock(self, y):
        return KernelClock(1e-3, 1.0)


DENSE = Limits()
FAULTS = ("segfault", "hang", "raise_error", "exit", "wrong", "wrong_later", "nan", "do_nothing", "nan_clock", "noisy", "fast_clock")


class Naughty(Backend):
    name = "naughty"
    specs = (
        KernelSpec("good", "direct_sparse", "as it should be", options={"colour": "makes no difference"}),
        *(KernelSpec(fault, "direct_sparse", fault.replace("_", " ")) for fault in FAULTS),
        KernelSpec("pointwise", "direct_sparse", "1x1 only", Limits(kernel_sizes=((1, 1),))),
        KernelSpec("picky", "direct_sparse", "refuses in prepare"),
        KernelSpec("choosy", "direct_sparse", "does not take these weights"),
        KernelSpec("also_good", "direct_sparse", "the last one"),
    )

    def _prepare(self, request):
        if request.kernel.name == "picky":
            raise InputError("colour is 'grey'; allowed: red")
        if request.kernel.name == "choosy":
            raise UnsupportedError(f"choosy does not take density {request.density:.2g}")
        return Shifted(request, self.name, self.threads)

    def device(self):
        return "a [bold]strange[/] device"

    def versions(self):
        return {"strange": 1.5}


class Honest(Backend):
    name = "honest"
    specs = (KernelSpec("good", "dense", "as it should be"), KernelSpec("also_good", "low_rank", "no baseline", exact=False))

    def _prepare(self, request):
        assert os.environ["STRANGE_THREADS"] == str(self.threads)
        return Shifted(request, self.name, self.threads)

    def fma_peak(self):
        return 1e12


class Liar(Honest):
    name = "liar"
    specs = (KernelSpec("do_nothing", "dense", "zeros"),)

    def _prepare(self, request):
        return Shifted(request, self.name, self.threads)


class Absent(Honest):
    @classmethod
    def available(cls, config):
        return Support(False, "no module named absent")


class Crasher(Honest):
    def __init__(self, config, threads):
        print("about to abort", flush=True)
        os.abort()


class Sleepy(Honest):
    def __init__(self, config, threads):
        time.sleep(float(os.environ.get("STRANGE_SLEEP", "600")))
        super().__init__(config, threads)

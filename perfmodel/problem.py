"""One convolution as text: benchdnn's descriptor, parsed, checked and printed back.

``g2mb1ic96ih27oc256oh27kh5ph2n"alexnet:conv2"`` names groups, batch (``mb``), input and output
channels, sizes, kernel, stride, padding and dilation. Dilation counts from 0 as in benchdnn
(``dh1`` reads every second pixel). FLOP = 2 x MAC, padding taps counted.
"""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass

from perfmodel.errors import ProblemError

_LETTERS = ("g", "mb", "ic", "ih", "iw", "oc", "oh", "ow", "kh", "kw", "sh", "sw", "ph", "pw", "dh", "dw")
_TOKEN = re.compile(r"(mb|ic|ih|iw|oc|oh|ow|kh|kw|sh|sw|ph|pw|dh|dw|g)0*([0-9]+)_?")
_NAME = re.compile(r'n"([^"]*)"$')
_REQUIRED = ("ic", "ih", "oc", "kh")
_LIMIT = 2**31 - 1


def _span(kernel: int, dilation: int) -> int:
    """Input pixels that one dilated kernel covers."""
    return (kernel - 1) * (dilation + 1) + 1


@dataclass(frozen=True, slots=True)
class Problem:
    """A two-dimensional convolution; every field is one of benchdnn's letters.

    ``g`` groups, ``mb`` batch, ``ic``/``oc`` channels over all groups, ``ih iw oh ow`` pixels,
    ``kh kw`` kernel, ``sh sw`` stride, ``ph pw`` padding before the first pixel,
    ``dh dw`` dilation counted from 0. Raises :class:`ProblemError` when a field does not fit.
    """

    g: int
    mb: int
    ic: int
    ih: int
    iw: int
    oc: int
    oh: int
    ow: int
    kh: int
    kw: int
    sh: int = 1
    sw: int = 1
    ph: int = 0
    pw: int = 0
    dh: int = 0
    dw: int = 0
    name: str = ""

    def __post_init__(self) -> None:
        for letter in _LETTERS:
            value = getattr(self, letter)
            least = 0 if letter in ("ph", "pw", "dh", "dw") else 1
            if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= _LIMIT:
                raise ProblemError(f"{letter} is {value!r}; allowed: a whole number from {least} to {_LIMIT}")
        for letter in ("ic", "oc"):
            if getattr(self, letter) % self.g:
                raise ProblemError(f"{letter}{getattr(self, letter)} does not divide by g{self.g} groups")
        if not isinstance(self.name, str) or '"' in self.name or len(f"{self.name}.".splitlines()) > 1:
            raise ProblemError(f"name {self.name!r} holds a quote or a line break; allowed: any other text")
        self._check_output("h", self.ih, self.oh, self.kh, self.sh, self.ph, self.dh)
        self._check_output("w", self.iw, self.ow, self.kw, self.sw, self.pw, self.dw)

    @staticmethod
    def _check_output(axis: str, i: int, o: int, k: int, s: int, p: int, d: int) -> None:
        least, most = i + p - _span(k, d), i + 2 * p - _span(k, d)
        if most < 0:
            raise ProblemError(
                f"k{axis}{k} with d{axis}{d} covers {_span(k, d)} pixels, more than the padded input "
                f"i{axis}{i} + 2 x p{axis}{p} = {i + 2 * p}"
            )
        smallest, largest = max(1, least // s + 1), most // s + 1
        if not smallest <= o <= largest:
            allowed = f"{largest}" if smallest == largest else f"{smallest} to {largest}"
            raise ProblemError(f"o{axis}{o} does not fit i{axis}{i} k{axis}{k} s{axis}{s} p{axis}{p} d{axis}{d}; allowed: {allowed}")

    @classmethod
    def parse(cls, text: str) -> Problem:
        """Read a descriptor; raises :class:`ProblemError` that names the field and what is allowed.

        An omitted output size is computed with symmetric padding, ``mb`` is 1, strides are 1, padding
        and dilation 0. The w fields follow the h fields only if all of them are omitted.
        """
        if not isinstance(text, str):
            raise ProblemError(f"problem is {text!r}; allowed: a descriptor as text, such as ic96ih27oc256kh5ph2")
        values, name = _tokens(text)
        return cls(**_complete(values), name=name)

    def __str__(self) -> str:
        body = "".join(f"{letter}{getattr(self, letter)}" for letter in _LETTERS)
        return f'{body}n"{self.name}"' if self.name else body

    def with_batch(self, batch: int) -> Problem:
        """The same layer at another batch size."""
        return dataclasses.replace(self, mb=batch)

    @property
    def input_shape(self) -> tuple[int, int, int, int]:
        """NCHW shape of the input."""
        return (self.mb, self.ic, self.ih, self.iw)

    @property
    def weight_shape(self) -> tuple[int, int, int, int]:
        """OIHW shape of the weights; input channels are those of one group."""
        return (self.oc, self.ic // self.g, self.kh, self.kw)

    @property
    def output_shape(self) -> tuple[int, int, int, int]:
        """NCHW shape of the output."""
        return (self.mb, self.oc, self.oh, self.ow)

    @property
    def end_padding(self) -> tuple[int, int]:
        """Padding (h, w) after the last pixel that the output size really uses, 0 or more."""
        h = (self.oh - 1) * self.sh + _span(self.kh, self.dh) - self.ih - self.ph
        w = (self.ow - 1) * self.sw + _span(self.kw, self.dw) - self.iw - self.pw
        return max(0, h), max(0, w)

    @property
    def flops(self) -> int:
        """Dense FLOP of the whole batch: 2 x MAC, padding taps counted."""
        return 2 * self.mb * self.oc * self.oh * self.ow * (self.ic // self.g) * self.kh * self.kw

    @property
    def weight_count(self) -> int:
        """Number of weights, zeros included."""
        return self.oc * (self.ic // self.g) * self.kh * self.kw


def _tokens(text: str) -> tuple[dict[str, int], str]:
    """Split a descriptor into its letters' values and its name."""
    body = text.strip()
    name = ""
    if match := _NAME.search(body):
        name, body = match[1], body[: match.start()]
    values: dict[str, int] = {}
    position = 0
    while position < len(body):
        token = _TOKEN.match(body, position)
        if not token:
            raise ProblemError(
                f"cannot read {body[position : position + 12]!r} in problem {text!r}; allowed letters: {' '.join(_LETTERS)} n"
            )
        if token[1] in values:
            raise ProblemError(f"{token[1]} is given twice in problem {text!r}")
        values[token[1]] = int(token[2][:20])  # 20 digits are too large already; int() refuses thousands of them
        position = token.end()
    if missing := [letter for letter in _REQUIRED if letter not in values]:
        raise ProblemError(f"problem {text!r} lacks {', '.join(missing)}")
    return values, name


def _complete(values: dict[str, int]) -> dict[str, int]:
    """Fill in what the descriptor leaves out."""
    follows = not any(letter in values for letter in ("iw", "ow", "kw", "sw", "pw", "dw"))
    full = {"g": values.get("g", 1), "mb": values.get("mb", 1), "ic": values["ic"], "oc": values["oc"]}
    for axis in "hw":
        source = "h" if follows else axis
        if f"i{source}" not in values or f"k{source}" not in values:
            raise ProblemError(f"i{axis} and k{axis} are needed once any w field is given")
        i, k = values[f"i{source}"], values[f"k{source}"]
        s, p, d = (values.get(f"{letter}{source}", default) for letter, default in (("s", 1), ("p", 0), ("d", 0)))
        fits = s > 0 and i + 2 * p >= _span(k, d)
        o = values.get(f"o{source}", (i + 2 * p - _span(k, d)) // s + 1 if fits else 1)
        full |= {f"i{axis}": i, f"k{axis}": k, f"s{axis}": s, f"p{axis}": p, f"d{axis}": d, f"o{axis}": o}
    return full

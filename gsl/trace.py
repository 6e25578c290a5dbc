"""The convolutions of a model as problems, found by running it once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from gsl.layers import find_layers, plain_model
from perfmodel import InputError, Problem


def trace_problems(model: nn.Module, input_shape: Sequence[int], batch: int = 1) -> dict[str, Problem]:
    """Each Conv2d of ``model`` as a :class:`Problem` of ``batch`` images, for inputs of ``input_shape`` (channels, height, width).

    Raises :class:`InputError` for a convolution that a problem cannot express (padding as text or other than zeros) or that runs twice.
    """
    plain = plain_model(model)
    found: dict[str, Problem] = {}

    def hook(name: str) -> Callable[[Any, tuple[Tensor, ...], Tensor], None]:
        def note(module: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            if name in found:
                raise InputError(f"layer {name!r} runs twice in one pass; allowed: once")
            found[name] = _problem(name, module, inputs[0], output, batch)

        return note

    convolutions = {n: m for n, m in find_layers(plain).items() if isinstance(m, nn.Conv2d)}
    handles = [module.register_forward_hook(hook(name)) for name, module in convolutions.items()]
    parameter, training = next(plain.parameters()), plain.training
    try:
        plain.eval()
        with torch.no_grad():
            plain(torch.zeros((1, *input_shape), device=parameter.device, dtype=parameter.dtype))
    finally:
        plain.train(training)
        for handle in handles:
            handle.remove()
    return {name: found[name] for name in convolutions if name in found}


def _problem(name: str, module: nn.Conv2d, x: Tensor, y: Tensor, batch: int) -> Problem:
    if isinstance(module.padding, str) or module.padding_mode != "zeros":
        raise InputError(f"layer {name!r} has padding {module.padding!r} of mode {module.padding_mode!r}; allowed: numbers, zeros")
    (sh, sw), (ph, pw), (dh, dw) = module.stride, module.padding, module.dilation
    kh, kw = module.kernel_size
    return Problem.parse(
        f"g{module.groups}mb{batch}ic{x.shape[1]}ih{x.shape[2]}iw{x.shape[3]}oc{y.shape[1]}oh{y.shape[2]}ow{y.shape[3]}"
        f'kh{kh}kw{kw}sh{sh}sw{sw}ph{ph}pw{pw}dh{dh - 1}dw{dw - 1}n"{name}"'
    )

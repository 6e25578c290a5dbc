"""Errors that a user caused and can mend: shown as one message, never as a traceback."""

from __future__ import annotations


class BreakevenError(Exception):
    """Root of every error that breakeven raises on purpose."""


class InputError(BreakevenError, ValueError):
    """A value from outside is wrong; the message names the field, what was found and what is allowed."""


class UnsupportedError(InputError):
    """A kernel does not take this problem or these weights; not a mistake, so a run goes on and says so."""


class ProblemError(InputError):
    """A problem descriptor cannot be read or does not describe a convolution."""


class MissingNumberError(BreakevenError, LookupError):
    """A hardware or kernel number is needed and nobody has it."""

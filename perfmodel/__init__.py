"""Predict: the vocabulary and pure arithmetic. Imports nothing of ours."""

from perfmodel.errors import BreakevenError, InputError, MissingNumberError, ProblemError
from perfmodel.hardware import Hardware, Quantity
from perfmodel.problem import Problem

__all__ = ["BreakevenError", "Hardware", "InputError", "MissingNumberError", "Problem", "ProblemError", "Quantity"]

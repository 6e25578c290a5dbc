"""Predict: the vocabulary and pure arithmetic. Imports nothing of ours."""

from perfmodel.errors import BreakevenError, InputError, MissingNumberError, ProblemError
from perfmodel.hardware import Hardware, Quantity
from perfmodel.hardware_file import find_hardware, load_hardware, save_hardware, shipped_hardware
from perfmodel.paper import PaperProjection, paper_projection, paper_useful_range
from perfmodel.problem import Problem
from perfmodel.project import Projection, project_paper, useful_range_paper
from perfmodel.useful import UsefulRange

__all__ = [
    "BreakevenError",
    "Hardware",
    "InputError",
    "MissingNumberError",
    "PaperProjection",
    "Problem",
    "ProblemError",
    "Projection",
    "Quantity",
    "UsefulRange",
    "find_hardware",
    "load_hardware",
    "paper_projection",
    "paper_useful_range",
    "project_paper",
    "save_hardware",
    "shipped_hardware",
    "useful_range_paper",
]

"""What the guide sees of the hardware: each layer's dense kernels timed, its sparse kernels timed at a few densities."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.bench.cases import case_at
from harness.bench.contenders import Field, open_field
from harness.bench.entry import Entry
from harness.bench.race import race
from harness.config import RunConfig, as_list
from harness.contract import InputError, Problem
from harness.contract.record import RECORD_NAME, read_record
from harness.networks import Layer
from harness.plugins import host
from harness.tasks.session import Session
from harness.weights import open_source

if TYPE_CHECKING:
    from gsl import LayerOutlook

BLOCK = "outlook"


def outlooks(session: Session, problems: Mapping[str, Problem]) -> dict[str, LayerOutlook]:
    """The outlook of each convolution, from the record where it has been measured before the run was interrupted."""
    from gsl import combined_outlook

    config = session.config
    _probe_all(session, session.field, config, problems, BLOCK)
    for backend in as_list(config.train.also):
        own = dataclasses.replace(config, backend={"name": backend}, baselines="none", kernels=None, options=None)
        session.describe(f"opening {backend}")
        with open_field(own, host(), session.describe) as field:
            _probe_all(session, field, own, problems, f"{BLOCK}:{backend}")
    blocks = [BLOCK, *(f"{BLOCK}:{backend}" for backend in as_list(config.train.also))]
    found = {}
    for name in problems:
        seen = [_outlook(name, session.folder.record.extra[block][name], config.train.reach) for block in blocks]
        on_each = [outlook for outlook in seen if outlook is not None]
        if len(on_each) == len(blocks):
            found[name] = on_each[0] if len(on_each) == 1 else combined_outlook(on_each, config.train.reach)
    if not found:
        raise InputError("no convolution could be timed on a dense and on a sparse kernel; task=doctor says what is missing")
    return found


def check_also(config: RunConfig) -> None:
    """Raise :class:`InputError`, before any work, unless ``train.also`` names further backends that are installed, each once."""
    seen = [str(config.backend["name"])]
    for name in map(str, as_list(config.train.also)):
        host().spec(name)
        if name in seen:
            raise InputError(f"train.also is {config.train.also!r} beside backend {seen[0]!r}; allowed: further backends, each once")
        seen.append(name)


def _probe_all(session: Session, field: Field, config: RunConfig, problems: Mapping[str, Problem], block: str) -> None:
    """Time every layer on ``field``'s chosen backend, or take its times from an earlier run, and note them under ``block``."""
    for name, problem in problems.items():
        session.describe(f"timing {name}")
        if name not in session.folder.record.extra.get(block, {}):
            probed = _earlier(config.train.outlook, block, name, problem) or _probe(config, field, Layer(name, problem))
            session.folder.note(block, name, probed)


def _outlook(name: str, probe: Mapping[str, Any], reach: float) -> LayerOutlook | None:
    """The outlook that a layer's times give; None where they are too few."""
    from gsl import measured_outlook

    curve = {float(density): seconds for density, seconds in probe["sparse_s"].items()}
    if len(curve) < 2 or not probe["dense_s"]:
        return None
    return measured_outlook(name, probe["dense_s"], curve, (probe["dense"], probe["sparse"]), reach)


def _earlier(folder: str | None, block: str, name: str, problem: Problem) -> dict[str, Any] | None:
    """The layer's times from an earlier run's record, so that runs to be compared are guided by the same numbers."""
    if not folder:
        return None
    probe = dict(read_record(Path(folder).expanduser() / RECORD_NAME).extra.get(block, {}).get(name, {}))
    if probe.get("problem") != str(problem):
        raise InputError(f"train.outlook {folder!r} has {probe.get('problem', 'no times')} for {name}; allowed: a run that timed {problem}")
    return probe


def _probe(config: RunConfig, field: Field, layer: Layer) -> dict[str, Any]:
    """Best dense kernel and its seconds; at each density the seconds of the best sparse kernel."""
    source = open_source({"kind": "random", "pattern": "imbalanced"})
    sparse = [(team, kernel) for team, kernel in field.contenders() if team is field.chosen and kernel.sparse]
    if not sparse:
        raise InputError(f"backend {field.chosen.spec.name!r} has no sparse kernel among the chosen ones; pruning cannot pay on it")
    dense_s, dense, curve, best = 0.0, "", {}, ""
    for density in sorted(float(d) for d in as_list(config.train.probes)):
        case = case_at(layer, layer.problem.mb, density, source, config)
        rivals = [] if dense else field.dense()
        entries = race(case, [*sparse, *rivals], field.oracle, config.measure, lambda: None)
        timed = sorted((_seconds(e), _label(e), (e.team, e.kernel) in sparse) for e in entries if e.status == "passed" and e.measurement)
        fastest = next(((s, label) for s, label, is_sparse in timed if is_sparse), None)
        others = [(s, label) for s, label, is_sparse in timed if not is_sparse]
        if others:
            dense_s, dense = others[0]
        if fastest:
            curve[str(density)], best = fastest[0], best or fastest[1]
    return {"problem": str(layer.problem), "dense": dense, "dense_s": dense_s, "sparse": best, "sparse_s": curve}


def _seconds(entry: Entry) -> float:
    assert entry.measurement is not None
    return entry.measurement.median_s


def _label(entry: Entry) -> str:
    return f"{entry.team.spec.name} {entry.kernel.name}"

"""What the guide sees of the hardware: each layer's dense kernels timed, its sparse kernels timed at a few densities."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.bench.cases import case_at
from harness.bench.entry import Entry
from harness.bench.race import race
from harness.config import as_list
from harness.contract import InputError, Problem
from harness.contract.record import RECORD_NAME, read_record
from harness.networks import Layer
from harness.tasks.session import Session
from harness.weights import open_source

if TYPE_CHECKING:
    from gsl import LayerOutlook

BLOCK = "outlook"


def outlooks(session: Session, problems: Mapping[str, Problem]) -> dict[str, LayerOutlook]:
    """The outlook of each convolution, from the record where it has been measured before the run was interrupted."""
    from gsl import measured_outlook

    found = {}
    for name, problem in problems.items():
        session.describe(f"timing {name}")
        known = session.folder.record.extra.get(BLOCK, {})
        if name not in known:
            probed = _earlier(session.config.train.outlook, name, problem) or _probe(session, Layer(name, problem))
            session.folder.note(BLOCK, name, probed)
        probe: dict[str, Any] = session.folder.record.extra[BLOCK][name]
        curve = {float(density): seconds for density, seconds in probe["sparse_s"].items()}
        if len(curve) >= 2 and probe["dense_s"]:
            found[name] = measured_outlook(name, probe["dense_s"], curve, (probe["dense"], probe["sparse"]), session.config.train.reach)
    if not found:
        raise InputError("no convolution could be timed on a dense and on a sparse kernel; task=doctor says what is missing")
    return found


def _earlier(folder: str | None, name: str, problem: Problem) -> dict[str, Any] | None:
    """The layer's times from an earlier run's record, so that runs to be compared are guided by the same numbers."""
    if not folder:
        return None
    probe = dict(read_record(Path(folder).expanduser() / RECORD_NAME).extra.get(BLOCK, {}).get(name, {}))
    if probe.get("problem") != str(problem):
        raise InputError(f"train.outlook {folder!r} has {probe.get('problem', 'no times')} for {name}; allowed: a run that timed {problem}")
    return probe


def _probe(session: Session, layer: Layer) -> dict[str, Any]:
    """Best dense kernel and its seconds; at each density the seconds of the best sparse kernel."""
    config, field = session.config, session.field
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

"""Small facts kept on disk by device, driver and question: FMA rates that rank runtimes, tuned choices."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

from backends.opencl.bootstrap import cache_folder, write_atomically
from backends.opencl.devices import Device


def recall(device: Device, question: str) -> dict[str, Any] | None:
    """What was stored for this question, None if nothing or nothing readable."""
    try:
        found = json.loads(_path(device, question).read_text())
    except (OSError, ValueError):
        return None
    return found["answer"] if isinstance(found, dict) and found.get("question") == question else None


def remember(device: Device, question: str, answer: dict[str, Any]) -> None:
    """Store ``answer``; a cache folder that cannot be written only means asking again."""
    try:
        write_atomically(_path(device, question), json.dumps({"device": str(device), "question": question, "answer": answer}, indent=1))
    except OSError:
        return


def _path(device: Device, question: str) -> Path:
    """One file a question; the driver is part of the key, because a new one may turn every answer round."""
    key = f"{device.platform} {device.name} {device.driver}"
    slug = re.sub(r"[^a-z0-9.]+", "-", key.lower()).strip("-")[:80]
    digest = hashlib.sha256(f"{key}|{question}".encode()).hexdigest()[:16]
    return cache_folder() / "facts" / slug / f"{digest}.json"

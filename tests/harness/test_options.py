"""Options of a backend: typed, named, with what is allowed."""

from dataclasses import dataclass, field
from typing import Any, Literal

import pytest

from harness.contract import BackendConfig, BackendSpec, InputError
from harness.options import build_config


@dataclass
class Config(BackendConfig):
    count: int = 1
    scale: float = 1.0
    flag: bool = False
    word: str | None = None
    mode: Literal["fast", "slow"] = "fast"
    anything: Any = None
    words: list[str] = field(default_factory=list)


SPEC = BackendSpec("able", "x:Y", "x", 1, config=Config)


def test_defaults_and_values():
    assert build_config(SPEC, {}) == Config(name="able")
    options = {"count": 3, "scale": 2, "flag": True, "word": "x", "mode": "slow", "anything": {1: 2}, "words": ["a"]}
    assert build_config(SPEC, options) == Config("able", **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cuont": 1}, "has no option 'cuont'; allowed: count, scale, flag, word, mode, anything, words. Did you mean 'count'?"),
        ({"name": "x"}, "no option 'name'"),
        ({"count": True}, "'count' of backend 'able' is True; allowed: int"),
        ({"count": 1.5}, "'count' of backend 'able' is 1.5; allowed: int"),
        ({"scale": "1"}, "is '1'; allowed: float"),
        ({"scale": False}, "is False; allowed: float"),
        ({"flag": 1}, "is 1; allowed: bool"),
        ({"word": 3}, "is 3; allowed: str | None"),
        ({"mode": "medium"}, "is 'medium'; allowed: 'fast', 'slow'"),
        ({"words": "a"}, "is 'a'; allowed: list"),
    ],
)
def test_refused(options, message):
    with pytest.raises(InputError) as caught:
        build_config(SPEC, options)
    assert message in str(caught.value)

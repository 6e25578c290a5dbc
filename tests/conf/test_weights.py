"""The shipped weight groups compose, and open as the source that they name."""

from pathlib import Path

from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

import conf
from harness.weights import FileWeights, RandomWeights, open_source


def composed(*overrides: str):
    with initialize_config_dir(str(Path(conf.__file__).parent), version_base="1.3"):
        return OmegaConf.to_container(compose(overrides=list(overrides)))["weights"]


def test_random():
    assert composed("+weights=random") == {"kind": "random", "pattern": "uniform"}
    source = open_source(composed("+weights=random", "weights.pattern=imbalanced"))
    assert isinstance(source, RandomWeights) and "imbalanced" in source.description


def test_files(tmp_path: Path):
    assert composed("+weights=files") == {"kind": "files", "path": None, "layers": {}}
    assert isinstance(open_source(composed("+weights=files", f"weights.path={tmp_path}")), FileWeights)

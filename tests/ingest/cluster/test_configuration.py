"""docs/how-to/cluster.yaml is what `ray up` takes."""

from pathlib import Path

import pytest

FILE = Path(__file__).parents[3] / "docs" / "how-to" / "cluster.yaml"


def test_ray_takes_the_configuration_of_a_cluster() -> None:
    pytest.importorskip("ray")
    util = pytest.importorskip("ray.autoscaler._private.util", exc_type=ImportError)
    yaml = pytest.importorskip("yaml")
    config = util.prepare_config(yaml.safe_load(FILE.read_text()))
    util.validate_config(config)
    assert config["head_node_type"] in config["available_node_types"]

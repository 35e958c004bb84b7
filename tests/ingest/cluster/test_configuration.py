"""docs/how-to/cluster.yaml is what `ray up` takes."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

FILE = Path(__file__).parents[3] / "docs" / "how-to" / "cluster.yaml"
# In a process of its own: Ray reads its settings when it is imported, and other tests set them before.
CHECK = """
import sys, yaml
from pathlib import Path
from ray.autoscaler._private.util import prepare_config, validate_config
config = prepare_config(yaml.safe_load(Path(sys.argv[1]).read_text()))
validate_config(config)
assert config["head_node_type"] in config["available_node_types"]
"""


def test_ray_takes_the_configuration_of_a_cluster() -> None:
    if any(importlib.util.find_spec(package) is None for package in ("ray", "yaml", "jsonschema")):
        pytest.skip("Ray is not installed")
    subprocess.run([sys.executable, "-c", CHECK, str(FILE)], check=True, timeout=120)

"""The wheel of sdk/python, built and installed without a network into an environment of its own."""
import os
import pathlib
import shutil
import subprocess
import sys

PACKAGE = pathlib.Path(__file__).parents[2] / "sdk/python"


def run(*arguments, **options):
    result = subprocess.run([str(each) for each in arguments], capture_output=True, text=True, timeout=300, **options)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def test_the_wheel_works_in_a_clean_environment(tmp_path):
    # A copy, so that the build leaves nothing in the repository.
    source = tmp_path / "source"
    shutil.copytree(PACKAGE, source, ignore=shutil.ignore_patterns("build", "*.egg-info", "__pycache__"))
    run(sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-index", "--no-build-isolation", "-w", tmp_path, source)
    (wheel,) = tmp_path.glob("*.whl")
    run(sys.executable, "-m", "venv", tmp_path / "environment")
    python = tmp_path / "environment/bin/python"
    run(python, "-m", "pip", "install", "--no-index", "--no-deps", wheel)
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    program = """
import pathlib, sys
import crowbar_plugin
from crowbar_plugin.testing import Host
folder = pathlib.Path(crowbar_plugin.__file__).parent
assert str(folder).startswith(sys.prefix), folder
assert (folder / "py.typed").exists()
with Host([sys.executable, sys.argv[1]]) as host:
    assert host.event(message="bob++").kind == "ack"
    assert host.state() == {"bob": 1}
    assert host.drain() == 0
print("works")
"""
    example = PACKAGE / "examples/karma.py"
    assert run(python, "-I", "-c", program, example, env=environment, cwd=tmp_path).endswith("works\n")

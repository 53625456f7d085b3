"""What is wrong in a program is noticed: mutants, each killed or explained."""

import os
import subprocess
from pathlib import Path

import pytest
from conftest import BUILD
from mangletest import proof

MUTATE = Path(__file__).resolve().parents[1] / "mutate" / "mutate"
# The same in every run: the whole is `make mutate`.
SHORT, LONG = 16, 100


@pytest.mark.parametrize("suite", ["xdp", "session"])
def test_mutants_are_killed(suite):
    """A sample, as many of every file as can be."""
    n = proof.size(SHORT, LONG)
    done = subprocess.run(
        [MUTATE, "--suite", suite, "--sample", str(n)],
        env={**os.environ, "BUILD": BUILD},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    proof.figure(f"mutants, {suite}, {n} of them (all: make mutate)", done.stdout.splitlines()[-1])

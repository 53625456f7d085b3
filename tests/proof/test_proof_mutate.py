"""What is wrong in the packet path is noticed: mutants of the XDP program, each killed or explained."""

import os
import subprocess
from pathlib import Path

from conftest import BUILD
from mangletest import proof

MUTATE = Path(__file__).resolve().parents[1] / "mutate" / "mutate"
# The same in every run: the whole is `make mutate`.
SHORT, LONG = 16, 100


def test_mutants_are_killed():
    """A sample, as many of every file as can be."""
    n = proof.size(SHORT, LONG)
    done = subprocess.run(
        [MUTATE, "--sample", str(n)],
        env={**os.environ, "BUILD": BUILD},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    proof.figure(f"mutants of the XDP program, {n} of them (all: make mutate)", done.stdout.splitlines()[-1])

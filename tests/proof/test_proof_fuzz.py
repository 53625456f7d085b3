"""Coverage-guided fuzzing of every parser and of the packet stages, under the sanitizers."""

import os
import re
import subprocess
from pathlib import Path

from conftest import BUILD
from mangletest import proof

ROOT = Path(__file__).resolve().parents[2]
TARGETS = sorted(os.listdir(ROOT / "tests/fuzz/corpus"))
SECONDS = proof.size(60, 120)
LEAST = 1000  # inputs of a target, or it has not run


def test_fuzz(program):
    for target in TARGETS:
        program(f"fuzz-{target}")
    done = subprocess.run(
        [ROOT / "tests/fuzz/run", *TARGETS],
        cwd=ROOT,
        env=dict(os.environ, BUILD=BUILD, FUZZ_SECONDS=str(SECONDS)),
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    seen = dict(line.split(": ", 1) for line in done.stdout.splitlines())
    assert sorted(seen) == TARGETS, done.stdout
    for target, said in seen.items():
        assert int(re.match(r"\d+", said)[0]) >= LEAST, f"{target}: {said}"
        proof.figure(f"fuzzing, {target}", said)

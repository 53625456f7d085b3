"""What the programs do with known packets is what was recorded, in files that a person can read: a change of
what they do shows there, and has to be meant. The mutation test kills most mutants by these."""

import difflib
import itertools
import subprocess

import pytest
from mangletest import ctl, proof

FUZZ = ctl.REPO / "tests" / "fuzz"


@pytest.mark.parametrize("target", ["packet", "tc"])
def test_recorded(program, target):
    inputs, transcript = FUZZ / "corpus" / target, FUZZ / f"{target}.transcript"
    done = subprocess.run([program(f"replay-{target}"), inputs], stdout=subprocess.PIPE, text=True, check=False)
    recorded = transcript.read_text(encoding="ascii")
    assert done.returncode == 0, "what must hold of any packet does not"
    changed = difflib.unified_diff(recorded.splitlines(), done.stdout.splitlines(), "recorded", "now", n=1, lineterm="")
    assert done.stdout == recorded, "\n".join(["not as recorded (if that is meant: make record):",
                                               *itertools.islice(changed, 40)])
    lines = recorded.splitlines()
    inputs = sum(line.startswith("== ") for line in lines)
    proof.figure(f"known packets, {target}", f"{inputs} inputs, {len(lines) - inputs} packets: all as recorded")

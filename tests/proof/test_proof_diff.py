"""The packet path and an oracle that knows nothing of it: what leaves, what is done and what is counted are
the same for every frame; what no service matches stays as it came; checksums stay as good or bad as
they were."""

import collections
import os
import re
import subprocess
import time

import pytest
from mangletest import proof

REASONS = {  # all that XDP gives, and what may become of it
    "not_ip": {"passed"},
    "malformed_ip": {"passed"},
    "later_fragment": {"passed"},
    "not_udp_tcp": {"passed"},
    "routing_header": {"passed"},
    "tcp_fragment": {"passed"},
    "malformed_l4": {"passed", "dropped"},
    "no_service": {"passed"},
    "no_payload": {"passed"},
    "too_short": {"passed", "dropped"},
    "too_long": {"passed", "dropped"},
    "no_tag": {"passed", "dropped"},
    "unknown_tag": {"passed", "dropped", "rewritten"},
    "entity_drop": {"passed", "dropped"},  # passed: under observe
    "entity_pass": {"passed"},
    "rewritten": {"passed", "rewritten"},
}
NOBODYS = [reason for reason in REASONS if list(REASONS).index(reason) <= list(REASONS).index("no_service")]
SEED = proof.size(1, int(time.time()))


@pytest.fixture
def diff(program):
    """diff(mode, frames): one process on each CPU, seeds of their own; the sums of what they counted."""
    started = []

    def call(mode, frames):
        cpus = sorted(os.sched_getaffinity(0))
        for i, cpu in enumerate(cpus):
            started.append(subprocess.Popen(
                [program("diff"), "--mode", mode, "--frames", str(-(-frames // len(cpus))),
                 "--seed", str(SEED + i), "--cpu", str(cpu)], stdout=subprocess.PIPE, text=True))
        seen = collections.Counter()
        for process in started:
            output = process.communicate()[0]
            assert process.returncode == 0, output[-20000:]
            frames_here, differences = re.search(r"^(\d+) frames, (\d+) differences", output, re.M).groups()
            seen["frames"] += int(frames_here)
            seen["differences"] += int(differences)
            for name, count in re.findall(r"^(\w.*) (\d+)$", output, re.M):
                seen[name] += int(count)
        assert seen["frames"] >= frames
        assert seen["differences"] == 0
        return seen

    yield call
    for process in started:
        process.kill()
        process.wait()


def reasons(seen):
    found = collections.defaultdict(dict)
    for name, count in seen.items():
        if name.startswith("reason "):
            found[name.split()[1]][name.split()[2]] = count
    return found


def test_differential(diff):
    seen = diff("all", proof.size(10**6, 10**8))
    found = reasons(seen)
    assert {reason: set(verdicts) for reason, verdicts in found.items()} == REASONS
    assert seen["larger than one buffer"] >= 1000
    counts = ", ".join(f"{reason} {sum(verdicts.values())}" for reason, verdicts in found.items())
    proof.figure("the packet path and the oracle agree",
                 f"{seen['frames']} frames, {seen['differences']} differences, seed {SEED} ({counts})")


def test_non_interference(diff):
    seen = diff("unmatched", proof.size(10**5, 10**7))
    assert set(reasons(seen)) == set(NOBODYS)
    misses = {name.split()[1]: count for name, count in seen.items() if name.startswith("miss ")}
    assert set(misses) == {"port", "prefix", "interface", "protocol", "later_fragment", "spoilt"}
    assert min(misses.values()) >= seen["frames"] / 100
    proof.figure("frames that no service matches leave as they came",
                 f"{seen['frames']} frames, 0 changed (" + ", ".join(f"{k} {n}" for k, n in misses.items()) + ")")


def test_checksums_stay_as_they_are(diff):
    frames = proof.size(10**5, 10**6)
    seen = diff("checksums", 3 * frames)
    assert seen["checksums wrong"] >= frames
    assert seen["checksums right"] >= frames
    assert seen["checksums unfinished"] >= frames / 10
    proof.figure("a wrong checksum stays wrong, a right one right",
                 f"{seen['checksums wrong']} wrong ones, 0 repaired; {seen['checksums right']} right ones, 0 broken; "
                 f"{seen['checksums unfinished']} left to hardware, all right once finished")

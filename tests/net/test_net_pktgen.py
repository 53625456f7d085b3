"""bench/pktgen.sh where there is no pktgen: what it refuses, and its receiving end, fed with frames that
begin like pktgen's. With the module it runs in the guests of tests/vm."""

import os
import signal
import struct
import subprocess

import pytest
from mangletest import ctl, netns

SCRIPT = ctl.REPO / "bench" / "pktgen.sh"
ENV = {**os.environ, "MANGLE_CTL": ctl.BIN}


def script(*args):
    done = subprocess.run([SCRIPT, *map(str, args)], env=ENV, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, timeout=60, check=False)
    assert "\n" not in done.stderr.rstrip("\n"), done.stderr
    return done


@pytest.fixture(scope="module", autouse=True)
def _tools():
    missing = netns.have("jq", "nft", "ethtool", "ip", "nsenter")
    if missing:
        pytest.skip(f"{missing} is not installed")


@pytest.fixture
def pair(lab, mangle):  # pylint: disable=unused-argument
    """s0 in snd sends to m0 in mid; mangle's pins are nobody's."""
    snd, mid = lab.ns("snd"), lab.ns("mid")
    lab.veth(snd, "s0", mid, "m0")
    return snd, mid


class Receiver:
    """`pktgen.sh receive`, ready for frames; the block's end kills what has not ended."""

    def __init__(self, ns, *args):
        argv = [SCRIPT, "receive", "--dut", "m0", "--dut-netns", ns.name, *map(str, args)]
        self.process = subprocess.Popen(argv, env=ENV, stdout=subprocess.PIPE, text=True)
        ns.lab.processes.append(self.process)
        self.lines = [self.process.stdout.readline(), self.process.stdout.readline()]
        assert self.lines[1].startswith("now, there: pktgen.sh send --dev IF --mac 02:"), self.lines

    def verdict(self):
        """(exit status, the report's last line)"""
        self.lines += self.process.communicate(timeout=60)[0].splitlines()
        return self.process.returncode, self.lines[-1]


def frames(numbers, dst="198.18.0.42"):
    src = "2001:2::1" if ":" in dst else "198.18.0.1"
    for n in numbers:
        yield netns.craft(struct.pack("!IIII2x", 0xbe9be955, n, 0, 0), src=src, dst=dst)


def send(ns, numbers, **kw):
    with ns.lab.sockets():
        raw = ns.raw("s0")
        for frame in frames(numbers, **kw):
            raw.send(frame)


@pytest.mark.parametrize("args", [
    "", "fly", "run", "run --dut a", "run --dev a", "run --dev a --dut a", "send --dev a",
    "send --dev a --mac 1:2:3:4:5:6", "receive --dut a more", "receive --dut a --fly 1", "receive --dut",
    "receive --dut a -t 0", "receive --dut a -t x", "receive --dut a -n 1.5", "receive --dut a -n -1",
    "receive --dut a -s 63", "receive --dut a -s 64 -d 2001:db8::1", "receive --dut a -d 1.2.3",
    "receive --dut a -d 1.2.3.400", "receive --dut a -d ::1::", "receive --dut a -T two",
    "receive --dut a -e 10", "receive --dut a --mode xdp", "receive --dut a --max-loss 100",
    "receive --dut a -n 1 -t 2", "receive --dut a -r 1 -t 1000 -b 1000"])
def test_wrong_command_lines(args):
    done = script(*args.split())
    assert done.returncode == 2 and done.stdout == "" and done.stderr.startswith("pktgen.sh: "), done


def test_help():
    done = script("--help")
    assert done.returncode == 0 and done.stderr == ""
    assert done.stdout.count("\n") <= 40 and max(map(len, done.stdout.splitlines())) <= 110


def test_refusals(pair, mangle):
    snd, mid = pair
    dut = ("--dut", "m0", "--dut-netns", mid.name)
    for args, why in ((("--dut", "m0", "--dut-netns", "mgln-nowhere"), "no such network namespace"),
                      (("--dut", "nothing", "--dut-netns", mid.name), "no such interface"),
                      ((*dut, "-s", "1519"), "MTU is 1500")):
        done = script("receive", *args)
        assert done.returncode == 1 and why in done.stderr, done
    mid.ip("link set m0 down")
    done = script("receive", *dut)
    assert done.returncode == 1 and "is down" in done.stderr, done
    mid.ip("link set m0 up")
    mangle.attach(mid, "m0")
    before = ctl.snapshot()
    done = script("receive", *dut)
    assert done.returncode == 1 and "in use" in done.stderr, done
    assert ctl.snapshot() == before
    ctl.purge()
    done = script("run", "--dev", "s0", "--dev-netns", snd.name, *dut, "-n", 100)
    if netns.have("modprobe") or subprocess.run(["modprobe", "-qn", "pktgen"], check=False).returncode:
        assert done.returncode == 77 and "has no such module" in done.stderr, done
    else:
        assert done.returncode == 0 and "\nOK: " in done.stdout, done


@pytest.mark.parametrize("args, dst, rewritten", [
    ("-T one", "198.18.0.42", 600), ("-T many -e 250 -t 2", "2001:2::9", 500)])
def test_receives(pair, args, dst, rewritten):
    """What the sender of two machines would have sent comes out as expected, and nothing is left."""
    snd, mid = pair
    receiver = Receiver(mid, *args.split(), "-d", dst, "-n", 600)
    for _ in range(2):
        send(snd, range(1, 301), dst=dst)
    status, last = receiver.verdict()
    assert status == 0, receiver.lines
    assert last == f"OK: 600 frames came, {rewritten} rewritten, {600 - rewritten} unknown"
    assert not os.path.exists(ctl.PIN_DIR) and mid.run("nft", "list", "tables").stdout == ""


def test_verdicts(pair):
    """Frames that are missing, and frames that are not what they should be, are not OK."""
    snd, mid = pair
    receiver = Receiver(mid, "-n", 600)
    send(snd, range(1, 301))
    status, last = receiver.verdict()
    assert status == 1 and last.startswith("LOSS: 300 of 600 frames, 50 %"), receiver.lines
    receiver = Receiver(mid, "-n", 600, "--max-loss", 50.5)
    send(snd, range(1, 301))
    ctl.ok("map", "flush")
    send(snd, range(301, 311))
    status, last = receiver.verdict()
    assert status == 1 and last.startswith("WRONG: 300 rewritten, 10 unknown of 600 frames"), receiver.lines
    receiver = Receiver(mid, "-n", 300)
    send(snd, range(301))
    status, last = receiver.verdict()
    assert status == 1 and last.startswith("WRONG: 1 frames more than were sent"), receiver.lines


def test_interrupted(pair):
    _, mid = pair
    receiver = Receiver(mid)
    receiver.process.send_signal(signal.SIGTERM)
    assert receiver.process.wait(20) == 143
    assert not os.path.exists(ctl.PIN_DIR) and mid.run("nft", "list", "tables").stdout == ""

"""A live account: numbered packets at 60,000 a second and more while mangle is changed under them. Each arrives
once, whole, at the port that its tag has in one generation of the table, and mangle has counted each."""

import pytest
from mangletest import ctl, live, proof

RATE = 64000
CLAIMED = 60000
COUNT = 4096
GENERATIONS, SPREAD = 4, 4  # as many tables, as many ports in each: a port tells the table and the tag's place in it
TAGS = [b"%04x" % (i * 16 + 3) for i in range(COUNT)]
PORTS = list(range(6000, 6000 + GENERATIONS * SPREAD))
SNMP = ("Udp.InCsumErrors", "Udp.InErrors", "Udp.NoPorts", "Ip.InDiscards", "Ip.InHdrErrors")

# The mode, and whether the sender leaves checksums to hardware.
WAYS = {"native, checksums by the sender": ("native", False), "native, checksums left to hardware": ("native", True),
        "generic": ("generic", True)}


def entities(generation):
    """All tags are in all of them; each leads elsewhere in each."""
    return {tag: PORTS[SPREAD * generation + i % SPREAD] for i, tag in enumerate(TAGS)}


@pytest.fixture(params=WAYS, ids=lambda way: way.replace(",", "").replace(" ", "-"))
def account(request, lab, clean, compiled, tmp_path):  # pylint: disable=unused-argument
    return Account(request.param, lab, compiled("../lib/blast.c"), tmp_path)


class Account:
    """The line, with the first generation's table loaded, and traffic over all tags."""

    def __init__(self, way, lab, blast, tmp):
        self.way = way
        mode, offload = WAYS[way]
        self.line = live.Line(lab)
        self.line.offload(sender=offload)
        self.mangle = live.Mangle(tmp)
        self.mangle.attach(self.line.mid, "m0", mode=mode,
                           text=live.config(live.service(entities=entities(0))))
        self.before = self.line.mid.snmp()
        self.stream = live.Stream(blast, self.line, TAGS, PORTS, rate=RATE, modulo=SPREAD, tmp=tmp)
        self.stream.wait(RATE // 4)
        self.changes = []

    def change(self, generation, *command):
        """One change. `generation`: of the table from now on, None where it stays."""
        begin = self.stream.sent()
        done = ctl.change(*command)
        assert done["changed"], done
        if generation is not None:
            self.changes.append((begin, self.stream.sent(), generation))
        self.stream.wait(100)  # so that each shows
        return done

    def close(self, claim, times):
        """Every packet that was sent is accounted for, by the receiver, the kernel and mangle."""
        self.stream.wait(RATE // 4)
        answer = self.stream.finish()
        counted = self.mangle.stats()["packets"]
        after = self.line.mid.snmp()
        sent, rate = answer["sent"], answer["sent"] / answer["seconds"]
        live.check_stream(answer, RATE // 2)
        live.check_turns(answer, self.changes)
        wrong = {k: after[k] - self.before[k] for k in SNMP if after[k] != self.before[k]}
        assert not wrong or answer["elsewhere"], f"the kernel has found fault with what came: {wrong}"
        assert counted == {"seen": counted["seen"], "rewritten": counted["seen"], "passed": 0, "dropped": 0,
                           "answered": 0}, counted
        if answer["elsewhere"]:
            pytest.skip(f"receiver too slow: its socket or its ring lost {answer['elsewhere']}: {answer}")
        if rate < CLAIMED:
            pytest.skip(f"machine too noisy: {rate:.0f} packets a second")
        assert counted["seen"] == sent == answer["unique"], (counted, answer)
        assert after["Udp.InDatagrams"] - self.before["Udp.InDatagrams"] == sent
        rows = [row["packets"] for row in self.mangle.entities("--service", "default").values()]
        assert sum(rows) == sent and max(rows) - min(rows) <= 1, "sent in turn, so each tag as often as the others"
        proof.figure(f"{claim}, {self.way}", f"{times} times under {sent:,} packets, {rate:,.0f} a second, "
                     f"{COUNT:,} tags: 0 lost, 0 unmangled, 0 twice, 0 of another generation, all counted")


def shares(short, long):
    """How many of all the changes are for one way."""
    return -(-proof.size(short, long) // len(WAYS))


def test_upgrade(account, program, monkeypatch):
    """Another build's program takes the place of the running one, to and fro."""
    times = shares(5, 200)
    builds = (program("rebuilt/build/mangle-ctl"), ctl.BIN)
    for i in range(times):
        monkeypatch.setattr(ctl, "BIN", builds[i % 2])
        account.change(None, "upgrade")
    account.close("upgrade", times)


def test_replace(account):
    times = shares(40, 1000)
    files = [account.mangle.file(live.table(entities(g)), ".map") for g in range(GENERATIONS)]
    for i in range(1, times + 1):
        done = account.change(i % GENERATIONS, "map", "replace", files[i % GENERATIONS])
        assert (done["added"], done["removed"], done["updated"]) == (0, 0, COUNT), done
    account.close("map replace", times)


def test_apply(account):
    """Services come and go and change, and so do sizes, and the ports of all entities; the tag stays."""
    times = shares(10, 200)
    texts = []
    for g in range(GENERATIONS):
        service = live.service(ports=(5000, *range(5001, 5001 + g)), size=(4, 65507 - g), entities=entities(g),
                               invalid=("pass", "drop")[g % 2], saddr=["10.77.0.0/16"][:g % 2])
        others = [live.service(f"other{n}", ports=(7000,), tag=(n, 8), daddr=[f"192.0.2.{n}"], entities={b"12345678": 9})
                  for n in range(g)]
        texts.append(account.mangle.file(live.config(*others[:g // 2], service, *others[g // 2:])))
    for i in range(1, times + 1):
        account.change(i % GENERATIONS, "apply", texts[i % GENERATIONS])
    account.close("apply", times)

"""Interface life: whatever happens to an interface, `status` says what packets find, and what is to be
done is said: `attach` again, which is all that the boot unit does, and which leaves nothing stale."""

import os
import re
import select
import socket

import pytest
from mangletest import ctl, netns, proof

UNIT = ctl.REPO / "deploy" / "mangle@.service"
SERVER, CLIENT = netns.addresses(1, 4)[1], netns.addresses(1, 4)[0]
ENTITY = "    entities:\n      - { tag: ABCD, target: %d }\n"
SERVICE = ("  - name: %s\n    protocol: %s\n    ports: [%d]\n    tag: { offset: 0, length: 4 }\n"
           "    size: { min: 4, max: 1400 }\n" + ENTITY)
CONFIG = {"plain": "version: 1\nservices:\n" + SERVICE % ("one", "udp", 5000, 6001)}
CONFIG["tc"] = (CONFIG["plain"] + "    reply: true\n").replace("services:\n", "services:\n" + SERVICE % (
    "two", "tcp", 7000, 7001))


class Interface:
    """m0, which mangle is attached to, wherever and whatever it is called; s0 in snd sends to it."""

    def __init__(self, lab, tmp_path, mode, tc):
        self.lab, self.mode, self.tc = lab, mode, tc
        self.snd, self.mid, self.other = (lab.ns(n) for n in ("snd", "mid", "other"))
        self.here, self.dev, self.steps, self.usual = self.mid, "m0", 0, None
        words = re.search(r"^ExecStart=\S+/mangle-ctl (.*) %I$", UNIT.read_text(encoding="utf-8"), re.M)[1].split()
        self.attach_words = [w for w in words if not w.startswith("$")]
        self.make()
        config = tmp_path / "config"
        config.write_text(CONFIG["tc" if tc else "plain"], encoding="utf-8")
        ctl.ok("-n", self.mid.name, "attach", "m0", "--mode", mode, "--config", config)
        self.pins = self.links()
        self.check("attached")

    # --- what happens to it

    def make(self, index=None):
        self.here, self.dev = self.mid, "m0"
        at = f"index {index}" if index else ""
        self.mid.ip(f"link add m0 {at} address {netns.mac_of('m0')} type veth peer name s0 "
                    f"address {netns.mac_of('s0')} netns {self.snd.name}")
        self.settle()

    def settle(self):
        """Up, with its address; whoever goes down forgets even permanent neighbours."""
        for ns, dev, own, peer, mac in ((self.here, self.dev, SERVER, CLIENT, netns.mac_of("s0")),
                                        (self.snd, "s0", CLIENT, SERVER, netns.mac_of("m0"))):
            ns.ip(f"link set {dev} up", f"address replace {own}/24 dev {dev}",
                  f"neigh replace {peer} lladdr {mac} dev {dev} nud permanent")
        assert netns.wait_for(lambda: "LOWER_UP" in self.here.ip(f"link show {self.dev}")
                              and "LOWER_UP" in self.snd.ip("link show s0"))

    def rename(self, name):
        self.here.ip(f"link set {self.dev} down", f"link set {self.dev} name {name}")
        self.dev = name
        self.settle()

    def move(self, ns):
        self.here.ip(f"link set {self.dev} netns {ns.name}")
        self.here = ns
        self.settle()

    def mtu(self, size):
        self.here.ip(f"link set {self.dev} mtu {size}")
        self.snd.ip(f"link set s0 mtu {size}")

    # --- what is found

    def links(self):
        return sum(os.path.basename(p).startswith(("link-", "tc-")) for p in ctl.pins())

    def mangled(self):
        """Where packets come out: on the entity's port or on the shared one; all of them on the same."""
        with self.lab.sockets():
            ports = {port: self.here.udp(SERVER, port) for port in (5000, 6001)}
            client = self.snd.udp(CLIENT, 40000)
            for i in range(8):
                client.sendto(b"ABCD%d" % i, (SERVER, 5000))
            got = netns.drain(list(ports.values()), 8)
            assert sorted(len(v) for v in got.values()) == [0, 8], got
            return len(got[ports[6001]]) == 8

    def answers(self):
        """Where a reply seems to come from."""
        with self.lab.sockets():
            server, client = self.here.udp(SERVER, 6001), self.snd.udp(CLIENT, 0)
            client.sendto(b"ABCD", (SERVER, 5000))
            assert select.select([server], [], [], 5)[0]
            server.sendto(b"reply", server.recvfrom(100)[1])
            assert select.select([client], [], [], 5)[0]
            return client.recvfrom(100)[1][1]

    def connects(self):
        """Which listener a connection to the shared port gets to."""
        with self.lab.sockets():
            listeners = {}
            for port in (7000, 7001):
                s = self.here.socket(socket.AF_INET, socket.SOCK_STREAM)
                s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                s.bind((SERVER, port))
                s.listen()
                listeners[s] = port
            client = self.snd.socket(socket.AF_INET, socket.SOCK_STREAM)
            client.settimeout(10)
            client.connect((SERVER, 7000))
            client.sendall(b"ABCDhello")
            ready = select.select(list(listeners), [], [], 10)[0]
            assert len(ready) == 1, "no listener has got it"
            with ready[0].accept()[0] as server:
                server.settimeout(10)
                assert server.recv(100) == b"ABCDhello"
                server.sendall(b"reply")
                assert client.recv(100) == b"reply"
                client.close()  # first, so that its port is free for the next one
                return listeners[ready[0]]

    # --- what is said

    def check(self, state):
        """`attached`; `moved`: attached, but connections and replies are not dealt with rightly, which is
        said; `gone`: its record is there, the device not or made anew; `none`: nothing is recorded."""
        self.steps += 1
        status = ctl.js("status")
        one = ctl.run("-n", self.here.name, "-j", "status", self.dev)
        on = state in ("attached", "moved")
        exists = f": {self.dev}@" in self.here.ip("link show")
        assert one.status == (0 if on else 3 if exists or state == "gone" else 1), (state, one)
        # What is said of it beside what is always said of such an interface; the remedy is what attach() does.
        said = [w for w in status["warnings"] if w.startswith(self.dev + ": ")]
        if self.usual is None:
            self.usual = [w.replace(self.dev, "DEV") for w in said]
        new = [w for w in said if w.replace(self.dev, "DEV") not in self.usual]
        told = state == "gone" or state == "moved" and self.tc
        assert len(new) == told, (state, status)
        assert all(f"mangle-ctl -n {self.here.name} attach {self.dev}" in w for w in new), (state, status)
        broken = not on or told
        wanted = 1 if broken else 3 if status["warnings"] else 0
        assert ctl.run("status", "--exit-code").status == wanted, (state, status)
        if state == "none":
            assert not status["interfaces"], status
        else:
            [row] = status["interfaces"]
            assert row["state"] == ("attached" if on else "gone") and row["mode"] == self.mode, row
            assert row["name"] == self.dev and row["netns"] == self.here.name, (row, self.dev, self.here.name)
            if on:
                assert row["ifindex"] == self.here.ifindex(self.dev), row
                assert one.json()["interfaces"] == [row], one
                found = netns.xdp_on(self.here, self.dev)
                assert found == row["prog_id"] or row["dispatcher"] and found, (found, row)
        if not exists:
            return
        assert self.mangled() == on, f"{state}, and packets say otherwise: {status}"
        if self.tc and state != "moved":
            assert self.connects() == (7001 if on else 7000)
            if on:
                assert self.answers() == 5000

    def attach(self, changed):
        """As the unit does."""
        answer = ctl.change("-n", self.here.name, *self.attach_words, self.dev) if self.mode == "native" else \
            ctl.change("-n", self.here.name, "attach", "--mode", self.mode, self.dev)
        assert answer["changed"] == changed, answer
        self.check("attached")
        assert self.links() == self.pins, f"pins that nobody needs: {ctl.pins()}"


def can(kind):
    return kind == "plain" or any(c["name"] == "TCP connection mode" and c["state"] == "ok"
                                  for c in ctl.js("doctor")["checks"])


@pytest.mark.parametrize("mode, kind, rounds", [
    ("native", "plain", proof.size(3, 50)), ("generic", "plain", proof.size(1, 50)),
    ("native", "tc", proof.size(1, 50))])
def test_life(lab, clean, tmp_path, mode, kind, rounds):  # pylint: disable=unused-argument
    if not can(kind):
        pytest.skip("wants TCP connection mode (Linux 6.9)")
    i = Interface(lab, tmp_path, mode, kind == "tc")
    for number in range(rounds):
        # down and up
        i.here.ip(f"link set {i.dev} down")
        assert ctl.js("status")["interfaces"][0]["state"] == "attached"
        i.settle()
        i.check("attached")
        # renamed, and back
        i.rename(f"new{number}")
        i.check("attached")
        i.rename("m0")
        # other sizes
        i.mtu((3000, 1280, 9000, 1400)[number % 4])
        i.check("attached")
        i.mtu(1500)
        # to another network namespace, and back
        for ns in (i.other, i.mid):
            i.move(ns)
            i.check("moved")
            i.attach(changed=False)
        # away, and made anew; the second time under the same index
        index = i.here.ifindex(i.dev)
        for same in (False, True):
            i.snd.ip("link del s0")
            i.check("gone")
            i.make(index if same else index + 1000 + number)
            i.check("gone")
            i.attach(changed=True)
            index = i.here.ifindex(i.dev)
        # taken off, and put on
        ctl.ok("-n", i.here.name, "detach", "--force", i.dev)
        i.check("none")
        i.attach(changed=True)
    proof.figure(f"interface life, {mode}, {kind}: down/up, rename, MTU, another namespace and back, deleted and "
                 f"made anew, x {rounds}",
                 f"status said the truth after each of {i.steps} steps, packets agreed, attach repaired, no stale pin")

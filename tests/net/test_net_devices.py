"""Which interfaces can have mangle: those without an Ethernet header cannot, two that packets pass one after the other
cannot both; and what of it works on those that can. Devices that only other kernels have are tried in guests
(tests/vm/bare)."""

import contextlib
import fcntl
import os
import random
import re
import select
import socket
import struct
import threading

import pytest
from mangletest import ctl, netns

import live
import talk
from live import SHARED

TUNSETIFF = 0x400454ca
IFF_TUN, IFF_TAP, IFF_NO_PI, IFF_VNET_HDR = 1, 2, 0x1000, 0x4000
ENTITIES = {b"ABCD": 6001, b"EFGH": 6002}
TEXT = live.config(live.service(entities=ENTITIES))
LONG = "enp131s0f1npf0vf22np0"


@contextlib.contextmanager
def tun(ns, dev, flags):
    """A device of the tun driver, and its file, by which it sends and receives as a guest does."""
    with ns.enter():
        f = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    try:
        with ns.enter():
            fcntl.ioctl(f, TUNSETIFF, struct.pack("16sH22x", dev.encode(), flags | IFF_NO_PI))
        yield f
    finally:
        os.close(f)


@pytest.fixture
def port(lab):
    """snd:s0 – m0:mid, with m0 a port of the bridge br0, which has its MAC address and the host's IP address."""
    snd, mid = lab.ns("snd"), lab.ns("mid")
    lab.veth(snd, "s0", mid, "m0")
    mid.ip("link add br0 type bridge forward_delay 0", f"link set br0 address {netns.mac_of('m0')}",
           "link set m0 master br0", "link set br0 up")
    for ns, dev, own, peer, peer_mac in ((snd, "s0", 1, 2, "m0"), (mid, "br0", 2, 1, "s0")):
        ns.ip(f"address add 10.77.1.{own}/24 dev {dev}", f"address add fd77:1::{own}/64 dev {dev} nodad",
              f"neigh replace fd77:1::{peer} lladdr {netns.mac_of(peer_mac)} dev {dev} nud permanent")
    return snd, mid


def arrives(snd, mid, count=20):
    """On which ports datagrams with the tag ABCD arrive that were sent to the shared port."""
    with snd.lab.sockets():
        sockets = {p: mid.udp("10.77.1.2", p) for p in (SHARED, *ENTITIES.values())}
        s = snd.udp("10.77.1.1", 40000)
        for _ in range(count):
            s.sendto(b"ABCD hello", ("10.77.1.2", SHARED))
        got = live.by_port(sockets, count)
    return {p: len(v) for p, v in got.items() if v}


def doctor_about(what, *levels, argv=("doctor",)):
    """What doctor says of something: lines, without its name, of these levels."""
    lines = [row.split(None, 1) for row in ctl.run(*argv).out.splitlines()]
    lines = [(level, *text.split(": ", 1)) for level, text in lines]
    return [text for level, name, text in lines if name == what and (not levels or level in levels)]


def doctor(ns, dev, *levels):
    return doctor_about(dev, *levels, argv=("-n", ns.name, "doctor", dev))


# --- where it cannot work -------------------------------------------------------------------------

def refused(ns, dev, why, config=None):
    """Neither attach nor attach beside another takes it, nothing is loaded, and doctor says the same."""
    options = ["--config", config] if config else []
    ctl.assert_error(["-n", ns.name, "attach", dev, *options], 1, f"^mangle-ctl: {dev}: .*{why}")
    ctl.assert_error(["-n", ns.name, "attach", "lo", dev, *options], 1, f"^mangle-ctl: {dev}: .*{why}")
    assert not ctl.pins() and netns.xdp_on(ns, "lo") is None
    r = ctl.run("-n", ns.name, "doctor", dev)
    assert r.status == 1, r
    said, = doctor(ns, dev, "bad")
    assert re.search(why, said), said


def test_tun_has_no_ethernet_header(lab, mangle):
    ns = lab.ns("a")
    with tun(ns, "anyname", IFF_TUN):
        refused(ns, "anyname", "no Ethernet header: it is a TUN device.*TAP", mangle.file(TEXT))


def test_ifb_has_no_hook(lab, mangle):
    ns = lab.ns("a")
    ns.ip("link add any0 type ifb")
    refused(ns, "any0", "IFB.*redirected from", mangle.file(TEXT))


def test_tap_is_mangled(lab, mangle):
    """The same driver with an Ethernet header, in native mode."""
    ns = lab.ns("a")
    with tun(ns, "tun0", IFF_TAP) as f:
        ns.ip("address add 10.77.1.2/24 dev tun0", "link set tun0 up",
              f"neigh replace 10.77.1.1 lladdr {netns.mac_of('s0')} dev tun0 nud permanent")
        mac = ns.run("cat", "/sys/class/net/tun0/address").stdout.strip()
        mangle.attach(ns, "tun0", text=TEXT)
        frame = netns.craft(b"ABCD hello", src="10.77.1.1", dst="10.77.1.2", sport=40000, dport=SHARED)
        frame = bytes.fromhex(mac.replace(":", "")) + frame[6:]
        sockets = {p: ns.udp("10.77.1.2", p) for p in (SHARED, 6001)}
        os.write(f, frame)
        assert live.by_port(sockets, 1) == {SHARED: [], 6001: [b"ABCD hello"]}


# --- not twice ------------------------------------------------------------------------------------

def test_bridge_and_its_port(port, mangle):
    """Packets to the host pass both: neither order, by one command or two; and what is attached stays as it is."""
    snd, mid = port
    config = mangle.file(TEXT)
    for named in (("m0", "br0"), ("br0", "m0")):
        ctl.assert_error(["-n", mid.name, "attach", *named, "--config", config], 1, "(m0|br0), which is named too.*twice")
        assert not ctl.pins()
    mangle.attach(mid, "m0", text=TEXT)
    ctl.assert_error(["-n", mid.name, "attach", "br0"], 1, "br0: .* above m0, which is attached: .*twice")
    assert arrives(snd, mid) == {6001: 20}
    ctl.ok("-n", mid.name, "detach", "m0")
    mangle.attach(mid, "br0", mode="auto")
    for options in ((), ("--mode", "generic")):
        ctl.assert_error(["-n", mid.name, "attach", "m0", *options], 1, "m0: .* a port of br0, which is attached: .*twice")
    ctl.assert_error(["-n", mid.name, "attach", "br0", "m0"], 1, "a port of br0, which is attached")
    assert arrives(snd, mid) == {6001: 20} and mangle.reasons()["rewritten"] == 40


def test_macvlan_and_its_parent(port, mangle):
    """Over more than one device, too: br0's macvlan gets what its port m0 has received."""
    snd, mid = port
    mid.ip("link add mv0 link br0 type macvlan", "link set mv0 up")
    for lower, how in (("br0", "above"), ("m0", "above")):
        mangle.attach(mid, lower, mode="auto", text=TEXT)
        ctl.assert_error(["-n", mid.name, "attach", "mv0"], 1, f"mv0: .* {how} {lower}, which is attached")
        ctl.ok("detach", "--all", "--purge")
    mangle.attach(mid, "mv0", mode="auto", text=TEXT)
    ctl.assert_error(["-n", mid.name, "attach", "m0"], 1, "m0: .* below mv0, which is attached")


def test_guard_lets_good_packets_through(port, mangle):
    """The manual's service on the new ports, which drops what is sent there directly."""
    snd, mid = port
    mangle.attach(mid, "br0", mode="auto", text=TEXT)
    ctl.ok("service", "add", "direct", "--proto", "udp", "--port", "6001,6002", "--tag", "0:1", "--size", "0:65535",
           "--invalid", "drop", "--unknown", "drop")
    ctl.assert_error(["-n", mid.name, "attach", "m0"], 1, "twice")
    assert arrives(snd, mid) == {6001: 20}
    with snd.lab.sockets():
        s = mid.udp("10.77.1.2", 6001)
        snd.udp("10.77.1.1", 40000).sendto(b"ABCD direct", ("10.77.1.2", 6001))
        assert netns.drain([s], 0, quiet=0.2) == {s: []}


def test_enslaved_afterwards_is_said(lab, mangle):
    """Both were attached before one became the other's port: that is no change of mangle's, but status and doctor say it."""
    snd, mid = lab.ns("snd"), lab.ns("mid")
    lab.veth(snd, "s0", mid, "m0")
    mid.ip("link add br0 type bridge", "link set br0 up")
    mangle.attach(mid, "m0", "br0", mode="auto", text=TEXT)
    assert not [w for w in ctl.js("status")["warnings"] if "twice" in w]
    mid.ip("link set m0 master br0")
    said = [w for w in ctl.js("status")["warnings"] if "twice" in w]
    assert said == ["m0: it is a port of br0, which is attached too: packets that pass both are mangled twice "
                    "(detach one of the two)"]
    assert said[0] in doctor_about("interfaces", "warn")
    assert ctl.change("-n", mid.name, "attach", "br0")["changed"] is False  # they are attached


def vxlan(line):
    """A VXLAN device at either end, whose outer packets are m0's; 10.77.3.1 and .2."""
    for ns, dev, own, peer in ((line.snd, "s0", 1, 2), (line.mid, "m0", 2, 1)):
        ns.ip(f"link add vx0 type vxlan id 5 dstport 4789 local 10.77.1.{own} remote 10.77.1.{peer} dev {dev}",
              f"address add 10.77.3.{own}/24 dev vx0", "link set vx0 up")


@pytest.mark.parametrize("order", (("vx0", "m0"), ("m0", "vx0")), ids="-".join)
def test_tunnel_and_the_device_below_it(line, mangle, order):
    """They receive different frames, so both may be attached, and the kernel wants the lower one first."""
    vxlan(line)
    mangle.attach(line.mid, *order, mode="auto", text=TEXT)
    for net in (1, 3):
        with line.lab.sockets():
            source, destination = netns.addresses(net, 4)
            sockets = {p: line.mid.udp(destination, p) for p in (SHARED, 6001)}
            line.snd.udp(source, 40000).sendto(b"ABCD hello", (destination, SHARED))
            assert live.by_port(sockets, 1) == {SHARED: [], 6001: [b"ABCD hello"]}


@pytest.mark.parametrize("mode", live.MODES)
def test_upper_first_says_what_the_kernel_says(line, mangle, mode):
    """It takes no program below one that has one: that is the reason, and not one on the interface itself."""
    vxlan(line)
    mangle.attach(line.mid, "vx0", mode="auto", text=TEXT)
    said = ctl.assert_error(["-n", line.mid.name, "attach", "m0", "--mode", mode], 1, "vx0, which is above it, has an XDP program")
    assert "id 0" not in said and "xdp off" not in said
    assert [i["name"] for i in mangle.attached()] == ["vx0"]


def test_upper_program_of_others(port, mangle, build):
    _, mid = port
    mid.ip(f"link set dev br0 xdpgeneric obj {build('pass.bpf.c')} sec xdp")
    theirs = netns.xdp_on(mid, "br0")
    ctl.assert_error(["-n", mid.name, "attach", "m0", "--config", mangle.file(TEXT)], 1,
                     rf"br0, which is above it, has an XDP program \(id {theirs}, name \w+\)")
    assert netns.xdp_on(mid, "br0") == theirs and not ctl.pins()


# --- names ----------------------------------------------------------------------------------------

@pytest.mark.parametrize("name", ("short", LONG, "x" * 127))
def test_alternative_names(line, mangle, name):
    """They mean the interface, whose name proper is what is recorded and shown."""
    line.mid.ip(f"link property add dev m0 altname {name}")
    mid = line.mid.name
    assert mangle.attach(line.mid, name, text=TEXT).out.startswith("m0: attached")
    assert [i["name"] for i in mangle.attached()] == ["m0"]
    assert ctl.change("-n", mid, "attach", "m0", name)["changed"] is False
    assert ctl.run("-n", mid, "status", name).status == 0
    assert "ok" in ctl.run("-n", mid, "doctor", name).out
    ctl.ok("-n", mid, "service", "set", "default", "--interface", name)
    assert [s["interface"] for s in ctl.js("service", "list")] == ["m0"]
    frame = netns.craft(b"ABCD hello", src="10.77.1.1", dst="10.77.1.2", sport=40000, dport=SHARED).hex()
    assert ctl.js("-n", mid, "explain", "--hex", frame, "--interface", name)["reason"] == "rewritten"
    assert ctl.js("-n", mid, "explain", "--hex", frame, "--interface", "m1")["reason"] == "no_service"
    ctl.ok("-n", mid, "detach", name)
    assert not mangle.attached() and netns.xdp_on(line.mid, "m0") is None


def test_no_such_alternative_name(line, mangle):
    for name in (LONG, "x" * 127, "x" * 128, "x" * 300):
        ctl.assert_error(["-n", line.mid.name, "attach", name, "--config", mangle.file(TEXT)], 1, "such name|no such interface")
        ctl.assert_error(["-n", line.mid.name, "service", "add", "a", "--proto", "udp", "--port", "5", "--tag", "0:4", "--size",
                          "4:9", "--interface", name], 2, "--interface")


# --- doctor ---------------------------------------------------------------------------------------

def test_doctor_asks_for_native_mode(port, mangle):
    """Before attaching the kernel is asked; afterwards it says what the interface runs in, and only that."""
    _, mid = port

    def said(dev):
        return [t for t in doctor(mid, dev) if "mode" in t]

    asked = said("m0")
    if "cannot tell" in asked[0]:
        pytest.skip("a kernel before 6.3")
    assert asked == ["its driver has native mode"]
    assert said("br0")[0].startswith("its driver has no native mode") and len(said("br0")) == 1
    mangle.attach(mid, "m0", text=TEXT)
    assert said("m0") == ["attached, native mode"]


def test_doctor_names_the_interface_once(lab):
    ns = lab.ns("a")
    said, = doctor(ns, "nope0", "bad")
    assert not said.startswith("nope0")


# --- what works on which: the manual's table ------------------------------------------------------
# Each cell is tried, and what is warned about is held against what came of it.

ANY = live.config(live.service("any", protocol="any", reply=True, entities={b"ABCD": 6001}))


def udp_port(cli, srv, source, destination):
    """The port that a datagram with a known tag reaches, and the one that its answer comes from."""
    with cli.lab.sockets():
        servers = {p: srv.udp(destination, p) for p in (SHARED, 6001)}
        c = cli.udp(source, 0)
        c.sendto(b"ABCD hello", (destination, SHARED))
        at, = [p for p, data in live.by_port(servers, 1).items() if data]
        servers[at].sendto(b"answer", c.getsockname())
        assert select.select([c], [], [], 2)[0], "no answer came"
        return at, c.recvfrom(100)[1][1]


def tcp_port(cli, srv, destination, device=None):
    """The port whose listener (bound to the device) has the connection and its data, or what the client sees."""
    with cli.lab.sockets():
        servers = talk.listeners(srv, destination, SHARED, 6001)
        for s in servers.values():
            if device:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode())
        try:
            c = talk.connect(cli, destination, timeout=3)
            c.sendall(b"ABCD hello")
            ready = select.select([c, *servers.values()], [], [], 3)[0]
            if c in ready:
                return talk.outcome(c)
        except OSError as e:
            return type(e).__name__
        if not ready:
            return "hangs"
        port, = [p for p, s in servers.items() if s in ready]
        assert talk.receive(talk.accept(servers[port]), 10) == b"ABCD hello"
        talk.hang_up(c)
        return port


def warned(dev, text):
    """Whether status says it of the interface, and attach, asked again, and doctor say the same."""
    said = [w for w in ctl.js("status")["warnings"] if w.startswith(f"{dev}: ") and text in w]
    for w in said:
        assert w.split(": ", 1)[1] in doctor_about(dev, "warn")
    return bool(said)


@pytest.fixture
def tcp(mangle):
    if "bpf_sk_assign_tcp_reqsk" in ctl.run("doctor").out:
        pytest.skip("this kernel has no TCP connection mode")
    return mangle


ALL_BRIDGES, ONE_BRIDGE = "net.bridge.bridge-nf-call-", "that bridge's nf_call_"


def bridge_netfilter(mid, wanted):
    """Only this shows bridged packets to netfilter: a setting for all bridges, or a flag of br0's own; None: nothing."""
    for family in ("iptables", "ip6tables"):
        try:
            mid.sysctl(f"bridge/bridge-nf-call-{family}", int(wanted == ALL_BRIDGES + family))
        except FileNotFoundError:
            if wanted:
                pytest.skip("this kernel has no br_netfilter")
            return
        mid.ip(f"link set br0 type bridge nf_call_{family} {int(wanted == ONE_BRIDGE + family)}")


@pytest.mark.parametrize("netfilter", (None, *(by + family for by in (ALL_BRIDGES, ONE_BRIDGE)
                                               for family in ("iptables", "ip6tables"))))
@pytest.mark.parametrize("where", ("m0", "br0"))
def test_bridge_with_netfilter(port, tcp, where, netfilter):
    """br_netfilter takes the socket from a packet that came in by a port: TCP hangs there, on the bridge all works."""
    snd, mid = port
    bridge_netfilter(mid, netfilter)
    tcp.attach(mid, where, mode="auto", text=ANY)
    for version, family in ((4, "iptables"), (6, "ip6tables")):
        source, destination = netns.addresses(1, version)
        assert udp_port(snd, mid, source, destination) == (6001, SHARED)
        hangs = where == "m0" and netfilter in (ALL_BRIDGES + family, ONE_BRIDGE + family)
        assert tcp_port(snd, mid, destination) == ("hangs" if hangs else 6001)
    assert warned(where, f"it is a port of br0, and {netfilter} is 1: TCP connections are accepted, and then hang or are reset "
                         "(attach to br0 instead)") == bool(where == "m0" and netfilter)
    assert warned(where, "then hang or are reset") == bool(where == "m0" and netfilter)
    tcp.apply(TEXT)
    assert not warned(where, "TCP")  # nobody wants any


def test_bridge_with_netfilter_twice(port, tcp):
    """Each family is said once, by the setting for all bridges where that has it."""
    _, mid = port
    bridge_netfilter(mid, ALL_BRIDGES + "iptables")
    mid.ip("link set br0 type bridge nf_call_iptables 1", "link set br0 type bridge nf_call_ip6tables 1")
    tcp.attach(mid, "m0", text=ANY)
    said = [w.split("and ", 1)[1].split(":")[0] for w in ctl.js("status")["warnings"] if "then hang or are reset" in w]
    assert said == ["net.bridge.bridge-nf-call-iptables is 1", "that bridge's nf_call_ip6tables is 1"]
    mid.sysctl("bridge/bridge-nf-call-ip6tables", 1)
    assert warned("m0", "net.bridge.bridge-nf-call-iptables and net.bridge.bridge-nf-call-ip6tables are 1")
    assert not warned("m0", "that bridge's")


@pytest.mark.parametrize("where", ("m0", "br0"))
def test_bridge_with_another_address(port, tcp, where):
    snd, mid = port
    mid.sysctl("bridge/bridge-nf-call-iptables", 0)
    mid.ip("link set br0 address 02:00:00:00:00:99")
    tcp.attach(mid, where, mode="auto", text=ANY)
    assert udp_port(snd, mid, "10.77.1.1", "10.77.1.2") == (6001, SHARED)
    assert tcp_port(snd, mid, "10.77.1.2") == (SHARED if where == "m0" else 6001)
    assert warned(where, "another MAC address") == (where == "m0")


def test_listener_bound_to_the_bridge(port, tcp):
    """SO_BINDTODEVICE: it is found where mangle is attached to that device only."""
    snd, mid = port
    mid.sysctl("bridge/bridge-nf-call-iptables", 0)
    for where, outcome in (("br0", 6001), ("m0", "reset")):
        tcp.attach(mid, where, mode="auto", text=ANY)
        assert tcp_port(snd, mid, "10.77.1.2", device="br0") == outcome
        ctl.ok("detach", "--all", "--purge", "--force")


@pytest.mark.parametrize("where", ("m0", "mv0"))
def test_macvlan(line, tcp, where):
    """A child has a MAC address of its own: to the parent its TCP is for another machine."""
    snd, mid = line.snd, line.mid
    mid.ip("link add mv0 link m0 type macvlan mode bridge", "address add 10.77.4.2/24 dev mv0", "link set mv0 up")
    snd.ip("address add 10.77.4.1/24 dev s0")
    mid.sysctl("ipv4/conf/all/arp_ignore", 1)
    tcp.attach(mid, where, mode="auto", text=ANY)
    assert udp_port(snd, mid, "10.77.4.1", "10.77.4.2") == (6001, SHARED)
    assert tcp_port(snd, mid, "10.77.4.2") == (SHARED if where == "m0" else 6001)
    assert warned(where, "MAC address of mv0") == (where == "m0")
    if where == "m0":
        assert tcp_port(snd, mid, "10.77.1.2") == 6001  # its own address


def test_loopback(lab, tcp):
    ns = lab.ns("a")
    tcp.attach(ns, "lo", mode="auto", text=ANY)
    for here in ("127.0.0.1", "::1"):
        assert udp_port(ns, ns, here, here) == (6001, SHARED)
        assert tcp_port(ns, ns, here) == SHARED
    assert warned("lo", "TCP connections that this host makes to itself are not bound")
    tcp.apply(TEXT)
    assert not warned("lo", "TCP")


def test_vxlan(line, tcp):
    vxlan(line)
    tcp.attach(line.mid, "vx0", mode="auto", text=ANY)
    assert udp_port(line.snd, line.mid, "10.77.3.1", "10.77.3.2") == (6001, SHARED)
    assert tcp_port(line.snd, line.mid, "10.77.3.2") == 6001
    assert not warned("vx0", "TCP")


TUNSETOFFLOAD, TUNSETVNETHDRSZ = 0x400454d0, 0x400454d8
CSUM_TSO = 1 | 2 | 4
CSUM_TSO_USO = CSUM_TSO | 0x20 | 0x40
UDP_L4 = 5


@pytest.mark.parametrize("offload", (False, True), ids=("offload-off", "offload-on"))
def test_tap_with_trains(lab, mangle, offload):
    """A guest's train of datagrams comes as one frame, in native mode too: the first tag decides for all of it."""
    ns = lab.ns("a")
    with tun(ns, "tap7", IFF_TAP | IFF_VNET_HDR) as f:
        fcntl.ioctl(f, TUNSETVNETHDRSZ, struct.pack("i", 10))
        try:
            fcntl.ioctl(f, TUNSETOFFLOAD, CSUM_TSO_USO if offload else 0)
        except OSError:
            pytest.skip("this kernel's tun driver has no UDP segmentation")
        ns.ip("address add 10.77.1.2/24 dev tap7", f"link set tap7 address {netns.mac_of('m0')} up",
              f"neigh replace 10.77.1.1 lladdr {netns.mac_of('s0')} dev tap7 nud permanent")
        mangle.attach(ns, "tap7", text=TEXT)
        assert warned("tap7", "many datagrams as one frame") == offload
        if not offload:
            return
        frame = netns.craft(b"ABCD".ljust(100, b"a") + b"EFGH".ljust(100, b"b"), src="10.77.1.1", dst="10.77.1.2",
                            sport=40000, dport=SHARED, macs=("m0", "s0"), checksum="partial")
        header = netns.VNET.pack(netns.VNET_NEEDS_CSUM, UDP_L4, 42, 100, 34, 6)
        sockets = {p: ns.udp("10.77.1.2", p) for p in (SHARED, 6001, 6002)}
        os.write(f, header + frame)
        got = live.by_port(sockets, 2)
        assert {p: [d[:4] for d in data] for p, data in got.items()} == {SHARED: [], 6001: [b"ABCD", b"EFGH"], 6002: []}


@contextlib.contextmanager
def guest(cli, srv, offloads):
    """tap0 in either namespace and a wire between them, on which frames stay what they are: merged with these offloads,
    as a virtual machine's are."""
    stop, wake = os.pipe()
    with tun(cli, "tap0", IFF_TAP | IFF_VNET_HDR) as near, tun(srv, "tap0", IFF_TAP | IFF_VNET_HDR) as far:
        for ns, f, own, peer in ((cli, near, 1, 2), (srv, far, 2, 1)):
            fcntl.ioctl(f, TUNSETVNETHDRSZ, struct.pack("i", 10))
            fcntl.ioctl(f, TUNSETOFFLOAD, offloads)
            ns.ip(f"address add 10.77.1.{own}/24 dev tap0", f"address add fd77:1::{own}/64 dev tap0 nodad",
                  f"link set tap0 address 02:00:00:00:00:0{own} up")
        sizes = []

        def carry():
            other = {near: far, far: near}
            while not (ready := select.select([stop, near, far], [], [])[0]) or stop not in ready:
                for f in ready:
                    frame = os.read(f, 1 << 17)
                    sizes.append(len(frame))
                    os.write(other[f], frame)

        wire = threading.Thread(target=carry)
        wire.start()
        try:
            yield sizes
        finally:
            os.close(wake)
            wire.join()
            os.close(stop)


@pytest.mark.parametrize("mode", live.MODES)
@pytest.mark.parametrize("offloads", (0, CSUM_TSO), ids=("offload-off", "offload-on"))
def test_tap(lab, tcp, mode, offloads):
    """Replies and TCP, whose segments come as one frame each write with segmentation offload."""
    cli, srv = lab.ns("cli"), lab.ns("srv")
    with guest(cli, srv, offloads) as sizes:
        tcp.attach(srv, "tap0", mode=mode, text=ANY)
        for version in (4, 6):
            source, destination = netns.addresses(1, version)
            assert udp_port(cli, srv, source, destination) == (6001, SHARED)
            listeners = talk.listeners(srv, destination, SHARED, 6001)
            data = b"ABCD" + random.Random(version).randbytes(400000)
            client = talk.connect(cli, destination)
            client.sendall(data)
            server = talk.accept(listeners[6001])
            assert talk.receive(server, len(data)) == data
            server.sendall(data)
            assert talk.receive(client, len(data)) == data
            talk.hang_up(client)
        assert (max(sizes) > 10000) == bool(offloads)
        assert not warned("tap0", "TCP")


# --- devices on it in containers ------------------------------------------------------------------

def contain(line, mode="bridge", net=4):
    """A namespace of its own that has a macvlan of m0, as eth0. In mode passthru it has the same MAC address as m0, as
    VLAN and ipvlan devices have."""
    box = line.lab.ns("box")
    line.mid.ip(f"link add mv0 link m0 type macvlan mode {mode}", f"link set mv0 netns {box.name} name eth0")
    source, destination = netns.addresses(net, 4)
    box.ip(f"address add {destination}/24 dev eth0", "link set eth0 up")
    line.snd.ip(f"address add {source}/24 dev s0")
    return box, source, destination


def limited(**settings):
    return live.config(live.service("any", protocol="any", entities={b"ABCD": 6001}, **settings))


@pytest.mark.parametrize("where", ("m0", "eth0"))
def test_macvlan_in_a_container(line, tcp, where):
    """The same as of one in the host's own namespace."""
    box, source, destination = contain(line)
    tcp.attach(line.mid if where == "m0" else box, where, mode="auto", text=ANY)
    answer = 6001 if where == "m0" else SHARED  # to the host it is forwarded
    assert udp_port(line.snd, box, source, destination) == (6001, answer)
    assert tcp_port(line.snd, box, destination) == (SHARED if where == "m0" else 6001)
    assert warned(where, f"MAC address of eth0 in network namespace {box.name}") == (where == "m0")
    if where == "m0":
        tcp.apply(limited(daddr=["10.77.1.0/24"]))
        assert not warned("m0", "MAC address")


def straight(line, box, destination):
    """Whether the container's own TCP server on the shared port is reached."""
    with line.lab.sockets():
        server = talk.listen(box, destination, SHARED)
        try:
            c = talk.connect(line.snd, destination, timeout=3)
            c.sendall(b"ABCD hello")
            return select.select([c, server], [], [], 3)[0] == [server]
        except OSError:
            return False


def test_container_that_is_cut_off(line, tcp):
    """Its device has the MAC address of the one below, whose host takes its TCP connections for its own where it would
    not forward them; a service that names the host's addresses does not."""
    box, _, destination = contain(line, "passthru")
    forwarding = "ipv4/conf/m0/forwarding"
    line.mid.sysctl(forwarding, 0)
    assert straight(line, box, destination)
    tcp.attach(line.mid, "m0", text=ANY)
    assert not straight(line, box, destination)
    told = f"TCP connections to {destination}, of eth0 in network namespace {box.name}, are cut off: service any takes them"
    assert warned("m0", told)
    for settings, cut in (({"daddr": ["10.77.1.2/32"]}, False), ({"daddr": ["10.77.0.0/16"]}, True),
                          ({"interface": "m1"}, False), ({"interface": "m0"}, True)):
        tcp.apply(limited(**settings))
        assert warned("m0", told) == cut == (not straight(line, box, destination)), settings
    line.mid.sysctl(forwarding, 1)
    assert not straight(line, box, destination) and warned("m0", told + " for this host's, since it has no route there")
    line.mid.ip("route add 10.77.4.0/24 dev m0")
    assert straight(line, box, destination) and not warned("m0", "cut off")
    line.mid.sysctl(forwarding, 0)
    assert warned("m0", told + " for this host's, since forwarding is off")
    tcp.apply(TEXT)
    assert not warned("m0", "cut off")  # nobody wants any TCP


def test_container_above_a_bridge(port, tcp):
    """Its device is on the bridge, whose port mangle is attached to; it has no name, and its address is on a device above."""
    _, mid = port
    mid.sysctl("bridge/bridge-nf-call-iptables", 0)
    box = mid.lab.ns("box")
    mid.ip("link add mv0 link br0 type macvlan mode passthru", f"link set mv0 netns {box.name} name eth0")
    box.ip("link set eth0 up", "link add br7 type bridge", "link set eth0 master br7", "address add 10.77.4.2/24 dev br7",
           "address add 2001:db8::7/64 dev br7 nodad", "link set br7 up")
    tcp.attach(mid, "m0", text=limited(daddr=["2001:db8::/32"]))
    assert warned("m0", "TCP connections to 2001:db8::7, of eth0 in network namespace ")


def test_containers_that_cannot_be_looked_at(line, tcp):
    """Is told, where a service may take what is theirs."""
    tcp.attach(line.mid, "m0", text=ANY)
    blind = ["nsenter", f"--net=/run/netns/{line.mid.name}", "setpriv",
             "--bounding-set=-all,+bpf,+net_admin,+perfmon,+sys_admin", "--inh-caps=-all", "--ambient-caps=-all"]

    def told():
        said = ctl.js("status", prefix=blind)["info"]
        return [w for w in said if w.startswith("m0: cannot tell whether containers have devices on it")]

    assert "CAP_SYS_PTRACE is missing" in told()[0]
    tcp.apply(limited(daddr=["10.77.1.2/32"]))
    assert not told()
    tcp.apply(TEXT)
    assert not told()


def test_container_is_not_mangled_twice(line, mangle):
    """As in one namespace: what is attached below or above it, in another one, is refused or said."""
    box, _, _ = contain(line)
    config = mangle.file(TEXT)
    mangle.attach(line.mid, "m0", text=TEXT)
    ctl.assert_error(["-n", box.name, "attach", "eth0", "--config", config], 1,
                     f"eth0: .* above m0 in network namespace {line.mid.name}, which is attached: .*twice")
    ctl.ok("-n", line.mid.name, "detach", "m0")
    mangle.attach(box, "eth0", mode="auto")
    ctl.assert_error(["-n", line.mid.name, "attach", "m0"], 1,
                     f"m0: .* below eth0 in network namespace {box.name}, which is attached: .*twice")
    mangle.attach(line.snd, "s0")  # has nothing to do with it, though its index may be the same
    ctl.ok("-n", box.name, "detach", "eth0")
    box.ip("link add br7 type bridge", "link set br7 up")
    mangle.attach(box, "br7", mode="auto")
    mangle.attach(line.mid, "m0")
    assert not [w for w in ctl.js("status")["warnings"] if "twice" in w]
    box.ip("link set eth0 master br7")
    said, = [w for w in ctl.js("status")["warnings"] if "twice" in w]
    assert said.startswith(f"m0: it is below br7 in network namespace {box.name}, which is attached too: ")
    assert said in doctor_about("interfaces", "warn")

"""A host that forwards, masquerades or bridges for others, with mangle on its outer interface: others' datagrams leave
as they came, whatever their ports; what this host's sockets send, or hosts that a service names, is a reply."""

import contextlib
import select
import socket
import struct
import time

import pytest
from mangletest import ctl, netns

import live
from live import SHARED

TARGET, OTHER = 6001, 6003
UDP_SEGMENT = 103
version_param = pytest.mark.parametrize("version", (4, 6), ids=("ipv4", "ipv6"))


def text(**settings):
    return live.config(live.service("ask", **{"entities": {b"ABCD": TARGET}, "reply": True, **settings}))


@pytest.fixture
def line(lasting):
    with lasting.lab.sockets():
        yield lasting


@pytest.fixture
def running(line, tmp_path):
    """running(text): m0, the outer interface, is attached, and this is what runs."""
    mangle = live.Mangle(tmp_path)

    def call(config, mode="native"):
        ctl.purge()
        return mangle.attach(line.mid, "m0", mode=mode, text=config)

    return call


def receive(s, timeout=2.0):
    """(payload, port it came from)"""
    ready, _, _ = select.select([s], [], [], timeout)
    assert ready, "nothing came"
    data, peer = s.recvfrom(1 << 16)
    return data, peer[1]


def source_port(sender, source, port, receiver, destination, to=53):
    """From which port a datagram comes that a socket of sender's sends to receiver's port."""
    with sender.lab.sockets():
        out, at = sender.udp(source, port), receiver.udp(destination, to)
        out.sendto(b"question", (destination, to))
        return receive(at)[1]


# --- routed -----------------------------------------------------------------------------------------

@version_param
def test_a_clients_datagram_keeps_its_port(line, running, version):
    """A client behind this host asks a server outside from a port that happens to be a target."""
    running(text())
    outside, here = netns.addresses(1, version)
    client = netns.addresses(2, version)[1]
    for port in (TARGET, OTHER):
        assert source_port(line.far, client, port, line.snd, outside) == port
    assert source_port(line.mid, here, TARGET, line.snd, outside) == SHARED


@version_param
def test_a_named_hosts_datagram_is_a_reply(line, running, version):
    """By `daddr` the service says that its targets are on that host, and on no other."""
    outside, here = netns.addresses(1, version)
    client = netns.addresses(2, version)[1]
    running(text(daddr=[client]))
    assert source_port(line.far, client, TARGET, line.snd, outside) == SHARED
    assert source_port(line.mid, here, TARGET, line.snd, outside) == TARGET
    running(text(daddr=[here]))
    assert source_port(line.far, client, TARGET, line.snd, outside) == TARGET
    assert source_port(line.mid, here, TARGET, line.snd, outside) == SHARED


def masquerade(line):
    """mid masquerades what leaves by m0; until the end of the test."""
    if netns.have("nft"):
        pytest.skip("nft is not installed")
    rules = "table ip gateway { chain post { type nat hook postrouting priority 100; oifname m0 masquerade; }; }"
    line.mid.run("nft", rules)
    line.lab.stack.callback(line.mid.run, "nft", "delete table ip gateway")


def test_a_masqueraded_clients_datagram_keeps_its_port(line, running):
    """Then even the source address is this host's, and no prefix could tell."""
    running(text())
    masquerade(line)
    outside, here = netns.addresses(1, 4)
    client = netns.addresses(2, 4)[1]
    for port in (TARGET, OTHER):
        assert source_port(line.far, client, port, line.snd, outside) == port
    # the client has that port of this host towards 53 now
    assert source_port(line.mid, here, TARGET, line.snd, outside, to=54) == SHARED


# --- warnings ---------------------------------------------------------------------------------------

def warned(host):
    """Whether status and doctor say what a gateway has to know; they agree."""
    status = any("masquerade" in w for w in ctl.js("status")["warnings"])
    assert ("masquerade" in ctl.run("-n", host.name, "doctor", "m0").out) == status
    return status


def kernel_can_tell():
    """Whether an XDP program may ask conntrack here (the kernel's types name the function)."""
    try:
        with open("/sys/kernel/btf/vmlinux", "rb") as f:
            return b"bpf_xdp_ct_lookup" in f.read()
    except OSError:
        return False


def test_a_gateway_is_warned(line, running):
    """Where it forwards, masquerades, a service does not say whom it is for, and the program does not ask conntrack:
    one that was attached before there was anything to be asked does not."""
    assert "masquerade" not in running(text()).err and not warned(line.mid)
    line.mid.run("nft", "table ip other { chain pre { type nat hook prerouting priority -100; }; }")
    line.lab.stack.callback(line.mid.run, "nft", "delete table ip other")
    assert not warned(line.mid), "other translations do not change whom an answer is for"
    masquerade(line)
    assert warned(line.mid)
    ctl.ok("service", "set", "ask", "--daddr", "10.77.1.2")
    assert not warned(line.mid)
    ctl.ok("service", "set", "ask", "--daddr", "any")
    for key in ("ipv4/ip_forward", "ipv6/conf/all/forwarding"):
        line.mid.sysctl(key, 0)
        line.lab.stack.callback(line.mid.sysctl, key, 1)
    assert not warned(line.mid)


def test_connections_are_warned_about(line, running):
    """They are bound where nobody asks conntrack."""
    masquerade(line)
    r = running(live.config(live.service("shop", protocol="tcp", ports=(7000,))))
    assert r.err.startswith("mangle-ctl: warning: m0: this host forwards and masquerades: "), r
    assert "7000" in r.err and "shop" in r.err and "upgrade" not in r.err and warned(line.mid), r


def test_legacy_iptables_masquerades_too(tmp_path):
    """In a namespace of its own, which keeps its table once it was used."""
    if netns.have("iptables-legacy"):
        pytest.skip("iptables-legacy is not installed")
    with netns.Lab() as lab, contextlib.ExitStack() as stack:
        host, outside = lab.ns("legacy"), lab.ns("outside")
        lab.veth(host, "m0", outside, "s0")
        host.sysctl("ipv4/ip_forward", 1)
        ctl.purge()
        live.Mangle(tmp_path).attach(host, "m0", text=live.config(live.service(protocol="tcp", tcp="segment")))
        stack.callback(ctl.purge)
        assert not warned(host)
        if host.run("iptables-legacy", "-t", "nat", "-A", "POSTROUTING", "-j", "MASQUERADE", check=False).returncode:
            pytest.skip("no legacy iptables here")
        assert warned(host)


# --- what comes back ---------------------------------------------------------------------------------

def masquerade6(line):
    line.mid.run("nft", "table ip6 gateway { chain post { type nat hook postrouting priority 100; "
                        "oifname m0 masquerade; }; }")
    line.lab.stack.callback(line.mid.run, "nft", "delete table ip6 gateway")


def answer_for_a_client(line, version):
    """What a client behind the gateway hears that asks a server outside from the shared port; None: nothing."""
    outside, (_, client) = netns.addresses(1, version)[0], netns.addresses(2, version)
    with line.lab.sockets():
        ask, server = line.far.udp(client, SHARED), line.snd.udp(outside, 53)
        ask.sendto(b"question", (outside, 53))
        ready, _, _ = select.select([server], [], [], 2)
        assert ready, "the question did not come"
        data, peer = server.recvfrom(100)
        assert peer[:2] == (netns.addresses(1, version)[1], SHARED), "the gateway's address, the client's port"
        server.sendto(b"ABCD " + data, peer[:2])
        ready, _, _ = select.select([ask], [], [], 0.5)
        return ask.recv(100) if ready else None


@pytest.fixture
def asking(line, running):
    """asking(version, …): a gateway of that version, whose kernel can tell whose packet it is."""
    if not kernel_can_tell():
        pytest.skip("this kernel has no bpf_xdp_ct_lookup")

    def call(version, mode="native", **settings):
        (masquerade if version == 4 else masquerade6)(line)
        return running(text(**settings), mode)

    return call


@pytest.mark.parametrize("mode", live.MODES)
@version_param
def test_an_answer_for_a_client(line, asking, version, mode):
    """It comes back to the shared port, and has a known tag; conntrack knows that it is for the client."""
    r = asking(version, mode, unknown="drop")
    assert "masquerade" not in r.err and not warned(line.mid), r
    before = ctl.js("stats")["reasons"]
    assert answer_for_a_client(line, version) == b"ABCD question"
    after = ctl.js("stats")["reasons"]
    assert after["no_service"]["packets"] == before["no_service"]["packets"] + 1
    assert after["rewritten"] == before["rewritten"]
    # what comes for the service is the service's: from another, and from the same server's other port
    outside, here = netns.addresses(1, version)
    for sport in (53000, 54):
        with line.lab.sockets():
            entity = line.mid.udp(here, TARGET)
            line.snd.udp(outside, sport).sendto(b"ABCD!", (here, SHARED))
            assert receive(entity) == (b"ABCD!", sport)


@version_param
def test_an_answer_for_this_host_is_the_services(line, asking, version):
    """A socket of this host that speaks from the shared port has no translation."""
    asking(version)
    outside, here = netns.addresses(1, version)
    own, server, entity = line.mid.udp(here, SHARED), line.snd.udp(outside, 55), line.mid.udp(here, TARGET)
    own.sendto(b"question", (outside, 55))
    assert receive(server) == (b"question", SHARED)
    server.sendto(b"ABCD answer", (here, SHARED))
    assert receive(entity) == (b"ABCD answer", 55)


def test_upgrade_makes_it_ask(line, running):
    """What was attached before the gateway was one; and none is lost to the client any more."""
    if not kernel_can_tell():
        pytest.skip("this kernel has no bpf_xdp_ct_lookup")
    running(text(unknown="drop"))
    masquerade(line)
    assert answer_for_a_client(line, 4) is None, "this shows nothing: it was the client's all along"
    assert any("mangle-ctl upgrade" in w for w in ctl.js("status")["warnings"])
    assert ctl.ok("upgrade").out == "m0: asks conntrack now\n"
    assert answer_for_a_client(line, 4) == b"ABCD question"
    assert not warned(line.mid)


# --- errors -----------------------------------------------------------------------------------------

def quoted_port(packet):
    """The destination port of the datagram that an ICMP error quotes."""
    inner = packet.body[8:]
    return struct.unpack_from("!H", inner, (4 * (inner[0] & 15) if inner[0] >> 4 == 4 else 40) + 2)[0]


def refused(line, version, destination, port):
    """What an ICMP error quotes about a datagram from outside to that port."""
    with line.lab.sockets():
        capture = netns.Capture(line.snd, "s0")
        line.snd.udp(netns.addresses(1, version)[0], 0).sendto(b"ABCD to nobody", (destination, port))
        error, = capture.wait(1, lambda p: p.proto in (1, 58) and p.body[0] in (1, 3))
        assert error.version == 4 or netns.fold(netns.pseudo_sum(error.src, error.dst, 58, len(error.body)) +
                                                netns.ones_sum(error.body)) == 0xffff
        return quoted_port(error)


@version_param
def test_errors_of_others_keep_what_they_quote(line, running, version):
    """A host behind this one refuses what was sent to it straight, on a port that happens to be a target."""
    for ns in (line.mid, line.far):
        ns.sysctl("ipv4/icmp_ratelimit", 0)
        ns.sysctl("ipv6/icmp/ratelimit", 0)
    here, there = netns.addresses(1, version)[1], netns.addresses(2, version)[1]
    running(text())
    assert refused(line, version, there, TARGET) == TARGET
    assert refused(line, version, here, SHARED) == SHARED, "this host's kernel answers"
    running(text(daddr=[there]))
    assert refused(line, version, there, SHARED) == SHARED, "the service names it"


@version_param
def test_an_error_that_waits_for_a_neighbour(line, running, version):
    """The kernel's answer leaves later than it was made, and is its answer still."""
    running(text())
    line.mid.sysctl("ipv4/icmp_ratelimit", 0)
    line.mid.sysctl("ipv6/icmp/ratelimit", 0)
    outside, here = netns.addresses(1, version)
    line.mid.ip(f"neigh del {outside} dev m0")
    try:
        assert refused(line, version, here, SHARED) == SHARED
    finally:
        line.mid.ip(f"neigh replace {outside} lladdr {netns.mac_of('s0')} dev m0 nud permanent")


# --- bridged ----------------------------------------------------------------------------------------

def bridge(host, box):
    """m0 and a pair to the container are ports of a bridge, which has the host's address."""
    host.lab.veth(host, "b0", box, "c0")
    host.ip("link add br0 type bridge", "link set m0 master br0", "link set b0 master br0", "link set br0 up")
    return "br0"


def macvlan(host, box):
    """The container's device is a second one on m0."""
    try:
        host.ip(f"link add link m0 name c0 netns {box.name} type macvlan mode bridge")
    except RuntimeError as e:
        pytest.skip(f"no macvlan here: {e}")
    box.ip("link set c0 up")
    return "m0"


@pytest.mark.parametrize("connect", (bridge, macvlan))
def test_a_containers_datagram_keeps_its_port(tmp_path, connect):
    """Its socket is one of this kernel's, but not of this network namespace: as if it were another machine's."""
    with netns.Lab() as lab, contextlib.ExitStack() as stack:
        outside, host, box = (lab.ns(n) for n in ("outside", "host", "box"))
        mangle = live.Mangle(tmp_path)
        stack.callback(ctl.purge)
        lab.veth(outside, "s0", host, "m0")
        own = connect(host, box)
        for ns, dev, last in ((outside, "s0", 1), (host, own, 2), (box, "c0", 3)):
            ns.ip(f"address add 10.77.1.{last}/24 dev {dev}", f"address add fd77:1::{last}/64 dev {dev} nodad")
        for address in ("10.77.1.", "fd77:1::"):
            near, here, there = (f"{address}{last}" for last in (1, 2, 3))
            ctl.purge()
            mangle.attach(host, "m0", text=text())
            assert source_port(host, here, TARGET, outside, near) == SHARED
            assert source_port(box, there, TARGET, outside, near) == TARGET
            mangle.apply(text(daddr=[there]))
            assert source_port(box, there, TARGET, outside, near) == SHARED
            assert source_port(host, here, TARGET, outside, near) == TARGET


# --- what is sent past the sockets --------------------------------------------------------------------

@version_param
def test_a_packet_sockets_datagram_keeps_its_port(line, running, version):
    """What a program puts on the wire by itself, a DHCP client or a virtual machine's monitor, is as it wants it."""
    running(text())
    outside, here = netns.addresses(1, version)
    at = line.snd.udp(outside, 53)
    frame = netns.craft(b"by hand", src=here, dst=outside, sport=TARGET, dport=53, macs=("s0", "m0"))
    line.mid.raw("m0").send(frame)
    assert receive(at) == (b"by hand", TARGET)


# --- trains of forwarded replies ------------------------------------------------------------------------

def set_feature(ns, dev, name, on):
    ns.run("ethtool", "-K", dev, name, "on" if on else "off", check=False)


@contextlib.contextmanager
def merging(line, kind, offload):
    """far's trains come as single datagrams to m1, which merges them in this way; m0 cuts them before they leave."""
    features = "gro", "rx-gro-list", "rx-udp-gro-forwarding"
    for name in features:
        set_feature(line.mid, "m1", name, name in ("gro", kind))
    set_feature(line.far, "f0", "tx", offload)
    cut = ("tx-udp-segmentation", "tx-gso-list")
    for name in ("tx", *cut):
        set_feature(line.mid, "m0", name, False)
    set_feature(line.far, "f0", "tx-udp-segmentation", False)
    try:
        yield
    finally:
        for name in features:
            set_feature(line.mid, "m1", name, False)
        for ns, dev in ((line.mid, "m0"), (line.far, "f0")):
            for name in ("tx", *cut):
                set_feature(ns, dev, name, True)


@pytest.mark.parametrize("offload", (True, False), ids=("tx-on", "tx-off"))
@pytest.mark.parametrize("kind", ("rx-gro-list", "rx-udp-gro-forwarding"), ids=("list", "merged"))
@version_param
def test_trains(line, running, version, kind, offload):
    """Replies of a host behind this one, put together by GRO: each datagram of a train leaves with the shared port and a
    checksum that verifies, whether the kernel sums it up when it cuts the train (merged) or not (list)."""
    outside, server = netns.addresses(1, version)[0], netns.addresses(2, version)[1]
    running(text(daddr=[server]))
    sent = [bytes([i]) * 100 + bytes([n]) * 100 for i in range(30) for n in range(10)]
    with merging(line, kind, offload):
        wire, merged = netns.Capture(line.snd, "s0"), netns.Capture(line.mid, "m1")
        app, client = line.far.udp(server, TARGET), line.snd.udp(outside, 41500)
        app.setblocking(True)
        try:
            app.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, 200)
        except OSError as e:
            pytest.skip(f"no UDP_SEGMENT here: {e}")
        for i in range(0, len(sent), 10):
            app.sendto(b"".join(sent[i:i + 10]), (outside, 41500))
        got = netns.drain([client], len(sent), quiet=0.05)[client]
        time.sleep(0.05)
        packets = [netns.read(c.frame) for c in wire.frames()]
        assert any(c.gso for c in merged.frames()), "nothing was merged: this shows nothing"
    packets = [p for p in packets if p.dport == 41500]
    assert {p.sport for p in packets} == {SHARED}
    live.check_wire(packets, len(sent))
    assert got == sent

"""The flow table by hand, and connections that its entries can be of: bound ones, without a program on their way."""

import ctypes
import ipaddress
import json
import os
import shutil
import socket
import subprocess

import pytest

from mangletest import ctl

WAITING, BOUND, LIVE, REVERSE, ENDED = 1, 2, 3, 4, 5
REVERSE_BIT = 0x80000000
HOME = "127.0.0.2", "127.0.0.1"  # client and server, within the namespace


def bpftool(*argv, stdin=None):
    if not shutil.which("bpftool", path=os.environ["PATH"] + ":/usr/sbin"):
        pytest.skip("wants bpftool")
    return subprocess.run(["bpftool", "-j", *map(str, argv)], input=stdin, stdout=subprocess.PIPE, text=True,
                          check=True, env={**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin"}).stdout


def flow_table():
    """Id of the map that the program has, and what bpftool knows of it."""
    dumped = bpftool("map", "dump", "pinned", f"{ctl.PIN_DIR}/flows")
    found = json.loads(dumped)
    if not found:
        return None, None
    number = int.from_bytes(bytes(int(b, 16) for b in found[0]["value"]), "little")
    return number, json.loads(bpftool("map", "show", "id", number))


class FlowKey(ctypes.Structure):
    _fields_ = [("client", ctypes.c_uint8 * 16), ("server", ctypes.c_uint8 * 16), ("client_port", ctypes.c_uint8 * 2),
                ("server_port", ctypes.c_uint8 * 2), ("netns", ctypes.c_uint32)]


class Flow(ctypes.Structure):
    _fields_ = [("state", ctypes.c_uint8), ("passed", ctypes.c_uint8), ("port", ctypes.c_uint16), ("isn", ctypes.c_uint32),
                ("cookie", ctypes.c_uint32), ("options", ctypes.c_uint32), ("short_at", ctypes.c_uint32),
                ("bound_at", ctypes.c_uint32), ("cpu", ctypes.c_uint32)]


def mapped(address):
    a = ipaddress.ip_address(address)
    return a.packed if a.version == 6 else bytes(10) + b"\xff\xff" + a.packed


def flow_lines(number, client, server, state, shared=5009, netns=0):
    """bpftool's lines for one connection's entries; client and server with port."""
    lines = []
    for bit, port, what, other in ((0, shared, state, server[1]), (REVERSE_BIT, server[1], REVERSE, shared)):
        if bit and (state in (WAITING, ENDED) or server[1] == shared):
            continue
        key = FlowKey((ctypes.c_uint8 * 16)(*mapped(client[0])), (ctypes.c_uint8 * 16)(*mapped(server[0])),
                      (ctypes.c_uint8 * 2)(*client[1].to_bytes(2, "big")), (ctypes.c_uint8 * 2)(*port.to_bytes(2, "big")),
                      netns & ~REVERSE_BIT | bit)
        lines.append(f"map update id {number} key hex {bytes(key).hex(' ')} "
                     f"value hex {bytes(Flow(what, other == port, other, 1, 2, 3)).hex(' ')}\n")
    return lines


def put_flows(lines):
    bpftool("batch", "file", "-", stdin="".join(lines))


def flow_ports(number):
    """Of every entry: client's port, port at this end, whether it is one of the way back."""
    found = set()
    for entry in json.loads(bpftool("map", "dump", "id", number)):
        key = FlowKey.from_buffer_copy(bytes(int(b, 16) for b in entry["key"]))
        found.add((int.from_bytes(bytes(key.client_port), "big"), int.from_bytes(bytes(key.server_port), "big"),
                   bool(key.netns & REVERSE_BIT)))
    return found


def connect(world, stack, family, server, client, bind_to, port=7000, own=0):
    """A connection within the namespace, to `port`: (server's socket, client's)."""
    with world.ns_a.enter():
        listener = stack.enter_context(socket.socket(family, socket.SOCK_STREAM))
        near = stack.enter_context(socket.socket(socket.AF_INET6 if ":" in client else socket.AF_INET, socket.SOCK_STREAM))
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    listener.bind((bind_to, port))
    listener.listen()
    near.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    near.bind((client, own))
    near.connect((server, port))
    far = stack.enter_context(listener.accept()[0])
    listener.close()
    return far, near

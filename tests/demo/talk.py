#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Conversations: servers that answer, and clients that say what they were answered, and judge it.

  talk.py serve PORT    one server process: TCP and UDP on this port, and on no other
  talk.py tcp PID...    three clients, one connection each; PID: of the servers, by their ports
  talk.py udp on|off    a connected UDP client; is there an answer that it hears?

A server says "ready" once it listens, and tells everybody who talks to it: its process, its port,
and whom it sees.
"""
import json
import os
import selectors
import signal
import socket
import sys

import traffic
from traffic import IPV4, IPV6

SHOP = 7000
# Who comes, in the order in which they speak.
CLIENTS = (("LAMP", 7002, IPV4), ("TOYS", 7003, IPV6), ("BOOK", 7001, IPV4))
ROW = "  {:<17}  {:<16}  {:<4}  {:>7} {:>5}  {}"


def short(address):
    """An address of a socket that has both families."""
    return f"{address[0].removeprefix('::ffff:')} {address[1]}"


def word(port, peer):
    return json.dumps([os.getpid(), port, short(peer)]).encode()


def serve(port):
    signal.alarm(60)
    selector = selectors.DefaultSelector()
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        sock = socket.socket(socket.AF_INET6, kind)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        sock.bind(("::", port))
        if kind == socket.SOCK_STREAM:
            sock.listen()
        selector.register(sock, selectors.EVENT_READ, kind)
    print("ready", flush=True)
    while True:
        for key, _ in selector.select():
            sock = key.fileobj
            if key.data == socket.SOCK_DGRAM:
                _, peer = sock.recvfrom(1000)
                sock.sendto(word(port, peer), peer)
            elif key.data:
                selector.register(sock.accept()[0], selectors.EVENT_READ)
            elif sock.recv(1000):
                sock.send(word(port, sock.getpeername()))
            else:
                selector.unregister(sock)
                sock.close()


def tcp(*pids):
    wrong = []
    print(ROW.format("client", "connected to", "says", "process", "port", "which sees"))
    print("  " + "-" * 74)
    # All are connected before the first one speaks.
    clients = [(tag, port, socket.create_connection((address, SHOP), timeout=5)) for tag, port, address in CLIENTS]
    for said in (None, "again"):  # what follows the first data needs no tag
        for tag, port, sock in clients:
            sock.send((said or tag).encode())
            pid, on, sees = json.loads(sock.recv(1000))
            own, server = short(sock.getsockname()), short(sock.getpeername())
            if not said:
                print(ROW.format(own, server, tag, pid, on, sees))
            if (pid, on, sees) != (int(pids[port - 7001]), port, own) or not server.endswith(f" {SHOP}"):
                wrong.append(f"{own} to {server} said {said or tag}: process {pid}, port {on}, which sees {sees}")
    return wrong


def udp(reply):
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.connect((IPV4, traffic.SHARED))
    sock.settimeout(5 if reply == "on" else 0.5)
    sock.send(traffic.payload(0, 0))
    try:
        _, port, _ = json.loads(sock.recv(1000))
        heard = f"{port}'s server, from {sock.getpeername()[1]}"
    except TimeoutError:
        port, heard = None, "nothing (it came from 6001)"
    print(f"  reply {reply + ':':<4} connected to port {traffic.SHARED}, a client hears {heard}")
    return [] if port == (6001 if reply == "on" else None) else [f"reply {reply}: the client heard {heard}"]


WRONG = {"serve": lambda port: serve(int(port)), "tcp": tcp, "udp": udp}[sys.argv[1]](*sys.argv[2:])
sys.stdout.flush()
for text in WRONG:
    print(f"demo: WRONG: {text}", file=sys.stderr)
sys.exit(bool(WRONG))

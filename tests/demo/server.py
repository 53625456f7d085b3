#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""The server application: one UDP socket a port, and the port is all it goes by.

Says "ready" once it listens. On SIGTERM it waits until nothing comes any more and prints, as JSON,
how many datagrams of which row each port got: {PORT: {ROW: N}}; row -1 is what nobody sent, or what
came twice.
"""
import json
import os
import selectors
import signal
import socket
from collections import Counter

import traffic

QUIET = 0.3


def main():
    signal.alarm(30)
    stop_read, stop_write = os.pipe()
    signal.signal(signal.SIGTERM, lambda *_: os.write(stop_write, b"."))
    selector = selectors.DefaultSelector()
    selector.register(stop_read, selectors.EVENT_READ)
    for port in (*traffic.PORTS, traffic.LATER):
        sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        sock.bind(("::", port))
        sock.setblocking(False)
        selector.register(sock, selectors.EVENT_READ, port)
    print("ready", flush=True)

    got = {port: Counter() for port in (*traffic.PORTS, traffic.LATER)}
    seen = set()
    wait = None
    while events := selector.select(wait):
        for key, _ in events:
            if key.data is None:
                wait = QUIET
                selector.unregister(stop_read)
                continue
            data, sender = key.fileobj.recvfrom(65535)
            known = traffic.judge(data)
            one = (known, sender[0])
            got[key.data][known[0] if known and one not in seen else -1] += 1
            seen.add(one)
    print(json.dumps(got))


main()

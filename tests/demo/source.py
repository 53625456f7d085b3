#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""The source: sends the datagrams of all rows, or of the one that is named, to the server's shared
port, in random order (always the same)."""
import random
import socket
import sys
import time

import traffic


def main():
    rows = [int(a) for a in sys.argv[1:]] or range(len(traffic.ROWS))
    sockets = [socket.socket(family, socket.SOCK_DGRAM) for family in (socket.AF_INET, socket.AF_INET6)]
    for sock, address in zip(sockets, (traffic.IPV4, traffic.IPV6)):
        sock.connect((address, traffic.SHARED))
    datagrams = [(sockets[v], traffic.payload(row, seq)) for row in rows
                 for v in (0, 1) for seq in range(traffic.ROWS[row].sent[v])]
    random.Random(1).shuffle(datagrams)
    for i, (sock, data) in enumerate(datagrams):
        sock.send(data)
        if i % 8 == 0:
            time.sleep(0.005)


main()

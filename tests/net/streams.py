"""TCP connections by the hundred. `Server` is a process with many listeners that says who it is and
sends back what it gets; `run` makes connections from a namespace and says what became of each.

What a client sends is `tag(4) length(4) data`, length being that of the data. The server's answer is one
line `PORT CLIENT-ADDRESS CLIENT-PORT`, as the server's socket has them, and then all it got, byte by byte.
It ends when the client has ended its side; on a port named as `closes` it is the server that ends the
connection first, once it has sent everything back.
"""

import asyncio
import contextlib
import errno
import json
import random
import signal
import socket
import struct
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass

HEAD = 8


# --- the server's process -------------------------------------------------------------------------

def listeners(port):
    """Even ports have a listener for each family, odd ones one for both, as either is usual."""
    made = []
    for family, only in ((socket.AF_INET, None), (socket.AF_INET6, 1)) if port % 2 == 0 else ((socket.AF_INET6, 0),):
        s = socket.socket(family, socket.SOCK_STREAM)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if only is not None:
            s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, only)
        s.bind(("::" if family == socket.AF_INET6 else "0.0.0.0", port))
        s.listen(4096)
        s.setblocking(False)
        made.append(s)
    return made


async def serve(ports, closes):
    counts = {"connections": Counter(), "resets": 0, "bytes": 0}

    async def one(reader, writer):
        port = writer.get_extra_info("sockname")[1]
        host, peer = writer.get_extra_info("peername")[:2]
        counts["connections"][port] += 1
        writer.write(f"{port} {host.removeprefix('::ffff:')} {peer}\n".encode("ascii"))
        try:
            start = await reader.readexactly(HEAD)
            left = struct.unpack("!4xI", start)[0] if port in closes else 1 << 62
            writer.write(start)
            while left and (data := await reader.read(1 << 16)):
                left -= len(data)
                counts["bytes"] += len(data)
                writer.write(data)
                await writer.drain()
        except asyncio.IncompleteReadError:
            pass
        except OSError:
            counts["resets"] += 1
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    asyncio.get_running_loop().add_reader(0, ended.set)
    for port in ports:
        for s in listeners(port):
            await asyncio.start_server(one, sock=s, backlog=4096)
    print("ready", flush=True)
    await ended.wait()
    print(json.dumps(counts), flush=True)


class Server:
    """The process, in a namespace. `finish` stops it and tells what it counted."""

    def __init__(self, ns, ports, closes=()):
        self.process = ns.popen(sys.executable, __file__, ",".join(map(str, ports)), ",".join(map(str, closes)),
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "ready\n", "the server does not begin"

    def finish(self):
        counts = json.loads(self.process.communicate("", timeout=20)[0])
        counts["connections"] = {int(port): n for port, n in counts["connections"].items()}
        return counts


# --- clients --------------------------------------------------------------------------------------

@dataclass
class Job:
    """One connection: where to, with which tag, where it should end up, and what it carries."""
    address: str
    port: int
    tag: bytes
    target: int
    data: bytes
    cut: int = 0  # the first write ends behind so many bytes, 0: one write
    sport: int = 0
    closes: bool = False  # it is the server that ends it


def jobs(count, addresses, port, entities, seed, size=(0, 20000), **more):
    """Connections over random entities and addresses, with random data; the same for the same seed."""
    rng = random.Random(seed)
    tags = list(entities)
    made = []
    for _ in range(count):
        tag, data = rng.choice(tags), rng.randbytes(rng.randint(*size))
        cut = rng.choice((0, 0, 4, HEAD, 200))
        made.append(Job(rng.choice(addresses), port, tag, entities[tag], data, cut, **more))
    return made


async def connect(job):
    """(reader, writer) of a new connection; it is made in the namespace this thread stands in."""
    s = socket.socket(socket.AF_INET6 if ":" in job.address else socket.AF_INET, socket.SOCK_STREAM)
    try:
        s.setblocking(False)
        if job.sport:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            s.bind(("", job.sport))
        await asyncio.get_running_loop().sock_connect(s, (job.address, job.port))
        return await asyncio.open_connection(sock=s)
    except BaseException:
        s.close()
        raise


async def check_greeting(job, reader, writer):
    """The server's line: None where it is the right server and it knows the client by its address."""
    greeting = (await reader.readline()).decode("ascii")
    if not greeting:
        return "ended before its first byte"
    wanted = "{} {} {}\n".format(job.target, *writer.get_extra_info("sockname")[:2])
    return None if greeting == wanted else f"greeted {greeting!r}, not {wanted!r}"


async def talk(job):
    """What became of it: "ok", or what was wrong."""
    reader, writer = await connect(job)
    message = job.tag + struct.pack("!I", len(job.data)) + job.data

    async def send():
        if job.cut:
            writer.write(message[:job.cut])
            await asyncio.sleep(0.002)
        writer.write(message[job.cut:])
        await writer.drain()
        if not job.closes:
            writer.write_eof()

    sending = asyncio.ensure_future(send())
    try:
        wrong = await check_greeting(job, reader, writer)
        if wrong:
            return wrong
        echo = await reader.read(-1)  # until the other side ends
        await sending
    finally:
        sending.cancel()
        writer.close()
        with contextlib.suppress(OSError, asyncio.CancelledError):
            await asyncio.gather(sending, writer.wait_closed())
    return "ok" if echo == message else f"{len(message)} bytes went, {len(echo)} came back" + \
        (", not the same" if len(message) == len(echo) else "")


async def outcome(job, deadline):
    try:
        async with asyncio.timeout(deadline):
            return await talk(job)
    except TimeoutError:
        return "hangs"
    except OSError as e:
        return errno.errorcode.get(e.errno, str(e)) if e.errno else str(e)


async def run_all(todo, at_once, deadline):
    """What became of each, `at_once` of them at any time."""
    found, places = [None] * len(todo), iter(range(len(todo)))

    async def worker():
        for i in places:
            found[i] = await outcome(todo[i], deadline)

    await asyncio.gather(*(worker() for _ in range(min(at_once, len(todo)))))
    return found


def run(ns, todo, at_once, deadline=30):
    """The same, in a namespace; (outcomes, seconds)."""
    start = time.monotonic()
    with ns.enter():
        found = asyncio.run(run_all(todo, at_once, deadline))
    return found, time.monotonic() - start


def check(todo, found):
    """All came to the right server and got back what they had sent."""
    bad = [(i, what) for i, what in enumerate(found) if what != "ok"]
    kinds = Counter(what if len(what) < 16 else what.split(" ", 1)[0] for _, what in bad)
    assert not bad, f"{len(bad)} of {len(todo)} connections failed, {dict(kinds)}; e.g. " + "; ".join(
        f"number {i}, {todo[i].address} tag {todo[i].tag!r} to {todo[i].target}: {what}" for i, what in bad[:3])


def by_target(todo):
    return dict(Counter(job.target for job in todo))


class Held:
    """Connections that stay open and go on talking while something else happens, within `run_while`."""

    def __init__(self, todo):
        self.todo = todo
        self.open = []
        self.rounds = Counter()
        self.failed = {}
        self.over = False

    async def begin(self):
        for job in self.todo:
            reader, writer = await asyncio.wait_for(connect(job), 5)
            writer.write(job.tag + struct.pack("!I", 0))
            wrong = await asyncio.wait_for(check_greeting(job, reader, writer), 5)
            assert wrong is None, wrong
            await reader.readexactly(HEAD)
            self.open.append((reader, writer))

    async def go_on(self, i):
        reader, writer = self.open[i]
        rng = random.Random(i)
        try:
            while not self.over:
                data = rng.randbytes(rng.randint(1, 3000))
                writer.write(data)
                if await asyncio.wait_for(reader.readexactly(len(data)), 10) != data:
                    self.failed[i] = "other bytes came back"
                    return
                self.rounds[i] += 1
                await asyncio.sleep(0.02)
        except (OSError, TimeoutError, asyncio.IncompleteReadError) as e:
            self.failed[i] = repr(e)

    async def run_while(self, *others):
        """Awaits the others one after the other; their answers."""
        await self.begin()
        talking = [asyncio.ensure_future(self.go_on(i)) for i in range(len(self.open))]
        try:
            return [await other() for other in others]
        finally:
            self.over = True  # wait_for() of Python 3.11 may swallow a cancellation
            await asyncio.gather(*talking, return_exceptions=True)
            for _, writer in self.open:
                writer.close()

    def check(self, at_least):
        assert not self.failed, f"{len(self.failed)} connections that were open failed: {list(self.failed.items())[:3]}"
        slow = [i for i in range(len(self.todo)) if self.rounds[i] < at_least]
        assert not slow, f"{len(slow)} of {len(self.todo)} open connections stood still: {dict(self.rounds)}"


if __name__ == "__main__":
    asyncio.run(serve([int(p) for p in sys.argv[1].split(",")], {int(p) for p in sys.argv[2].split(",") if p}))

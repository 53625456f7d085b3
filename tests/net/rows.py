"""Tables of every kind and size, and the process that asks the attached program for each of their rows."""

import json
import random
import subprocess

from mangletest import ctl, netns

import live

SIZE = (32, 1400)
# One service for each length of tags, on a port of its own, tags and policies lying differently:
# length: (offset, invalid, unknown)
SERVICES = {1: (0, "drop", "pass"), 2: (3, "pass", "drop"), 4: (0, "drop", "pass"), 8: (-8, "drop", 4999),
            9: (7, "pass", "drop"), 15: (-21, "drop", "pass"), 16: (1, "drop", 4998)}


def port(length):
    return 5000 + length


def config():
    return live.config(*(live.service(
        f"t{length}", ports=(port(length),), tag=(offset, length), size=SIZE, invalid=invalid, unknown=unknown)
        for length, (offset, invalid, unknown) in SERVICES.items()))


# --- tags -----------------------------------------------------------------------------------------

def distinct(made, count):
    """The first `count` different ones, fewer where there are no more."""
    found = {}
    for tag in made:
        if len(found) == count:
            break
        found[tag] = None
    return list(found)


def at_random(length, count, seed=0):
    """The all-zero tag and all ones among them."""
    rng = random.Random(f"{length} {count} {seed}")
    if length < 3:
        space = [i.to_bytes(length, "big") for i in range(1, 256 ** length - 1)]
        rng.shuffle(space)
    else:
        space = (rng.randbytes(length) for _ in range(2 * count + 10))
    tags = distinct(space, count)
    for i, special in enumerate((b"\0" * length, b"\xff" * length)[:len(tags)]):
        tags[len(tags) * (i + 1) // 3] = special
    return tags


def counting(length, count, order="big"):
    return [i.to_bytes(length, order) for i in range(min(count, 256 ** length))]


def counting_down(length, count):
    return [bytes(255 - b for b in tag) for tag in counting(length, count)]


def counting_little(length, count):
    return counting(length, count, "little")


def last_byte_only(length, count):
    return [b"A" * (length - 1) + bytes([i]) for i in range(min(count, 256))]


def first_byte_only(length, count):
    return [bytes([i]) + b"\0" * (length - 1) for i in range(min(count, 256))]


def one_bit_only(length, count):
    """The all-zero tag, and all with a single bit."""
    return [(1 << i >> 1).to_bytes(length, "little") for i in range(min(count, 8 * length + 1))]


def digits(length, count):
    return distinct((b"%0*d" % (length, i) for i in range(min(count, 10 ** length))), count)


def two_numbers(length, count):
    """Two numbers side by side, each as wide as half of the tag: site and unit."""
    half = length // 2
    side = 1
    while side * side < count:
        side += 1
    return [(i // side).to_bytes(half, "big") + (i % side).to_bytes(length - half, "big") for i in range(count)]


PATTERNS = {at_random: (1, 2, 3, 4, 7, 10, 100, 1000), counting: (1, 2, 3, 4, 7, 10, 100, 1000),
            counting_down: (1000,), counting_little: (100, 1000), digits: (1000,),
            last_byte_only: (256,), first_byte_only: (256,), one_bit_only: (129,)}


def targets(tags, salt=0):
    """Rows of a table: ports, `drop` and `pass`, some with a window of their own."""
    made = []
    for i, tag in enumerate(tags):
        n = i + salt
        target = {3: "drop", 7: "pass"}.get(n % 11, 1 + n * 40503 % 65535)
        low = SIZE[0] + n % 31
        high = low + (n % 53 if n % 3 else n % 1300)
        made.append((tag, target, f"{low}:{high}" if n % 5 == 2 else None))
    return made


def line_of(row):
    tag, target, window = row
    return f"0x{tag.hex()} {target} {window}" if window else f"0x{tag.hex()} {target}"


# --- the table and its judge ----------------------------------------------------------------------

class Table:
    """The table of one service, changed by the tool, and judged by rows.c, which knows what should
    be in it."""

    def __init__(self, box, length):
        offset, invalid, unknown = SERVICES[length]
        self.box, self.length, self.name = box, length, f"t{length}"
        self.process = subprocess.Popen(
            [str(w) for w in (box.binary, box.program, port(length), offset, length, *SIZE, invalid, unknown)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        box.lab.processes.append(self.process)
        self.expected = self.counted()
        self.number = 0

    def tell(self, *words):
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        assert answer, f"rows.c ended at {words}"
        return json.loads(answer)

    def counted(self):
        """Packets and bytes by reason, what never happened left out."""
        reasons = ctl.js("stats", "--service", self.name)["services"][self.name]["reasons"]
        return {k: [v["packets"], v["bytes"]] for k, v in reasons.items() if v["packets"]}

    def judge(self, answer, what):
        """Every frame came out as it should; `listed` checks that each was counted."""
        assert answer["wrong"] == 0, f"{what}: {answer['wrong']} of {answer['frames']} wrong: {answer['shown']}"
        for reason, more in answer["reasons"].items():
            self.expected[reason] = [a + b for a, b in zip(self.expected.get(reason, (0, 0)), more)]
        return answer

    def run(self, neighbours, what=""):
        return self.judge(self.tell("run", neighbours), what)

    def once(self, neighbours, what=""):
        return self.judge(self.tell("once", neighbours), what)

    def file(self, path, what=""):
        return self.judge(self.tell("file", path), what)

    def every(self, what=""):
        return self.judge(self.tell("every"), what)

    def listed(self, what=""):
        """Every row is listed once, with its target and with just the packets it has had; and by
        reason, packets and bytes are just those that were run."""
        assert self.counted() == self.expected, what
        path = self.box.tmp / "listed"
        with open(path, "wb") as f:
            subprocess.run([ctl.BIN, "-j", "map", "list", "--service", self.name], stdout=f, check=True)
        answer = self.tell("list", path)
        assert answer["wrong"] == 0, f"{what}: {answer['wrong']} rows wrong: {answer['shown']}"

    def write(self, rows):
        """A table file."""
        self.number += 1
        path = self.box.tmp / f"{self.name}-{self.number}.map"
        with open(path, "w", encoding="ascii") as f:
            f.writelines(f"{line_of(row)}\n" for row in rows)
        return path

    def replace(self, rows):
        """Makes the table equal to these rows; their file."""
        path = self.write(rows)
        ctl.ok("map", "replace", path, "--service", self.name)
        self.tell("table", path)
        return path

    def load(self, rows):
        ctl.ok("map", "load", self.write(rows), "--service", self.name)
        for row in rows:
            self.tell("set", line_of(row))

    def set(self, row):
        tag, target, window = row
        size = ["--size", window] if window else []
        ctl.ok("map", "set", "0x" + tag.hex(), target, *size, "--service", self.name)
        self.tell("set", line_of(row))

    def delete(self, *tags):
        words = ["0x" + tag.hex() for tag in tags]
        ctl.ok("map", "del", *words, "--service", self.name)
        self.tell("del", *words)

    def header(self):
        """What the table's hash is: changes where it is built anew."""
        found = self.tell("header")
        return found["buckets"], found["seed"]

    def colliding(self, count, place):
        return [bytes.fromhex(t[2:]) for t in self.tell("collide", count, place)]

    def close(self):
        self.process.stdin.close()
        assert self.process.wait(20) == 0
        self.process.stdout.close()


class Box:
    """A namespace with an attached interface and a service for each length."""

    def __init__(self, lab, binary, tmp):
        self.lab, self.binary, self.tmp = lab, binary, tmp
        ns, far = lab.ns("rows"), lab.ns("rowsfar")
        lab.veth(ns, "r0", far, "r1")
        live.Mangle(tmp).attach(ns, "r0", text=config())
        self.program = netns.xdp_on(ns, "r0")

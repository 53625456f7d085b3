#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Other builds of mangle-ctl, made from a copy of this tree: what an upgrade comes from and goes to.

  tests/proof/builds.py FOLDER     FOLDER/build/mangle-ctl; its name says which: rebuilt, next-layout
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

TREE = Path(__file__).resolve().parents[2]
PARTS = ("Makefile", "CHANGELOG.md", "maps", "xdp", "ctl")

# The same program under another hash: its lines are others.
REBUILT = {"xdp/mangle.bpf.c": [("\nint mangle(", "\n/* another build */\nint mangle(")]}

# Every map that is converted, and nearly every field's place.
NEXT_LAYOUT = {"maps/schema.h": [
    ("#define MANGLE_LAYOUT_VERSION 5\n", "#define MANGLE_LAYOUT_VERSION 6\n"),
    ("#define MANGLE_REASON_CELLS 64", "#define MANGLE_REASON_CELLS 128"),
    ("struct mangle_config {\n", "struct mangle_config {\n\t__u64 first_of_all;\n"),
    ("\t__u32 classifier; /* slot", "\t__u32 in_between[2];\n\t__u32 classifier; /* slot"),
    ("struct mangle_service_info {\n", "struct mangle_service_info {\n\t__u8 before_the_name[8];\n"),
    ("\t__u16 unknown_port; /* where unknown is ACTION_PORT */\n"
     "\t__u16 stats;\t    /* slot in stats, 1 .. MANGLE_MAX_SERVICES */\n",
     "\t__u16 stats;\n\t__u16 unknown_port;\n"),
    ("struct mangle_iface {\n", "struct mangle_iface {\n\t__u64 alias;\n"),
    ("sizeof(struct mangle_service_info) == 492", "sizeof(struct mangle_service_info) == 500"),
    ("sizeof(struct mangle_stats) == 1152", "sizeof(struct mangle_stats) == 2176"),
    ("sizeof(struct mangle_iface) == 144", "sizeof(struct mangle_iface) == 152"),
]}


BUILDS = {"rebuilt": REBUILT, "next-layout": NEXT_LAYOUT}


def main(folder):
    edits = BUILDS[folder.name]
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for part in PARTS:
        (shutil.copytree if (TREE / part).is_dir() else shutil.copy)(TREE / part, folder / part)
    for name, changes in edits.items():
        text = (folder / name).read_text(encoding="utf-8")
        for old, new in changes:
            if text.count(old) != 1:
                sys.exit(f"{name}: {old!r} is there {text.count(old)} times, not once: adapt {__file__}")
            text = text.replace(old, new)
        (folder / name).write_text(text, encoding="utf-8")
    alone = {k: v for k, v in os.environ.items() if k != "MAKEFLAGS"}  # a make of its own
    subprocess.run(["make", "-s", "-j2", "-C", folder, "B=build", "CFLAGS=-O1", "build/mangle-ctl"], check=True,
                   env=alone)


main(Path(sys.argv[1]))

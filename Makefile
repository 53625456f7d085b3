# SPDX-License-Identifier: GPL-2.0-only
# make help says what there is; those lines begin with #: here.
#:
#: V=1 shows the commands. Targets marked * install the Debian packages that they need and miss.
#:
SHELL := /bin/bash
.DEFAULT_GOAL := all
# Objects on the way to a program are kept, and make says nothing of removing them.
.SECONDARY:

VERSION := $(shell sed -n 's/^## \[\([0-9.]*\)\].*/\1/p' CHANGELOG.md 2>/dev/null | head -1)
PREFIX ?= /usr
DESTDIR ?=
B := build

Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-8s %s\n' $(1) $(2))

CC ?= gcc
CLANG ?= clang
PKG_CONFIG ?= pkg-config
BPFTOOL ?= $(firstword $(wildcard /usr/sbin/bpftool /usr/bin/bpftool /sbin/bpftool) bpftool)
CFLAGS ?= -O2 -g
WARN := -Wall -Wextra -Werror -Wshadow
CTL_CFLAGS = -std=gnu11 -D_GNU_SOURCE -DMANGLE_VERSION='"$(VERSION)"' $(WARN) -I$(B) -Ictl \
	$(shell $(PKG_CONFIG) --cflags libnl-3.0 libnl-genl-3.0 libnl-route-3.0 2>/dev/null)
CTL_LIBS = -lxdp -lbpf -lelf -lz -lyaml -ljansson -lpcap -lm \
	$(shell $(PKG_CONFIG) --libs libnl-3.0 libnl-genl-3.0 libnl-route-3.0 2>/dev/null)
BPF_CFLAGS = -target bpf -O2 -g $(WARN) -mcpu=v3 \
	-I/usr/include/$(shell $(CC) -print-multiarch)

CLI_OBJ := $(patsubst %.c,$(B)/%.o,$(wildcard ctl/cli/*.c))
# Engine and below: what a daemon or a test needs, without command line and standard output.
LIB := $(B)/libmangle.a
LIB_OBJ := $(patsubst %.c,$(B)/%.o,$(wildcard $(addsuffix /*.c,$(addprefix ctl/,engine files kernel model))))

.PHONY: help
help:
	@sed -n 's/^#: \{0,1\}//p' $(firstword $(MAKEFILE_LIST))

#: make               builds build/mangle-ctl
.PHONY: all
all: $(B)/mangle-ctl

# The one place that installs anything. FOR: names of lists in tools/packages/.
#: make deps        *  installs what build, check and lint need; FOR="build run": what these lists in tools/packages/ name
FOR := build run test deb
.PHONY: deps
deps:
	$(Q)tools/install-packages $(FOR:%=tools/packages/%)

# $(call deps,LIST...): the same, as the first line of a recipe.
deps = $(Q)$(MAKE) --no-print-directory deps FOR="$(1)"

# Names what is missing before a compiler stumbles over it.
.PHONY: toolchain
toolchain:
	$(Q)for tool in $(firstword $(CC)) $(CLANG) $(BPFTOOL) $(PKG_CONFIG); do command -v $$tool >/dev/null || { \
		echo "make: $$tool is not installed (make deps FOR=\"build run\")" >&2; \
		exit 1; }; done
	$(Q)$(PKG_CONFIG) --exists --print-errors libbpf libxdp libelf zlib yaml-0.1 jansson libpcap libnl-3.0 \
		libnl-genl-3.0 libnl-route-3.0 || { \
		echo "make: development files are missing (make deps FOR=\"build run\")" >&2; \
		exit 1; }

$(B)/%.bpf.o: xdp/%.bpf.c | toolchain
	$(call say,BPF,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_CFLAGS) -MMD -MP -c $< -o $@

# The XDP program for hosts that masquerade, with a stage that calls what older kernels have not.
$(B)/gateway.bpf.o: xdp/mangle.bpf.c | toolchain
	$(call say,BPF,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_CFLAGS) -DWITH_CONNTRACK -MMD -MP -c $< -o $@

$(B)/layout.bpf.o: maps/layout.bpf.c | toolchain
	$(call say,BPF,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_CFLAGS) -MMD -MP -c $< -o $@

SKEL := $(B)/mangle.skel.h $(B)/gateway.skel.h $(B)/tc.skel.h $(B)/layout.skel.h
$(SKEL): $(B)/%.skel.h: $(B)/%.bpf.o
	$(call say,SKEL,$@)
	$(Q)$(BPFTOOL) gen skeleton $< name $*_bpf > $@.tmp && mv $@.tmp $@


$(B)/ctl/%.o: ctl/%.c | $(SKEL)
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CTL_CFLAGS) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c $< -o $@

$(LIB): $(LIB_OBJ)
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(B)/mangle-ctl: $(CLI_OBJ) $(LIB)
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(CTL_LIBS)

# ---- tests ----

VECTOR_SRC := $(wildcard tests/program/*.c)
VECTOR_OBJ := $(VECTOR_SRC:%.c=$(B)/%.o)
UNIT_SRC := $(wildcard tests/unit/*.c)
UNIT := $(UNIT_SRC:tests/unit/test_%.c=$(B)/tests/unit-%)
# What unit tests judge: no kernel, no libbpf. Built anew under the sanitizers.
UNIT_LIB := ctl/model/escape.c ctl/model/err.c ctl/cli/suggest.c ctl/model/parse.c ctl/model/parse_tag.c ctl/model/parse_row.c ctl/model/format.c ctl/model/names.c ctl/model/service.c ctl/model/setting.c ctl/model/entity_field.c ctl/model/model.c ctl/model/check.c ctl/model/diff.c ctl/files/input.c ctl/files/table_file.c ctl/files/yaml_reader.c \
	ctl/files/config.c ctl/files/config_save.c ctl/kernel/table.c ctl/kernel/classify.c ctl/kernel/service_config.c
SAN := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer

$(VECTOR_OBJ) $(B)/tests/ctl/clsact.o: $(B)/%.o: %.c | $(SKEL)
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CTL_CFLAGS) $(CFLAGS) -MMD -MP -c $< -o $@

$(B)/tests/vectors: $(VECTOR_OBJ) $(LIB)
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) -Wl,--wrap=bpf_object__open_skeleton,--wrap=bpf_object__load_skeleton \
		-o $@ $^ $(CTL_LIBS) $(shell $(PKG_CONFIG) --libs check)

$(B)/tests/clsact: $(B)/tests/ctl/clsact.o $(LIB)
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) -o $@ $^ $(CTL_LIBS)

$(B)/tests/san/%.o: %.c
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CTL_CFLAGS) -I. -O1 -g $(SAN) -MMD -MP -c $< -o $@

# All of 2^32: optimised, and pure arithmetic that has nothing for the sanitizers.
$(B)/tests/unit-csum: tests/unit/test_csum.c xdp/csum.h
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CTL_CFLAGS) -I. -O3 -g -o $@ $< $(shell $(PKG_CONFIG) --libs check)

$(B)/tests/unit-%: $(B)/tests/san/tests/unit/test_%.o $(UNIT_LIB:%.c=$(B)/tests/san/%.o)
	$(call say,LD,$@)
	$(Q)$(CC) $(SAN) -o $@ $^ -lyaml $(shell $(PKG_CONFIG) --libs check)

# What an upgrade comes from and goes to: the same with another hash, and with another layout.
OTHER_BUILDS := $(patsubst %,$(B)/tests/%/build/mangle-ctl,rebuilt next-layout)

$(OTHER_BUILDS): $(B)/tests/%/build/mangle-ctl: tests/proof/builds.py $(B)/mangle-ctl
	$(call say,BUILD,$@)
	$(Q)$< $(B)/tests/$* >/dev/null

# The program against an oracle, which knows nothing of xdp/.
DIFF_SRC := $(wildcard tests/diff/*.c)

$(B)/tests/diff: $(DIFF_SRC) $(wildcard tests/diff/*.h ctl/*/*.h maps/*.h) $(LIB)
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CTL_CFLAGS) $(CFLAGS) -o $@ $(DIFF_SRC) $(LIB) $(CTL_LIBS)

.PHONY: unit vectors
unit: $(UNIT)
vectors: $(B)/tests/vectors

.PHONY: insns
#: make insns          instructions that this kernel's verifier processes for each program, which must stay under 600,000
insns: $(B)/tests/vectors
	$(Q)$< -i

# The generator of hostile frames.
$(B)/tests/proof/storm.bpf.o: tests/proof/storm.bpf.c tests/proof/storm.h
	$(call say,BPF,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_CFLAGS) -c $< -o $@

$(B)/tests/proof/storm.skel.h: $(B)/tests/proof/storm.bpf.o
	$(call say,SKEL,$@)
	$(Q)$(BPFTOOL) gen skeleton $< name storm > $@.tmp && mv $@.tmp $@

$(B)/tests/storm: tests/proof/storm.c tests/proof/storm.h $(B)/tests/proof/storm.skel.h
	$(call say,CC,$@)
	$(Q)$(CC) -std=gnu11 -D_GNU_SOURCE $(WARN) $(CFLAGS) -I$(B)/tests/proof -o $@ $< -lbpf

build-tests: $(B)/tests/storm

.PHONY: build-tests check run-check
build-tests: all unit vectors $(B)/tests/clsact $(B)/bench/generate $(B)/tests/diff $(OTHER_BUILDS)

#: make check       *  all tests; PART="unit net": these parts
check:
	$(call deps,build run test deb)
	$(Q)$(MAKE) --no-print-directory run-check

#: make run-check      the same without installing anything
run-check: build-tests
	$(Q)BUILD=$(B) tests/run $(PART)

# Every program that judges without an interface of its own, at once; each says one line.
QUICK := $(UNIT:$(B)/tests/%=quick-%) quick-vectors quick-diff quick-includes
.PHONY: quick $(QUICK)
#: make quick          under two minutes: unit tests, vectors, a short differential run, includes; installs nothing
quick:
	$(Q)$(MAKE) --no-print-directory --jobs="$$(nproc)" --keep-going --output-sync=target $(QUICK)

# $(call quick,COMMAND): its whole output where it fails.
quick = $(Q)mkdir -p $(B)/quick && $(1) >$(B)/quick/$@ || { cat $(B)/quick/$@; exit 1; }

$(UNIT:$(B)/tests/%=quick-%) quick-vectors: quick-%: $(B)/tests/%
	$(call quick,$<)
	$(Q)printf '  %-16s %s\n' $* "$$(tail -n 1 $(B)/quick/$@ | cut -c 1-60)"

quick-diff: $(B)/tests/diff
	$(call quick,$< --mode all --frames 200000 --seed 1)
	$(Q)printf '  %-16s %s\n' diff "$$(head -n 1 $(B)/quick/$@)"

quick-includes:
	$(Q)tests/lint-includes

#: make proof       *  the long form of what RELIABILITY.md claims, figures at the end
.PHONY: proof run-proof
proof:
	$(call deps,build run test)
	$(Q)$(MAKE) --no-print-directory run-proof

run-proof: build-tests
	$(Q)BUILD=$(B) tests/proof/run $(PROOFS)

# Coverage-guided fuzzing: a target is a file of tests/fuzz/ that has LLVMFuzzerTestOneInput.
FUZZ_TARGETS := parse table config capture packet tc
FUZZ := $(FUZZ_TARGETS:%=$(B)/tests/fuzz-%)
FUZZ_OBJ := $(addprefix $(B)/fuzz/,$(UNIT_LIB:%.c=%.o) ctl/files/capture.o ctl/files/pcapng.o tests/fuzz/files.o tests/fuzz/services.o)
# The programs read packets where words lie across their boundaries, as BPF may.
$(addprefix $(B)/fuzz/tests/fuzz/,packet.o tc.o): FUZZ_CFLAGS = -Itests/fuzz/host \
	-fno-sanitize=alignment -Wno-unknown-attributes

$(B)/fuzz/%.o: %.c
	$(call say,FUZZ,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(CTL_CFLAGS) -O1 -g $(SAN) -fsanitize=fuzzer-no-link $(FUZZ_CFLAGS) -MMD -MP -c $< -o $@

$(FUZZ): $(B)/tests/fuzz-%: $(B)/fuzz/tests/fuzz/%.o $(FUZZ_OBJ)
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(SAN) -fsanitize=fuzzer -Wl,--wrap=fopen -o $@ $^ -lyaml -lpcap

REPLAY := $(B)/tests/replay-packet $(B)/tests/replay-tc
build-tests: $(FUZZ) $(REPLAY)

# The programs again without a fuzzer: known inputs, and what was recorded of them.
REPLAY_OBJ := $(addprefix $(B)/replay/,$(UNIT_LIB:%.c=%.o) $(addprefix tests/fuzz/,replay.o services.o files.o))
$(addprefix $(B)/replay/tests/fuzz/,packet.o tc.o): REPLAY_CFLAGS = -Itests/fuzz/host \
	-Wno-unknown-attributes

$(B)/replay/%.o: %.c
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(CTL_CFLAGS) -O0 $(REPLAY_CFLAGS) -MMD -MP -c $< -o $@

$(REPLAY): $(B)/tests/replay-%: $(B)/replay/tests/fuzz/%.o $(REPLAY_OBJ)
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) -Wl,--wrap=fopen -o $@ $^ -lyaml

# After a change of what the programs do: git diff says what has become different.
.PHONY: record
record: $(REPLAY)
	$(Q)for target in packet tc; do \
		$(B)/tests/replay-$$target tests/fuzz/corpus/$$target > tests/fuzz/$$target.transcript || exit; \
	done

.PHONY: fuzz run-fuzz
#: make fuzz        *  parsers and packet path under a fuzzer, a minute each; FUZZ_SECONDS=600, TARGET="config packet"
fuzz:
	$(call deps,build run test)
	$(Q)$(MAKE) --no-print-directory run-fuzz

run-fuzz: $(FUZZ)
	$(Q)BUILD=$(B) tests/fuzz/run $(or $(TARGET),$(FUZZ_TARGETS))

#: make mutate      *  do tests notice a wrong check in the programs? SUITE=tc, LIVE=1, SAMPLE=40, JOBS=1, ONLY="xdp/tag.h"
.PHONY: mutate run-mutate
mutate:
	$(call deps,build run test)
	$(Q)$(MAKE) --no-print-directory run-mutate

run-mutate: vectors
	$(Q)BUILD=$(B) tests/mutate/mutate $(addprefix --suite ,$(SUITE)) $(addprefix --sample ,$(SAMPLE)) \
		$(addprefix --jobs ,$(JOBS)) $(if $(LIVE),--live) $(ONLY)

.PHONY: demo run-demo
#: make demo        *  one source, one port, many entities: in namespaces of its own, gone again afterwards
demo:
	$(call deps,build run demo)
	$(Q)$(MAKE) --no-print-directory run-demo

run-demo: all
	$(Q)MANGLE_CTL=$(B)/mangle-ctl tests/demo/demo

.PHONY: vm vm-smoke fresh
# What the program and mangle-ctl do, and a whole Debian from package to boot.
#: make vm          *  under Debian's kernels, in emulated machines; VM="bookworm system": guests with such a word in their name
vm:
	$(call deps,build run test deb vm)
	$(Q)$(MAKE) --no-print-directory all vectors $(OTHER_BUILDS) deb
	$(Q)BUILD=$(B) tests/vm/run $(VM)

#: make vm-smoke    *  the part of it without systemd
vm-smoke:
	$(call deps,build run test vm)
	$(Q)$(MAKE) --no-print-directory all vectors $(OTHER_BUILDS)
	$(Q)BUILD=$(B) tests/vm/run $(or $(VM),amd64-bare)

#: make fresh       *  what README says, in a bare Debian of its own
fresh:
	$(call deps,fresh)
	$(Q)tests/fresh/fresh

# ---- bench ----

BENCH_SKEL := $(addprefix $(B)/bench/,draw.skel.h reference.skel.h tc.skel.h)
BENCH_GENERATOR := $(addprefix bench/,generator.c frame.c report.c)
BENCH_SECTIONS := $(addprefix bench/,bench.c quick.c paths.c tables.c wires.c cpus.c setup.c lab.c rounds.c \
	peers.c relay.c) $(BENCH_GENERATOR)
BENCH_CC = $(CC) -std=gnu11 -D_GNU_SOURCE $(WARN) $(CFLAGS) -I$(B)/bench -Ibench

$(B)/bench/%.bpf.o: bench/%.bpf.c
	$(call say,BPF,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_CFLAGS) -Ibench -MMD -MP -c $< -o $@

$(B)/bench/%.skel.h: $(B)/bench/%.bpf.o
	$(call say,SKEL,$@)
	$(Q)$(BPFTOOL) gen skeleton $< name $* > $@.tmp && mv $@.tmp $@

$(B)/bench/bench: $(BENCH_SECTIONS) $(wildcard bench/*.h) $(BENCH_SKEL)
	$(call say,CC,$@)
	$(Q)$(BENCH_CC) -o $@ $(BENCH_SECTIONS) -lbpf -lm

$(B)/bench/generate: bench/generate.c $(BENCH_GENERATOR) $(wildcard bench/*.h) $(BENCH_SKEL)
	$(call say,CC,$@)
	$(Q)$(BENCH_CC) -o $@ bench/generate.c $(BENCH_GENERATOR) -lbpf -lm

.PHONY: bench-quick run-bench-quick
#: make bench-quick *  the cost of a packet
bench-quick:
	$(call deps,build run test)
	$(Q)$(MAKE) --no-print-directory run-bench-quick

run-bench-quick: all $(B)/bench/bench
	$(Q)MANGLE_CTL=$(B)/mangle-ctl $(B)/bench/bench quick

# What the sections in Python run.
BENCH_TOOLS := $(addprefix $(B)/bench/,pingpong stream connections noop.bpf.o)

$(B)/bench/pingpong $(B)/bench/stream $(B)/bench/connections: $(B)/bench/%: bench/%.c bench/station.c bench/station.h bench/frame.h
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) -std=gnu11 -D_GNU_SOURCE $(WARN) $(CFLAGS) -Ibench -o $@ $< bench/station.c

.PHONY: bench run-bench
#: make bench       *  all of BENCHMARKS.md; SECTIONS="paths latency", KEEP=NAME keeps the figures as bench/results/NAME.json
bench:
	$(call deps,build run bench)
	$(Q)$(MAKE) --no-print-directory run-bench

run-bench: all $(B)/bench/bench $(BENCH_TOOLS)
	$(Q)BUILD=$(B) MANGLE_CTL=$(B)/mangle-ctl bench/run $(addprefix --keep ,$(KEEP)) $(SECTIONS)

# ---- lint ----

C_FILES := $(wildcard ctl/*/*.[ch] maps/*.h xdp/*.[ch] bench/*.[ch] tests/*/*.[ch])
SHELL_FILES := $(shell grep -lsE '^\#!.*(bash|bin/sh)' .ci/* deploy/* deploy/*/* tools/* tests/* tests/*/* bench/* 2>/dev/null | grep -v "\.md$$" | sort -u)

PYTHON_FILES := $(wildcard bench/*.py tests/*/*.py tests/*/*/*.py) \
	$(shell grep -lsE '^\#!.*python3' bench/* tests/* tests/*/* tools/* 2>/dev/null | grep -v '\.py$$')

.PHONY: lint run-lint
#: make lint        *  formatting, includes, static analysis, whether manual, completion and --help agree
lint:
	$(call deps,build run test)
	$(Q)$(MAKE) --no-print-directory run-lint

# What `make lint` compares with.
#: make format         brings C into the form of .clang-format
.PHONY: format
format:
	$(Q)clang-format -i $(C_FILES)

run-lint: all
	$(call say,LINT,format)
	$(Q)clang-format --dry-run -Werror $(C_FILES)
	$(call say,LINT,includes)
	$(Q)tests/lint-includes $(LIB)
	$(call say,LINT,shellcheck)
	$(Q)shellcheck $(SHELL_FILES)
	$(call say,LINT,python)
	$(Q)flake8 $(PYTHON_FILES)
	$(call say,LINT,mutants)
	$(Q)for suite in xdp tc; do tests/mutate/mutate --suite $$suite --list > /dev/null || exit; done
	$(call say,LINT,docs)
	$(Q)mandoc -Tlint -Wwarning deploy/*.[58]
	$(Q)tools/check-docs
	$(Q)tools/results --check
	$(call say,LINT,cppcheck)
	$(Q)cppcheck --quiet --std=c11 --enable=warning,performance,portability --inline-suppr \
		--suppress=missingIncludeSystem --suppress=ctuuninitvar --error-exitcode=1 \
		-D_GNU_SOURCE -DMANGLE_VERSION='""' \
		'-DLIBBPF_OPTS(type, name, ...)=struct type name = {0}' \
		'-DDECLARE_LIBXDP_OPTS(type, name, ...)=struct type name = {0}' ctl tests/program tests/diff
	$(call say,LINT,clang-tidy)
	$(Q)clang-tidy --quiet $(wildcard ctl/*/*.c) -- $(CTL_CFLAGS) 2>/dev/null

# ---- install ----

SBINDIR = $(PREFIX)/sbin
LIBEXECDIR = $(PREFIX)/libexec
MANDIR = $(PREFIX)/share/man
UNITDIR ?= /lib/systemd/system
# Where zsh looks for what comes with Debian's packages, and for what does not.
ZSHDIR ?= $(PREFIX)/share/zsh/$(if $(filter /usr,$(PREFIX)),vendor-completions,site-functions)
FISHDIR ?= $(PREFIX)/share/fish/vendor_completions.d
INSTALL_STRIP ?= -s

# What it puts there but for /etc/mangle, with directories of its own.
INSTALLED = $(SBINDIR)/mangle-ctl $(LIBEXECDIR)/mangle $(MANDIR)/man8/mangle-ctl.8 $(MAN_ALIASES:%=$(MANDIR)/man8/%) \
	$(MANDIR)/man5/mangle.yaml.5 $(UNITDIR)/mangle@.service $(PREFIX)/share/bash-completion/completions/mangle-ctl \
	$(ZSHDIR)/_mangle-ctl $(FISHDIR)/mangle-ctl.fish
# `man mangle`, and what somebody types who has seen the unit.
MAN_ALIASES := mangle.8 mangle@.8 mangle@.service.8

.PHONY: install uninstall
#: make install        on this host, under PREFIX=/usr; DESTDIR=
install: all
	install -d $(DESTDIR)$(SBINDIR) $(DESTDIR)$(LIBEXECDIR)/mangle $(DESTDIR)/etc/mangle \
		$(DESTDIR)$(MANDIR)/man8 $(DESTDIR)$(MANDIR)/man5 $(DESTDIR)$(UNITDIR) \
		$(DESTDIR)$(PREFIX)/share/bash-completion/completions $(DESTDIR)$(ZSHDIR) $(DESTDIR)$(FISHDIR)
	install -m 755 $(INSTALL_STRIP) $(B)/mangle-ctl $(DESTDIR)$(SBINDIR)/mangle-ctl
	install -m 755 deploy/unit $(DESTDIR)$(LIBEXECDIR)/mangle/unit
	# A configuration that is there is the administrator's.
	for file in mangle.yaml unit.conf; do test -e $(DESTDIR)/etc/mangle/$$file || \
		install -m 644 deploy/$$file $(DESTDIR)/etc/mangle/$$file || exit; done
	install -m 644 deploy/mangle-ctl.8 $(DESTDIR)$(MANDIR)/man8/mangle-ctl.8
	for alias in $(MAN_ALIASES); do ln -sf mangle-ctl.8 $(DESTDIR)$(MANDIR)/man8/$$alias || exit; done
	install -m 644 deploy/mangle.yaml.5 $(DESTDIR)$(MANDIR)/man5/mangle.yaml.5
	sed 's|@SBINDIR@|$(SBINDIR)|g; s|@LIBEXECDIR@|$(LIBEXECDIR)|g' deploy/mangle@.service \
		> $(DESTDIR)$(UNITDIR)/mangle@.service
	install -m 644 deploy/mangle-ctl.bash-completion \
		$(DESTDIR)$(PREFIX)/share/bash-completion/completions/mangle-ctl
	install -m 644 deploy/_mangle-ctl $(DESTDIR)$(ZSHDIR)/_mangle-ctl
	install -m 644 deploy/mangle-ctl.fish $(DESTDIR)$(FISHDIR)/mangle-ctl.fish

#: make uninstall      removes that again, but for /etc/mangle where it was edited, and what is attached
uninstall:
	$(Q)for file in mangle.yaml unit.conf; do \
		kept=$(DESTDIR)/etc/mangle/$$file; \
		if cmp -s deploy/$$file $$kept; then rm $$kept; elif [ -e $$kept ]; then echo "kept: $$kept (edited)"; fi; done
	$(Q)rm -rf $(addprefix $(DESTDIR),$(INSTALLED))
	$(Q)! rmdir $(DESTDIR)/etc/mangle 2>/dev/null || true
	$(Q)[ -n "$(DESTDIR)" ] || [ ! -e /sys/fs/bpf/mangle ] || \
		echo "tables and programs stay until a reboot (build/mangle-ctl detach --all --purge)"

#: make deb         *  a Debian package in build/deb/; ARCH=arm64: by cross building
.PHONY: deb
deb:
	$(call deps,build deb $(if $(ARCH),fresh))
	$(Q)BUILD=$(B) tools/deb $(ARCH)

.PHONY: clean
#: make clean          removes build/
clean:
	$(Q)rm -rf $(B)

-include $(shell find $(B) -path $(B)/deb -prune -o -name '*.d' -type f -print 2>/dev/null)

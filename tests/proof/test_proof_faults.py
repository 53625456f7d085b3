"""Faults in the control tool: killed at, or refused, one system call after the other.

Afterwards the data path is in the old state or in the new one, and the same command reaches its goal.
A sample of them in the short form. In the long one all that change something outside, killed and with every
error; and the others, killed and with one error in turn, but for what the loader and the libraries' constructors
call before main (one in ten, and no errors: the loader has lines of its own) and reads in the midst of hundreds in
which libbpf takes in the kernel's types (one in forty). Where a command has thousands of calls, one in two of
these, and one in twelve with TCP connections and replies. MANGLE_EVERY=1: all of these, and with every error.
"""

import collections
import os

import faults
import pytest
from mangletest import netns, proof

LANES = 2
EVERY = bool(os.environ.get("MANGLE_EVERY"))


def one_in(command):
    """Of the calls that change nothing outside."""
    if proof.LONG:
        return 1 if EVERY else (1, 2, 12)[command.dear]
    return 15 * (1 + command.dear)


@pytest.fixture
def labs(machine):
    """For every lane a pair of namespaces."""
    del machine
    from conftest import PREFIX
    made = []
    try:
        for lane in range(LANES):
            lab = netns.Lab(f"{PREFIX}f{lane}-")
            made.append(lab)
            lab.join(lab.ns("a"), "veth0", lab.ns("b"), "veth1", 1)
        yield made
    finally:
        for lab in made:
            lab.close()


def kills(command, calls):
    """At which calls it is killed. All that change something outside, in the short form one in two of
    the dearest; of the others (long form, short form) all or few."""
    turn = 0
    for i, call in enumerate(calls):
        if call.changes:
            turn += 1
            if proof.LONG or command.dear < 2 or turn % 2:
                yield "killed", call
        elif i % (one_in(command) * (10 if call.early else 40 if call.dull else 1)) == 0:
            yield "killed", call


def errors(command, calls):
    """Which calls are refused, and with what: each with every error or with one of them in turn."""
    turn = 0
    for i, call in enumerate(calls):
        if call.early or call.name in ("exit_group", "brk"):  # brk says so in another way
            continue
        if call.changes:
            step = proof.size(1 + command.dear, 1)
        else:
            step = one_in(command) * (100 if call.dull else 1)
        turn += 1
        if (turn if call.changes else i) % step:
            continue
        every = proof.LONG and (call.changes or EVERY)
        for error in faults.ERRORS if every else [faults.ERRORS[turn % 4]]:
            yield "refused", call, error


@pytest.mark.parametrize("command", faults.COMMANDS, ids=lambda command: command.name)
def test_faults(labs, tmp_path, command):
    def lane(number, lab):
        folder = tmp_path / str(number)
        folder.mkdir()
        trial = faults.Trial(command, faults.Way(lab, folder))
        cases = [*kills(command, trial.calls), *errors(command, trial.calls)]
        for what, *args in cases[number::LANES]:
            getattr(trial, what)(*args)
            if len(trial.failures) > 20:
                break
        return {"calls": len(trial.calls), "counts": trial.counts, "failures": trial.failures, "after": trial.after}

    answers = faults.in_lanes(labs, lane)
    failures = [line for a in answers for line in a["failures"]]
    assert not failures, f"{len(failures)} failures:\n" + "\n".join(failures)
    counts = sum((collections.Counter(a["counts"]) for a in answers), collections.Counter())
    print(*(line for a in answers for line in a["after"]), sep="\n")  # failed, where it was done already
    proof.figure(f"{command.name}: killed at, or refused, one of {answers[0]['calls']} system calls",
                 ", ".join(f"{what} {n}" for what, n in sorted(counts.items())))


@pytest.mark.parametrize("command", [c for c in faults.COMMANDS if c.name.startswith("detach")],
                         ids=lambda command: command.name)
def test_links_that_the_kernel_keeps(labs, tmp_path, command):
    """Only their pins could be removed, and some worker would take them off later: that is said, nothing is taken for
    detached, and what belongs together stays together."""
    def lane(number, lab):
        folder = tmp_path / str(number)
        folder.mkdir()
        trial = faults.Trial(command, faults.Way(lab, folder))
        calls = [call for call in trial.calls if "BPF_LINK_DETACH" in str(call)]
        for call in calls[number::LANES]:
            trial.refused(call, "ENOSPC")
        return {"calls": len(calls), "said": trial.counts.get("said so", 0), "failures": trial.failures}

    answers = faults.in_lanes(labs, lane)
    assert not sum((a["failures"] for a in answers), [])
    assert sum(a["said"] for a in answers) == answers[0]["calls"] > 0, answers


def test_requests_that_are_not_sent(labs, tmp_path):
    """Nobody waits for an answer to what the kernel has not been asked by netlink."""
    def lane(number, lab):
        folder = tmp_path / str(number)
        folder.mkdir()
        trial = faults.Trial(next(c for c in faults.COMMANDS if c.name == "attach"), faults.Way(lab, folder))
        calls = [call for call in trial.calls if call.name == "sendmsg"]
        for call in calls[number::LANES]:
            trial.refused(call, "ENOMEM")
        return {"calls": len(calls), "failures": trial.failures}

    answers = faults.in_lanes(labs, lane)
    assert not sum((a["failures"] for a in answers), [])
    assert answers[0]["calls"] > 5, answers


# --- guards -----------------------------------------------------------------------------------------

def looks(calls, dear):
    """At which calls a guard is made blind, and how: all in the long form, each with one error in turn; in the short
    form a sample, of those that look somewhere rather than of the others."""
    turn = 0
    for i, call in enumerate(calls):
        if call.early or call.name in ("exit_group", "brk", "munmap", "close"):
            continue
        if not proof.LONG and i % ((2 if faults.LOOKING.match(call.text) and not call.dull else 30) * dear):
            continue
        turn += 1
        for error in faults.ERRORS if EVERY else [faults.ERRORS[turn % 4]]:
            yield call, error


def in_two_lanes(labs, tmp_path, work):
    """work(guard) gives the cases, each a function; a lane takes every other one."""
    def lane(number, lab):
        folder = tmp_path / str(number)
        folder.mkdir()
        guard = faults.Guard(faults.Way(lab, folder))
        cases = work(guard)
        for case in cases[number::LANES]:
            case()
            if len(guard.failures) > 20:
                break
        return {"cases": len(cases), "counts": guard.counts, "failures": guard.failures}

    answers = faults.in_lanes(labs, lane)
    failures = [line for a in answers for line in a["failures"]]
    assert not failures, f"{len(failures)} failures:\n" + "\n".join(failures)
    return answers[0]["cases"], sum((collections.Counter(a["counts"]) for a in answers), collections.Counter())


@pytest.mark.parametrize("command", faults.GUARDED, ids=lambda command: command.name)
def test_guards(labs, tmp_path, command):
    """What is refused without a fault, since it would cut off a connection, is not done with one."""
    def work(guard):
        return [lambda call=call, error=error: guard.refused(command, call, error)
                for call, error in looks(guard.calls(command), 1)]

    cases, counts = in_two_lanes(labs, tmp_path, work)
    assert counts["cannot tell"], counts
    proof.figure(f"{command.name}, refused by a guard: one of its system calls fails, {cases} of them; never done",
                 ", ".join(f"{what} {n}" for what, n in sorted(counts.items())))


def test_guard_of_entries(labs, tmp_path):
    """Attaching removes entries of connections that are over, and never one of a connection that lives."""
    def work(guard):
        argv, calls = guard.again()
        return [lambda call=call, error=error: guard.attached(argv, call, error) for call, error in looks(calls, 5)]

    cases, counts = in_two_lanes(labs, tmp_path, work)
    proof.figure(f"attach while connections live on: one of its system calls fails, {cases} of them; all live on",
                 ", ".join(f"{what} {n}" for what, n in sorted(counts.items())))

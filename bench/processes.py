"""Memory and processor time of a stack: the supervisor and everything below it."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Callable

import psutil

from tests.support.stack import StackUnderTest

MB = 1e6


def memory_mb(stack: StackUnderTest) -> dict[str, float]:
    """Memory by part in MB (10^6 bytes): PSS, which shares shared pages out; USS where there is no PSS."""
    return _by_part(stack, _resident_mb)


def cpu_s(stack: StackUnderTest) -> dict[str, float]:
    """Processor seconds so far by part, those of ended and reaped processes included."""
    return _by_part(stack, _cpu_s)


def memory_alone_mb(stack: StackUnderTest) -> float | None:
    """What PSS would add up to if no process outside the stack shared a page with it, in MB; None without smaps.

    PSS charges a library's page to everybody who maps it, also to strangers such as another stack. Here each file's
    shared pages count once, as many as the process holds that has most of them, and what is private counts in full.
    """
    private, shared = 0, defaultdict[str, int](int)
    supervisor = psutil.Process(stack.pid)
    for process in (supervisor, *supervisor.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            if not hasattr(process, "memory_maps"):
                return None
            for mapped in process.memory_maps():
                private += mapped.private_clean + mapped.private_dirty
                shared[mapped.path] = max(shared[mapped.path], mapped.shared_clean + mapped.shared_dirty)
    return (private + sum(shared.values())) / MB


def _by_part(stack: StackUnderTest, measure: Callable[[psutil.Process], float]) -> dict[str, float]:
    parts = {pid: name for name, pid in stack.children().items()}
    supervisor = psutil.Process(stack.pid)
    found = {"supervisor": measure(supervisor)}
    for child in supervisor.children():
        name = parts.get(child.pid, "supervisor")
        found.setdefault(name, 0.0)
        for process in (child, *child.children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess):
                found[name] += measure(process)
    return found


def _resident_mb(process: psutil.Process) -> float:
    info = process.memory_full_info()
    return float(getattr(info, "pss", info.uss)) / MB


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system + times.children_user + times.children_system)

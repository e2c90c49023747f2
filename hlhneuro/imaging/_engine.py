"""SimpleITK, kept to one thread while an engine runs: its sums depend on how the work is split."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

import SimpleITK

__all__ = ["one_thread", "sitk"]

sitk: Any = SimpleITK  # the package carries no types

_LOCK = threading.Lock()
_running = [0, 0]  # engines at work, and the number of threads that was set before the first of them


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Let ITK use one thread; what was set before is put back after the last engine has finished."""
    with _LOCK:
        if _running[0] == 0:
            _running[1] = sitk.ProcessObject.GetGlobalDefaultNumberOfThreads()
            sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
        _running[0] += 1
    try:
        yield
    finally:
        with _LOCK:
            _running[0] -= 1
            if _running[0] == 0:
                sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(_running[1])

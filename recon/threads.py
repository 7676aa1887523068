"""Threads that know where they come from: what they log carries the cycle and shard of who started them."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from typing import ParamSpec, TypeVar

_Result = TypeVar("_Result")
_Given = ParamSpec("_Given")


class Threads(ThreadPoolExecutor):
    """A pool whose calls run in the context of the thread that submits them."""

    def submit(
        self, fn: Callable[_Given, _Result], /, *args: _Given.args, **kwargs: _Given.kwargs
    ) -> Future[_Result]:
        """Have ``fn`` called in a thread of the pool."""
        return super().submit(partial(copy_context().run, fn, *args, **kwargs))

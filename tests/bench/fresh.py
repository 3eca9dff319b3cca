"""Work in a process of its own, so that nothing that an earlier measurement has remembered makes it faster."""

import gc
import multiprocessing
from collections.abc import Callable
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Generic, Self, TypeVar

A = TypeVar("A")
T = TypeVar("T")


def settle() -> None:
    """Call it once all that the work needs is loaded: collections that are due while it runs are then of what the work makes."""
    gc.collect()
    gc.freeze()


class Fresh(Generic[A, T]):
    """A context: inside it, a copy of this process answers for *work*. What goes to and fro must pickle, *work* need not.

    The copy is made by fork: modules are imported and rules are loaded, but every cache is as empty as it is here.
    """

    def __init__(self, work: Callable[[A], T]) -> None:
        self._work = work

    def __enter__(self) -> Self:
        context = multiprocessing.get_context("fork")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(self._work, theirs, self._pipe), daemon=True)
        self._process.start()
        theirs.close()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pipe.close()
        self._process.join()

    def ask(self, argument: A) -> T:
        """What *work* answers to *argument*, with all that it remembers of earlier ones; RuntimeError where it fails."""
        self._pipe.send(argument)
        try:
            answer: T = self._pipe.recv()
        except EOFError:
            raise RuntimeError("the measured process failed; what it said stands above") from None
        return answer


def in_fresh_process(work: Callable[[], T]) -> T:
    """What *work* answers in a copy of this process."""

    def once(_: None) -> T:
        return work()

    with Fresh(once) as fresh:
        return fresh.ask(None)


def _serve(work: Callable[[A], T], pipe: Connection, ours: Connection) -> None:
    # The parent's end came along; as long as it is open here, its closing goes unseen.
    ours.close()
    # Writes to what was loaded, now: a page of memory that is shared since the fork is copied at the first write.
    gc.unfreeze()
    gc.collect()
    gc.freeze()
    while True:
        try:
            argument = pipe.recv()
        except EOFError:
            return
        pipe.send(work(argument))

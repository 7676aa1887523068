"""Keeps a daemon's processes running: each is started again after it died, later each time it dies soon."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from workers.child import Child, spawned

#: Seconds before a process that died is started again, doubled with each death in a row, up to the longest.
FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 60.0
#: A process that ran this long has not died in a row.
SETTLED_S = 60.0


@dataclass(frozen=True, slots=True)
class Role:
    """What one process is for: its name, the words that start it, and how long it may take to stop."""

    name: str
    words: tuple[str, ...]
    stop_s: float


@dataclass(slots=True)
class _Post:
    role: Role
    child: Child | None = None
    began_at: float = 0.0
    deaths: int = 0
    due_at: float = 0.0


@dataclass(slots=True)
class Supervisor:
    """The processes of ``roles``, in the order to start them; they are stopped in that of ``stop``."""

    roles: Sequence[Role]
    environment: Mapping[str, str]
    say: Callable[[str], None]
    born: Callable[[Sequence[str], Mapping[str, str]], Child] = spawned
    _posts: list[_Post] = field(init=False)

    def __post_init__(self) -> None:
        """Nothing runs yet."""
        self._posts = [_Post(role) for role in self.roles]

    def start(self) -> None:
        """Start what does not run."""
        for post in self._posts:
            if post.child is None:
                self._start(post)

    def look(self) -> tuple[str, ...]:
        """Bury what died, and start again what is due; return the names of what was started again."""
        now_s, begun = time.monotonic(), []
        for post in self._posts:
            if post.child is not None and post.child.exit_code is not None:
                self._note_death(post, now_s)
            if post.child is None and now_s >= post.due_at:
                self._start(post)
                begun.append(post.role.name)
        return tuple(begun)

    def stop(self, order: Sequence[str], within_s: float) -> None:
        """Stop all, named ones first and one after the other; what takes longer is killed."""
        give_up_at = time.monotonic() + within_s
        named = [post for name in order for post in self._posts if post.role.name == name]
        rest = [post for post in self._posts if post not in named]
        for group in (*([post] for post in named), rest):
            self._stop(group, give_up_at)

    def kill(self) -> None:
        """End all at once."""
        for post in self._posts:
            if post.child is not None:
                post.child.bury()
                post.child = None

    def pids(self) -> dict[str, int]:
        """Return the process ids of what runs, by role."""
        return {post.role.name: post.child.pid for post in self._posts if post.child is not None}

    def _start(self, post: _Post) -> None:
        post.child = self.born(post.role.words, self.environment)
        post.began_at = time.monotonic()
        self.say(f"{post.role.name} started (process {post.child.pid})")

    def _note_death(self, post: _Post, now_s: float) -> None:
        child = post.child
        if child is None:
            return
        post.deaths = 1 if now_s - post.began_at > SETTLED_S else post.deaths + 1
        wait_s = min(FIRST_WAIT_S * 2 ** (post.deaths - 1), LONGEST_WAIT_S)
        post.due_at = now_s + wait_s
        self.say(f"{post.role.name} ended ({_ending(child.exit_code)}); it is started again in {wait_s:g} s")
        child.bury()
        post.child = None

    @staticmethod
    def _stop(posts: Sequence[_Post], give_up_at: float) -> None:
        running = [(post, post.child) for post in posts if post.child is not None]
        for _, child in running:
            child.terminate()
        for post, child in running:
            child.await_end(min(post.role.stop_s, give_up_at - time.monotonic()))
            child.bury()
            post.child = None


def _ending(exit_code: int | None) -> str:
    return f"signal {-exit_code}" if exit_code is not None and exit_code < 0 else f"exit code {exit_code}"

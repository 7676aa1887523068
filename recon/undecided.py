"""Which outstanding tasks a cycle may not judge: keys of theirs are unknown, held, or claimed since."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import numpy as np
from pyroaring import BitMap

from recon.comparison import Comparison
from recon.core.block import ordinals_of
from recon.core.domain import Domain
from recon.core.task_body import TaskBody, read_body
from recon.model import Kind, OutstandingTask, TaskState, Verdict

_NONE = BitMap()


class Undecided:
    """Answers for the tasks that are outstanding now, over one cycle's findings."""

    def __init__(self, found: Comparison, outstanding: Sequence[OutstandingTask]) -> None:
        self._found = found
        as_of = found.judged.plan.as_of
        #: Tasks that a consumer has, or had after the observation: what it filled since cannot show there.
        self._out = {task.id for task in outstanding if _is_out(task, as_of)}
        self._claimed = {
            task.id for task in outstanding if task.state is TaskState.CLAIMED and _is_out(task, as_of)
        }
        keys = _keys_of(outstanding)
        for numbering in found.numberings.values():
            dataset = numbering.domain.dataset
            numbering.learn(keys.get((dataset.source, dataset.data_type), ()))

    def held(self, number: int) -> BitMap:
        """Return the ordinals of a domain's gaps that are held: by the brake, or until seen live."""
        return self._found.held(number)

    def is_held(self, source: str, data_type: str, partition: Mapping[str, str]) -> bool:
        """Tell whether a partition of a counted domain is not acted upon."""
        return any(
            self._lies_in(domain, self.held(number), partition)
            for number, domain in self._own(source, data_type)
        )

    def __call__(self, body: TaskBody) -> bool:
        """Tell whether a task's keys (or its partition, without keys) include one that is not decided."""
        if body.id in self._claimed or self._found.brake.decision.holds((body.source, body.data_type)):
            return True
        own = self._own(body.source, body.data_type)
        if not own:
            skipped = self._found.judged.skipped
            return (body.source, body.data_type) in {
                (item.dataset.source, item.dataset.data_type) for item in skipped
            }
        if body.keys:
            return any(self._holds_open(number, body) for number, _ in own)
        return any(self._is_open(number, domain, body) for number, domain in own)

    def _own(self, source: str, data_type: str) -> list[tuple[int, Domain]]:
        return [
            (number, domain)
            for number, domain in enumerate(self._found.judged.domains)
            if (domain.dataset.source, domain.dataset.data_type) == (source, data_type)
        ]

    def _waits(self, number: int, body: TaskBody) -> BitMap:
        """Return the ordinals of gaps that must be seen live before a task of theirs is judged."""
        if body.id in self._out:
            return self._found.unconfirmed.get(number, _NONE)
        return self.held(number)

    def _holds_open(self, number: int, body: TaskBody) -> bool:
        if number not in self._found.verdicts:
            return False
        undecided = self._found.verdicts[number][Verdict.UNKNOWN] | self._waits(number, body)
        if not undecided:
            return False
        ordinals = self._found.numberings[number].of(body.keys)
        return any(ordinal in undecided for ordinal in ordinals[ordinals >= 0])

    def _is_open(self, number: int, domain: Domain, body: TaskBody) -> bool:
        if number not in self._found.counted:
            return False
        seen = self._found.counted[number].observed
        labels = [dict(label) for label in domain.partitions.labels]
        partition = dict(body.partition)
        if partition in labels and not seen[labels.index(partition)]:
            return True
        return self._lies_in(domain, self._waits(number, body), partition)

    @staticmethod
    def _lies_in(domain: Domain, ordinals: BitMap, partition: Mapping[str, str]) -> bool:
        if not ordinals or domain.kind is Kind.EXACT:
            return False
        numbers = np.unique(domain.partition(ordinals_of(ordinals)))
        return any(dict(domain.partitions.labels[place]) == dict(partition) for place in numbers.tolist())


def _keys_of(outstanding: Iterable[OutstandingTask]) -> dict[tuple[str, str], list[str]]:
    """Return the keys that are out, by source and data type."""
    keys: dict[tuple[str, str], list[str]] = defaultdict(list)
    for body in map(read_body, outstanding):
        if body is not None:
            keys[body.source, body.data_type] += body.keys
    return keys


def _is_out(task: OutstandingTask, as_of: datetime) -> bool:
    if task.state is TaskState.CLAIMED:
        return task.at is None or task.at >= as_of
    return not task.is_ours

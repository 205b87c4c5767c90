"""Dead letters: items that were given up because they kept killing their worker, to be looked at and retried."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from workers.errors import DeadLetterUnknownError, JobExpiredError, JobUnknownError
from workers.job_reader import JobReader
from workers.messages import ItemView, JobView, State
from workers.recorder import Recorder
from workers.redis_client import PREFIX, RedisClient, translated_errors
from workers.repairs import Repairs, RetryAnswer

_RETRIED_AT_ONCE: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """An item that was given up, with the job it belongs to."""

    id: str
    given_up_ms: int  # Unix time, milliseconds
    job: JobView
    item: ItemView


class DeadLetters:
    """What lies in the dead-letter list. Every method raises `QueueUnavailableError` when Redis is away."""

    def __init__(self, client: RedisClient, *, reader: JobReader, repairs: Repairs, recorder: Recorder) -> None:
        self._client = client
        self._reader = reader
        self._repairs = repairs
        self._recorder = recorder

    def count(self) -> int:
        """How many there are."""
        with translated_errors():
            return self._client.zcard(f"{PREFIX}dead")

    def ids(self) -> list[str]:
        """All of them, oldest first, as `JOB:INDEX`."""
        with translated_errors():
            return self._client.zrange(f"{PREFIX}dead", 0, -1)

    def oldest(self, count: int) -> list[DeadLetter]:
        """The first `count` of them, oldest first."""
        with translated_errors():
            ids = self._client.zrange(f"{PREFIX}dead", 0, count - 1)
        return [letter for identity in ids if (letter := self._find(identity)) is not None]

    def letter(self, identity: str) -> DeadLetter:
        """One of them. Raises `DeadLetterUnknownError`."""
        letter = self._find(identity)
        if letter is None:
            raise DeadLetterUnknownError(identity)
        return letter

    def retry(self, ids: Sequence[str]) -> dict[str, RetryAnswer]:
        """Put items back with fresh losses; their jobs are open again. By id what came of it."""
        answers: dict[str, RetryAnswer] = {}
        for start in range(0, len(ids), _RETRIED_AT_ONCE):
            some = ids[start : start + _RETRIED_AT_ONCE]
            answers.update(zip(some, self._repairs.retry([(identity, "") for identity in some]), strict=True))
        retried: dict[str, list[int]] = {}
        for identity, answer in answers.items():
            if answer is RetryAnswer.RETRIED:
                job_id, _, index = identity.rpartition(":")
                retried.setdefault(job_id, []).append(int(index))
        # What lies in the object store calls these jobs ended: after a loss of Redis they would stay so.
        for job_id, indices in retried.items():
            self._recorder.record_reopened(job_id, indices)
        return answers

    def _find(self, identity: str) -> DeadLetter | None:
        job_id, _, index = identity.rpartition(":")
        with translated_errors():
            given_up_ms = self._client.zscore(f"{PREFIX}dead", identity)
        if given_up_ms is None:
            return None
        try:
            job, item = self._reader.job(job_id), self._reader.item(job_id, int(index))
        except (JobExpiredError, JobUnknownError):
            return None  # removed in the meantime
        if item.state is not State.FAILED:
            return None  # put back in the meantime
        return DeadLetter(id=identity, given_up_ms=int(given_up_ms), job=job, item=item)

"""Errors of the queue's side. Each says what was wrong and what would have been right; edges map them to an answer."""


class ServiceError(Exception):
    """Base of what the queue, the store and the workers raise."""


class QueueUnavailableError(ServiceError):
    """Redis does not answer. Nothing was accepted."""


class StorageUnavailableError(ServiceError):
    """The object store does not answer, or answers with an error of its own."""


class EngineUnavailableError(ServiceError):
    """The engine does not answer, or has too much to do. It is to be tried again; no item is to blame."""


class EngineFailedError(ServiceError):
    """The engine broke off what it was given: it died of it, took too long, or made nothing that can be read."""


class ObjectMissingError(ServiceError):
    """No object has this key."""

    def __init__(self, key: str) -> None:
        super().__init__(f"the object store has no object {key!r}")
        self.key = key


class JobUnknownError(ServiceError):
    """No job of this owner has this id."""

    def __init__(self, job_id: str) -> None:
        super().__init__(f"there is no job {job_id!r}")
        self.job_id = job_id


class DeadLetterUnknownError(ServiceError):
    """No item of this name was given up."""

    def __init__(self, identity: str) -> None:
        super().__init__(f"there is no dead letter {identity!r}; `spade-serve dead-letters list` lists them")


class JobExpiredError(ServiceError):
    """The job existed; its record and pictures were kept for the retention time and then removed."""

    def __init__(self, job_id: str) -> None:
        super().__init__(f"job {job_id!r} was finished long ago; its record and pictures have been removed")
        self.job_id = job_id


class JobExistsError(ServiceError):
    """A job with this id is already there; `request_digest` says of what request."""

    def __init__(self, job_id: str, request_digest: str) -> None:
        super().__init__(f"there is already a job {job_id!r}, with another content; choose another id")
        self.job_id = job_id
        self.request_digest = request_digest


class QueueFullError(ServiceError):
    """The job would exceed a cap: of `scope` "service" or "owner", counted in `unit` "items" or "pixels"."""

    def __init__(self, *, scope: str, unit: str, cap: int, retry_after_seconds: int) -> None:
        super().__init__(
            f"the queue is full: at most {cap:,} open {unit} per {scope}; submit again in {retry_after_seconds} s, "
            "when some are done"
        )
        self.scope = scope
        self.unit = unit
        self.cap = cap
        self.retry_after_seconds = retry_after_seconds


class StorageQuotaError(ServiceError):
    """The owner would store more than the quota of the key: `used_bytes` are stored, `new_bytes` were to be."""

    def __init__(self, *, used_bytes: int, new_bytes: int, quota_bytes: int) -> None:
        super().__init__(
            f"{used_bytes:,} bytes are stored and the job has {new_bytes:,} more, while the key's quota is "
            f"{quota_bytes:,} bytes; space is given back when ended jobs are removed after their retention time, or "
            "ask whoever runs the service for a larger quota"
        )
        self.used_bytes = used_bytes
        self.quota_bytes = quota_bytes


class KeyUnknownError(ServiceError):
    """No key that could be used has this id."""

    def __init__(self, key_id: str, why: str) -> None:
        super().__init__(f"key {key_id!r} cannot be used: {why}; `spade-serve keys list` lists them")


class KeySettingsError(ServiceError):
    """A key's name, owner or limits are not what they may be."""


class SettingsError(ServiceError):
    """A setting is missing or malformed."""

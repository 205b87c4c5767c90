"""Files that a request brings along or names, however it does so."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from api.errors import Fault, FilesRefusedError

INSTANCE_SUFFIX: Final = ".instance.png"


@dataclass(frozen=True, slots=True, kw_only=True)
class SentFile:
    """A file of the request; it is read when it is needed, so that not all lie in memory at once."""

    name: str
    read: Callable[[], bytes]


def pair_by_name(
    names: Iterable[str], file: Callable[[str], SentFile], *, where: str
) -> tuple[tuple[SentFile, ...], tuple[SentFile | None, ...]]:
    """Label maps and, for each, its instance map or None, as `pair_names` says; `file` makes files of names."""
    pairs = pair_names(names, where=where, shown=lambda name: file(name).name)
    return (
        tuple(file(name) for name in pairs),
        tuple(None if name is None else file(name) for name in pairs.values()),
    )


def pair_names(names: Iterable[str], *, where: str, shown: Callable[[str], str]) -> dict[str, str | None]:
    """Names of label maps and, for each, that of its instance map or None: `NAME.instance.png` is that of `NAME.png`.

    Raises FilesRefusedError for an instance map without a label map `where` they are; messages have it as `shown`.
    """
    names = list(names)
    instances = {name for name in names if name.endswith(INSTANCE_SUFFIX)}
    of_label_map = {name: name.removesuffix(".png") + INSTANCE_SUFFIX for name in names if name not in instances}
    if strays := instances - set(of_label_map.values()):
        raise refuse_files("stray-instance-map", f"there is no label map for it {where}", file=shown(min(strays)))
    return {name: other if other in instances else None for name, other in of_label_map.items()}


def refuse_files(code: str, detail: str, *, file: str | None = None) -> FilesRefusedError:
    """The error for one thing that is wrong with files."""
    return FilesRefusedError([Fault(code=code, detail=detail, file=file)])

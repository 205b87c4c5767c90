"""Label maps, pictures and instance maps put together by their names."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

KINDS = ("label map", "picture", "instance map")
Key = Callable[[Path], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderFiles:
    """Files found under a folder, in order."""

    folder: Path
    files: Sequence[Path]

    def stems_are_unique(self) -> bool:
        return len({path.stem for path in self.files}) == len(self.files)

    def relative_key(self, path: Path) -> str:
        """The path below the folder without its ending; for a file listed from elsewhere all of it."""
        inside = path.relative_to(self.folder) if path.is_relative_to(self.folder) else path
        return inside.with_suffix("").as_posix()


@dataclass(frozen=True, slots=True, kw_only=True)
class FileLists:
    """The files of one phase; None for a kind that is not read."""

    labels: FolderFiles
    pictures: FolderFiles | None = None
    instances: FolderFiles | None = None
    prefix: str = ""
    """Goes before names, to tell these samples from others of the same dataset."""

    @property
    def kinds(self) -> dict[str, FolderFiles]:
        kinds = zip(KINDS, (self.labels, self.pictures, self.instances), strict=True)
        return {kind: files for kind, files in kinds if files is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleFiles:
    """The files of one sample. `name` is unlike any other of the dataset."""

    name: str
    label: Path
    picture: Path | None
    instance: Path | None


def pair_by_name(lists: FileLists, key: Key | None = None) -> tuple[list[SampleFiles], list[str]]:
    """The samples whose files all exist, in the label maps' order, and a line about each that lacks one.

    Files belong together where `key` is equal; without a key where their stems are, or, if several files of a kind
    share a stem, where their paths below the kind's folder are.
    """
    by_stem = all(files.stems_are_unique() for files in lists.kinds.values())
    by_kind = {
        kind: _by_key(files, key or (_stem if by_stem else files.relative_key)) for kind, files in lists.kinds.items()
    }
    samples, problems = [], []
    names = dict.fromkeys(name for keyed in by_kind.values() for name in keyed)
    for name in names:
        found = {kind: keyed.get(name, []) for kind, keyed in by_kind.items()}
        problem = _problem(found)
        if problem:
            problems.append(problem)
        else:
            samples.append(_sample(lists.prefix + name, {kind: paths[0] for kind, paths in found.items()}))
    return samples, problems


def pair_by_order(lists: FileLists) -> tuple[list[SampleFiles], list[str]]:
    """The first label map with the first picture and so on, whatever their names; their numbers must be equal."""
    counts = {kind: len(found.files) for kind, found in lists.kinds.items()}
    if len(set(counts.values())) > 1:
        numbers = ", ".join(f"{count} {kind}s" for kind, count in counts.items())
        return [], [f"without the pairing check there must be as many of each kind, but there are {numbers}"]
    labels = lists.labels
    name = _stem if labels.stems_are_unique() else labels.relative_key
    rows = zip(*(found.files for found in lists.kinds.values()), strict=True)
    return [_sample(lists.prefix + name(row[0]), dict(zip(lists.kinds, row, strict=True))) for row in rows], []


def _stem(path: Path) -> str:
    return path.stem


def _by_key(found: FolderFiles, key: Key) -> dict[str, list[Path]]:
    keyed: dict[str, list[Path]] = defaultdict(list)
    for path in found.files:
        keyed[key(path)].append(path)
    return keyed


def _sample(name: str, one: Mapping[str, Path]) -> SampleFiles:
    return SampleFiles(name=name, label=one["label map"], picture=one.get("picture"), instance=one.get("instance map"))


def _problem(found: Mapping[str, Sequence[Path]]) -> str | None:
    for kind, paths in found.items():
        if len(paths) > 1:
            return f"{' and '.join(str(path) for path in paths)} are {kind}s of the same name"
    missing = [kind for kind, paths in found.items() if not paths]
    if missing:
        present = next(paths[0] for paths in found.values() if paths)
        return f"{present} has no {' and no '.join(missing)}"
    return None

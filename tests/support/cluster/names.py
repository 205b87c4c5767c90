"""What the cluster's name service would answer, as a file in every pod."""

from pathlib import Path


class Names:
    """Addresses by host name. A name that is given again gets the new address, for all pods at once."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._addresses: dict[str, str] = {"localhost": "127.0.0.1"}
        path.write_text("")

    def give(self, address: str, *names: str) -> None:
        """All pods share the file, so it is written to in place, and, since addresses are of one length, never cut."""
        self._addresses |= dict.fromkeys(names, address)
        lines = [f"{address} {name}\n" for name, address in self._addresses.items()]
        with self.path.open("r+") as file:
            file.write("".join(lines))

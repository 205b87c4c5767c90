"""Tables that are kept for more pictures of the same maps, within a limit of bytes."""

from collections import OrderedDict
from collections.abc import Callable, Hashable

from spade.engine.modulation import Modulation


class ModulationCache:
    """Modulations by maps and layer; beyond `most_bytes` the least recently used maps go.

    Of one map all goes together: a picture needs all of its layers. Several engines of a process may share a cache:
    each has layers of its own.
    """

    def __init__(self, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self.nbytes = 0
        self._by_maps: OrderedDict[Hashable, dict[Hashable, Modulation]] = OrderedDict()

    def get(self, maps: Hashable, layer: Hashable, make: Callable[[], Modulation]) -> Modulation:
        """What is kept for a layer, or else what `make` makes, which is then kept if there is room."""
        layers = self._by_maps.setdefault(maps, {})
        self._by_maps.move_to_end(maps)
        if layer not in layers:
            made = make()
            if not self._make_room(made.nbytes):
                if not layers:
                    del self._by_maps[maps]
                return made
            layers[layer] = made
            self.nbytes += made.nbytes
        return layers[layer]

    def clear(self) -> None:
        """Let go of everything."""
        self._by_maps.clear()
        self.nbytes = 0

    def _make_room(self, needed: int) -> bool:
        """Whether `needed` bytes fit, after other maps than the newest have gone; none goes for what never fits."""
        if needed > self.most_bytes:
            return False
        while self.nbytes + needed > self.most_bytes and len(self._by_maps) > 1:
            _, layers = self._by_maps.popitem(last=False)
            self.nbytes -= sum(modulation.nbytes for modulation in layers.values())
        return self.nbytes + needed <= self.most_bytes

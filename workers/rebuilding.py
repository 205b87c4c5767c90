"""What became of an item, from what the object store has of it: its record, if it has one, and its newest picture."""

import hashlib
from typing import Any

from workers.errors import ObjectMissingError
from workers.messages import ItemSpec, State
from workers.repairs import RestoredItem
from workers.storage import ObjectStore
from workers.stored_jobs import StoredPicture


def rebuild_item(
    objects: ObjectStore,
    item: ItemSpec,
    values: dict[str, Any] | None,
    picture: StoredPicture | None,
    *,
    is_final: bool,
) -> RestoredItem:
    """An item as it goes back into the job store. `values` are what was recorded of it, `is_final` of an ended job."""
    if values is not None and State(values["state"]).is_final and (is_final or _still_holds(values, picture)):
        return _as_recorded(item, values)
    return _from_picture(objects, item, picture)


def _from_picture(objects: ObjectStore, item: ItemSpec, picture: StoredPicture | None) -> RestoredItem:
    """Succeeded with the picture, or queued where there is none."""
    if picture is None:
        return RestoredItem(spec=item)
    try:
        data = objects.get(picture.key)
    except ObjectMissingError:
        return RestoredItem(spec=item)  # removed since it was listed
    return RestoredItem(
        spec=item,
        state=State.SUCCEEDED,
        attempts=1,
        picture_key=picture.key,
        digest=hashlib.sha256(data).hexdigest(),
        size_bytes=len(data),
        fence=picture.fence,
    )


def _still_holds(values: dict[str, Any], picture: StoredPicture | None) -> bool:
    """Whether what was recorded of an item of an open job is its end: not if it was tried again since."""
    if State(values["state"]) is State.SUCCEEDED:
        return picture is not None and picture.key == values["picture_key"]
    return picture is None or picture.fence <= (values.get("fence") or 0)


def _as_recorded(item: ItemSpec, values: dict[str, Any]) -> RestoredItem:
    return RestoredItem(
        spec=item,
        state=State(values["state"]),
        attempts=values["attempts"],
        reason=values["reason"],
        detail=values["detail"],
        picture_key=values["picture_key"],
        digest=values["digest"],
        size_bytes=values["size_bytes"],
        timings=values["timings"],
        fence=values.get("fence"),
    )

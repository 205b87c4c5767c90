"""Many label maps at once: chosen or dropped, checked, sent as one job, followed, and all pictures downloaded."""

import hashlib
import io
import re
import zipfile
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from deploy.local.stack import LocalStack
from model_store.registry import Registry
from spade.label_images import decode_instance_map
from spade.palettes import GAUGAN_COLORS
from support.batches import MAPS, BatchDialog, canceled_before_it_is_made, manifest, write, zipped
from support.label_maps import png
from support.studio import StudioPage, newest_job, rgb_png, sleeping_worker, state_of
from workers.messages import instance_map_key, label_map_key
from workers.storage import ObjectStore


def pictures_of(stack: LocalStack, job: str) -> dict[str, str]:
    """sha256 of the pictures by the file of their label map, as the API tells them."""
    items = httpx.get(f"{stack.url}/v1/jobs/{job}").json()["items"]
    return {item["file"]: item["image"]["sha256"] for item in items if item["image"]}


def test_a_folder_is_sent_as_one_job_and_the_archive_has_the_pictures_of_its_items(
    studio: StudioPage, stack: LocalStack, tmp_path: Path
) -> None:
    write(
        tmp_path / "maps", {**MAPS, "scenes/deep/er/x.png": png(np.ones((4, 4))), "scenes/.hidden": b"", "readme": b"?"}
    )
    batch = BatchDialog(studio)
    batch.choose_folder(tmp_path / "maps")
    expect(batch.dialog).to_contain_text("Label maps: 4")
    assert batch.rows() == {
        "maps/readme": "no PNG",
        **{f"maps/{path}": "12 × 8" for path in MAPS},
        "maps/scenes/deep/er/x.png": "4 × 4",
    }
    batch.dialog.get_by_label("Seed").fill("7")
    batch.send()
    batch.expect_end()
    job = newest_job(stack)
    assert (job["priority"], job["counts"]["total"]) == ("bulk", 4)
    archive = batch.downloaded()
    told = pictures_of(stack, job["id"])
    assert sorted(told) == sorted(f"maps/{path}" for path in [*MAPS, "scenes/deep/er/x.png"])
    for item in manifest(archive):
        assert item["seed"] == 7
        assert hashlib.sha256(archive[str(item["picture"])]).hexdigest() == told[str(item["file"])]
    expect(batch.dialog.locator("#batch-pictures img")).to_have_count(4)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED], ids=["stored", "deflated"])
def test_a_zip_that_is_dropped_opens_the_dialog_with_what_is_in_it(
    studio: StudioPage, stack: LocalStack, objects: ObjectStore, tmp_path: Path, method: int
) -> None:
    path = tmp_path / "maps.zip"
    path.write_bytes(
        zipped({**MAPS, "__MACOSX/scenes/._00.png": b"?", "雪/a:b.png": png(np.full((4, 4), 9))}, method=method)
    )
    studio.drop([path])
    batch = BatchDialog(studio)
    expect(batch.dialog).to_contain_text("Label maps: 4")
    assert list(batch.rows()) == [*MAPS, "雪/a_b.png"]
    batch.dialog.get_by_label("Pictures per map").fill("2")
    batch.send()
    batch.expect_end()
    items = manifest(batch.downloaded())
    assert [item["file"] for item in items] == [path for path in [*MAPS, "雪/a_b.png"] for _ in range(2)]
    assert len({item["sha256"] for item in items}) == len(items)
    stored = objects.get(label_map_key(newest_job(stack)["id"], 2))
    assert hashlib.sha256(stored).hexdigest() == items[4]["label_map_sha256"]


def test_a_folder_and_files_that_are_dropped_are_one_batch_and_one_map_is_none(
    studio: StudioPage, tmp_path: Path
) -> None:
    write(tmp_path, {**MAPS, "one.png": png(np.zeros((6, 6)))})
    studio.drop([tmp_path / "scenes", tmp_path / "one.png"])
    batch = BatchDialog(studio)
    expect(batch.dialog).to_contain_text("Label maps: 4")
    assert list(batch.rows()) == ["one.png", *MAPS]
    studio.page.keyboard.press("Escape")
    expect(batch.dialog).to_be_hidden()
    studio.drop([tmp_path / "one.png"])
    expect(studio.page.locator("#notice")).to_have_text("Opened one.png.")
    assert studio.labels().shape == (6, 6)
    expect(batch.dialog).to_be_hidden()


def test_a_style_leaves_nothing_to_the_seed(studio: StudioPage, stack: LocalStack) -> None:
    batch = BatchDialog(studio)
    batch.choose(MAPS)
    batch.dialog.get_by_label("Pictures per map").fill("3")
    expect(batch.dialog).to_contain_text("Pictures: 9 of 256 × 256")
    batch.dialog.get_by_label("Style").select_option("sunset")
    expect(batch.dialog.get_by_label("Seed")).to_be_disabled()
    expect(batch.dialog).to_contain_text("Pictures: 3 of 256 × 256")
    batch.send()
    batch.expect_end()
    assert (newest_job(stack)["style"], newest_job(stack)["counts"]["total"]) == ("sunset", 3)


def test_maps_in_gaugans_colours_are_read_by_them(studio: StudioPage, stack: LocalStack, objects: ObjectStore) -> None:
    names = ["sky", "road"]
    batch = BatchDialog(studio)
    batch.choose({"colours.png": rgb_png(np.array([[GAUGAN_COLORS[name] for name in names]]))})
    batch.dialog.get_by_label("Model", exact=True).select_option("street")
    expect(batch.dialog.get_by_label("Read by")).to_have_value("gaugan")
    job = canceled_before_it_is_made(batch, stack)
    with Image.open(io.BytesIO(objects.get(label_map_key(job, 0)))) as stored:
        ids = Registry(None).card("street").class_ids
        assert set(np.asarray(stored).flat) == {ids[name] for name in names}


def test_instance_maps_go_with_their_label_maps(studio: StudioPage, stack: LocalStack, objects: ObjectStore) -> None:
    instances = png(np.arange(16).reshape(4, 4))
    batch = BatchDialog(studio)
    batch.choose(
        {
            "a.png": png(np.zeros((4, 4))),
            "a.instance.png": instances,
            "b.png": png(np.ones((4, 4))),
            "c.instance.png": instances,
        }
    )
    assert batch.rows() == {"c.instance.png": "there is no label map for it", "a.png": "4 × 4", "b.png": "4 × 4"}
    unused = batch.dialog.get_by_text("This model uses no instance maps")
    expect(unused).to_be_visible()
    batch.dialog.get_by_label("Model", exact=True).select_option("coco-stuff")
    expect(unused).to_be_hidden()
    job = canceled_before_it_is_made(batch, stack)
    stored = decode_instance_map(objects.get(instance_map_key(job, 0)), file="instances.png")
    assert len(np.unique(stored)) == 16


def test_what_can_be_no_label_map_is_left_out_with_the_reason(studio: StudioPage) -> None:
    whole = MAPS["scenes/00.png"]
    batch = BatchDialog(studio)
    batch.choose(
        {
            "cut.png": whole[:20],
            "flipped.png": whole[:20] + bytes([whole[20] ^ 1]) + whole[21:],
            "jpeg.png": b"\xff\xd8\xff\xe0 a JPEG",
            "wide.png": png(np.zeros((1, 8193))),
            "no.zip": b"PK\x03\x04 and then nothing",
            "maps.zip": zipped({"good.png": whole, "notes.txt": b"?"}),
            "good.png": whole,
        }
    )
    expect(batch.dialog).to_contain_text("Label maps: 1")
    assert batch.rows() == {
        "no.zip": "damaged, or no ZIP",
        "cut.png": "damaged",
        "flipped.png": "damaged",
        "good.png": "12 × 8",
        "jpeg.png": "no PNG",
        "notes.txt": "no PNG",
        "wide.png": "too large: at most 32 MB and 8192 pixels a side",
    }
    batch.choose({"no.zip": b"PK"})
    expect(batch.dialog).to_contain_text("There is no label map in it.")
    expect(batch.button("Make the pictures")).to_be_disabled()


def test_a_file_that_is_gone_by_the_time_it_is_sent_is_named(studio: StudioPage, tmp_path: Path) -> None:
    write(tmp_path / "maps", MAPS)
    batch = BatchDialog(studio)
    batch.choose_folder(tmp_path / "maps")
    expect(batch.dialog).to_contain_text("Label maps: 3")
    (tmp_path / "maps" / "scenes" / "01.png").unlink()
    batch.send()
    expect(batch.status).to_have_text("maps/scenes/01.png cannot be read any more.")


def test_a_map_that_the_service_cannot_use_is_named_and_the_others_can_be_sent(
    studio: StudioPage, stack: LocalStack
) -> None:
    damaged = MAPS["scenes/00.png"][:-20] + bytes(20)
    batch = BatchDialog(studio)
    batch.choose({"maps.zip": zipped({**MAPS, "deep/damaged.png": damaged, "ids.png": png(np.full((4, 4), 77))})})
    expect(batch.dialog).to_contain_text("Label maps: 5")
    batch.send()
    expect(batch.status).to_contain_text("Nothing was sent")
    assert list(batch.rows())[:2] == ["deep/damaged.png", "ids.png"]
    assert "77" in batch.rows()["ids.png"]
    batch.send()
    batch.expect_end()
    assert sorted(pictures_of(stack, newest_job(stack)["id"])) == sorted(MAPS)
    studio.wrong.clear()  # the browser tells of the 422


def test_an_item_that_fails_is_named_with_the_reason(
    studio: StudioPage, stack: LocalStack, objects: ObjectStore
) -> None:
    batch = BatchDialog(studio)
    batch.choose({"maps.zip": zipped(MAPS)})
    with sleeping_worker(stack):
        batch.send()
        expect(batch.dialog).to_contain_text("Made: 0 of 3")
        objects.delete(label_map_key(newest_job(stack)["id"], 1))
    batch.expect_end("Not all pictures could be made.")
    expect(batch.dialog).to_contain_text("Made: 2 of 3 · Failed: 1")
    (failed,) = batch.dialog.locator("#batch-failed li").all_inner_texts()
    assert failed.startswith("scenes/01.png\n")
    assert len(manifest(batch.downloaded())) == 3


def test_the_service_is_asked_for_every_change_and_not_for_the_end(studio: StudioPage, stack: LocalStack) -> None:
    batch = BatchDialog(studio)
    batch.choose(MAPS)
    with sleeping_worker(stack), studio.page.expect_request(re.compile(r"/v1/jobs/[^?]+\?wait=")) as asked:
        batch.send()
    assert asked.value.headers["if-none-match"]
    batch.expect_end()


def test_a_job_is_canceled(studio: StudioPage, stack: LocalStack) -> None:
    batch = BatchDialog(studio)
    batch.choose(MAPS)
    with sleeping_worker(stack):
        batch.send()
        expect(batch.dialog).to_contain_text("Made: 0 of 3")
        batch.button("Cancel the job").click()
        batch.expect_end("Canceled. What was made before is kept.")
        assert state_of(stack, newest_job(stack)["id"]) == "canceled"
    expect(batch.dialog).to_contain_text("Canceled: 3")
    expect(batch.button("Download all")).to_be_disabled()


def test_a_page_that_is_loaded_anew_goes_on_and_the_button_tells_how_far_it_is(
    studio: StudioPage, stack: LocalStack
) -> None:
    batch = BatchDialog(studio)
    batch.choose(MAPS)
    with sleeping_worker(stack):
        batch.send()
        expect(batch.dialog).to_contain_text("Made: 0 of 3")
        studio.page.reload()
        expect(studio.page.get_by_role("button", name="Batch: 0 %")).to_be_visible()
    expect(studio.page.locator("#notice")).to_have_text("Batch: All pictures are made.", timeout=60_000)
    batch = BatchDialog(studio)
    assert len(manifest(batch.downloaded())) == 3
    batch.button("New batch").click()
    expect(batch.button("Make the pictures")).to_be_disabled()
    studio.reload()
    expect(BatchDialog(studio).button("Make the pictures")).to_be_visible()


def test_a_job_that_is_no_longer_kept_is_told_of(studio: StudioPage) -> None:
    studio.page.evaluate("localStorage.setItem('spade-studio-batch', 'gone')")
    studio.page.reload()
    expect(BatchDialog(studio).status).to_have_text("The job is no longer kept.")
    assert studio.page.evaluate("localStorage.length") == 0
    studio.wrong.clear()  # the browser tells of the 404

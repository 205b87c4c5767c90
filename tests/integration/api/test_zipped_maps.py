"""Label maps in a ZIP, good ones and hostile ones."""

import io
import stat
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest
from PIL import Image

from spade.label_images import encode_ids_png
from support.jobs import read_spec
from support.problems import assert_problem


def member(name, **fields):
    info = zipfile.ZipInfo(name)
    info.compress_type = zipfile.ZIP_DEFLATED
    for field, value in fields.items():
        setattr(info, field, value)
    return info


def pack(*members):
    """A ZIP of (name or ZipInfo, bytes)."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for info, data in members:
            archive.writestr(member(info) if isinstance(info, str) else info, data)
    return buffer.getvalue()


def patched(data, name, *, entry, local=None):
    """A ZIP whose directory entry of a member, and where given whose local header, has other bytes: {offset: bytes}."""
    data = bytearray(data)
    for signature, name_at, changes in ((b"PK\x01\x02", 46, entry), (b"PK\x03\x04", 30, local or {})):
        at = data.index(signature)
        while data[at + name_at : at + name_at + len(name)] != name.encode():
            at = data.index(signature, at + 1)
        for offset, value in changes.items():
            data[at + offset : at + offset + len(value)] = value
    return bytes(data)


@pytest.fixture
def refusal(post, assert_untouched):
    """The faults that a ZIP is refused with, as (file, code)."""

    def refusal(data, name="maps.zip", **options):
        problem = assert_problem(post([(name, data)], **options), 422, "files-refused")
        assert_untouched()
        return [(fault.get("file"), fault["code"]) for fault in problem["errors"]]

    return refusal


def test_label_maps_come_in_the_order_of_the_zip_with_their_folders(post, objects, label_map):
    other = encode_ids_png(np.full((4, 4), 9))
    data = pack(("set/b.png", label_map), ("set/", b""), ("set/a.png", other), ("grüße.png", label_map))
    response = post([("maps.zip", data)], seed=1, variations=2)
    assert response.status_code == 202, response.json
    job = response.json
    assert [item["file"] for item in job["items"]] == ["set/b.png"] * 2 + ["set/a.png"] * 2 + ["grüße.png"] * 2
    with Image.open(io.BytesIO(objects.get(read_spec(objects, job["id"]).items[2].label_map_key))) as image:
        assert np.asarray(image)[0, 0] == 9


def test_an_instance_map_lies_beside_its_label_map(post, objects, label_map):
    instances = encode_ids_png(np.full((4, 4), 7))
    data = pack(("x/a.instance.png", instances), ("x/a.png", label_map), ("x/b.png", label_map))
    job_id = post([("maps.zip", data)], model="coco-stuff").json["id"]
    first, second = read_spec(objects, job_id).items
    with Image.open(io.BytesIO(objects.get(first.instance_map_key))) as image:
        assert np.asarray(image)[0, 0] == 7
    assert second.instance_map_key is None


def test_a_zip_is_known_by_its_bytes_or_by_its_name(post, label_map):
    assert post([("maps", pack(("a.png", label_map)))]).status_code == 202
    assert post([("maps.ZIP", b"no zip")]).json["errors"][0]["code"] == "zip-damaged"


def test_what_file_managers_put_beside_the_files_is_left_out(post, label_map):
    data = pack(("__MACOSX/x/._a.png", b"?"), ("x/a.png", label_map), ("x/.DS_Store", b"?"))
    assert [item["file"] for item in post([("maps.zip", data)]).json["items"]] == ["x/a.png"]


def test_a_zip_may_be_checked_without_a_job(post, label_map):
    data = pack(("a.png", label_map), ("b.png", b"no picture"))
    answer = post([("maps.zip", data)], path="/v1/label-maps/validate").json
    assert [(entry["file"], entry["valid"]) for entry in answer["label_maps"]] == [("a.png", True), ("b.png", False)]


def test_the_same_zip_under_ones_own_id_is_the_same_request(post, label_map):
    data = pack(("a.png", label_map))
    statuses = [
        post([("maps.zip", sent)], path="/v1/jobs/mine", method="PUT", seed=1).status_code
        for sent in (data, data, pack(("b.png", label_map)))
    ]
    assert statuses == [202, 200, 409]


def test_files_that_are_no_label_maps_are_named(refusal, label_map):
    assert refusal(pack(("x/readme.txt", b"hello"), ("a.png", label_map))) == [("x/readme.txt", "not-an-image")]


def test_an_instance_map_without_a_label_map_is_refused(refusal, label_map):
    data = pack(("a.png", label_map), ("x/a.instance.png", label_map))
    assert refusal(data, model="coco-stuff") == [("x/a.instance.png", "stray-instance-map")]


def test_a_zip_comes_alone(post, label_map):
    data = pack(("a.png", label_map))
    instances = {"instance_map": [(io.BytesIO(label_map), "i.png")]}
    zipped_instances = {"instance_map": [(io.BytesIO(data), "i.zip")]}
    for maps, parts in (
        ([("maps.zip", data), label_map], {}),
        ([("maps.zip", data)] * 2, {}),
        ([("maps.zip", data)], instances),
        ([label_map], zipped_instances),
    ):
        problem = assert_problem(post(maps, parts=parts), 422, "files-refused")
        assert problem["errors"][0]["code"] == "zip-not-alone"


def test_an_empty_zip_has_no_label_map(refusal):
    assert refusal(pack()) == [(None, "no-label-map")]
    assert refusal(pack(("x/", b""))) == [(None, "no-label-map")]


@pytest.mark.parametrize(
    "name",
    ["../a.png", "/a.png", "x/../a.png", "x//a.png", "./a.png", "..\\a.png", "C:a.png", "a\n.png", "../.a", "..//"],
)
def test_paths_that_lead_elsewhere_are_refused(refusal, label_map, name):
    ((_, code),) = refusal(pack((name, label_map), ("good.png", label_map)))
    assert code == "member-path"


def test_a_name_that_hides_another_behind_a_nul_is_refused(refusal, label_map):
    data = pack(("a.png?.txt", label_map)).replace(b"a.png?.txt", b"a.png\0.txt")
    assert refusal(data) == [("a.png.txt", "member-path")]


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_duplicates_are_refused(refusal, label_map):
    assert refusal(pack(("a.png", label_map), ("a.png", label_map))) == [("a.png", "member-duplicate")] * 2


def test_links_are_refused(refusal):
    link = member("a.png", external_attr=(stat.S_IFLNK | 0o777) << 16)
    assert refusal(pack((link, b"/etc/passwd"))) == [("a.png", "member-not-a-file")]


def test_encrypted_members_are_refused(refusal, label_map):
    data = patched(pack(("a.png", label_map)), "a.png", entry={8: b"\x01\x00"}, local={6: b"\x01\x00"})
    assert refusal(data) == [("a.png", "member-encrypted")]


def test_other_methods_of_packing_are_refused(refusal, label_map):
    assert refusal(pack((member("a.png", compress_type=zipfile.ZIP_LZMA), label_map))) == [
        ("a.png", "member-compression")
    ]


def test_bombs_are_refused_by_what_the_directory_says(refusal, label_map):
    bomb = bytes(3 * 2**20)
    assert refusal(pack(("a.png", label_map), ("bomb.png", bomb))) == [("bomb.png", "member-ratio")]
    large = patched(pack(("a.png", label_map)), "a.png", entry={24: struct.pack("<L", 2**31)})
    assert refusal(large) == [("a.png", "member-too-large")]


def test_all_files_together_may_not_be_more_than_a_request(refusal):
    data = pack(*[(f"{i}.png", bytes(2**20)) for i in range(5)])
    assert refusal(data) == [("maps.zip", "zip-too-large")]


@pytest.mark.parametrize("announced", [100, 2**20])
def test_a_member_that_is_larger_or_smaller_than_announced_is_refused(refusal, announced):
    data = patched(pack(("a.png", bytes(2**21))), "a.png", entry={24: struct.pack("<L", announced)})
    assert refusal(data) == [("a.png", "member-damaged")]
    data = patched(pack(("a.png", b"x" * 50)), "a.png", entry={24: struct.pack("<L", announced)})
    assert refusal(data) == [("a.png", "member-damaged")]


def test_a_member_is_never_inflated_beyond_what_was_announced(refusal):
    bomb = patched(pack(("a.png", bytes(2**26))), "a.png", entry={24: struct.pack("<L", 2**20)})
    tracemalloc.start()
    try:
        assert refusal(bomb) == [("a.png", "member-damaged")]
        assert tracemalloc.get_traced_memory()[1] < 2**24
    finally:
        tracemalloc.stop()


def test_members_on_top_of_one_another_are_refused(refusal, label_map):
    data = patched(pack(("a.png", label_map), ("b.png", label_map)), "b.png", entry={42: struct.pack("<L", 0)})
    assert ("b.png", "member-overlaps") in refusal(data) or ("a.png", "member-overlaps") in refusal(data)


def test_damaged_members_are_refused(refusal, label_map):
    data = bytearray(pack(("a.png", label_map), ("b.png", label_map)))
    data[40] ^= 0xFF
    assert refusal(bytes(data)) == [("a.png", "member-damaged")]


def test_a_directory_of_too_many_entries_is_refused_before_it_is_read(refusal):
    data = pack(*[(f"{i}/", b"") for i in range(1041)])
    assert refusal(data) == [("maps.zip", "too-many-files")]


def test_too_many_label_maps_are_refused(refusal, label_map):
    assert refusal(pack(*[(f"{i}.png", label_map) for i in range(21)])) == [(None, "too-many-files")]


def test_zips_that_are_cut_or_spoiled_anywhere_are_refused_and_never_an_error_of_the_service(post, label_map):
    data = pack(("a.png", label_map), ("b.png", label_map))
    draw = np.random.default_rng(5)
    for _ in range(300):
        spoiled = bytearray(data[: draw.integers(4, len(data) + 1)] if draw.random() < 0.3 else data)
        for at in draw.integers(0, len(spoiled), size=draw.integers(1, 4)):
            spoiled[at] = draw.integers(256)
        assert post([("maps.zip", bytes(spoiled))], path="/v1/label-maps/validate").status_code in (200, 422)


def test_the_form_for_large_zips_is_refused(refusal, label_map):
    data = pack(("a.png", label_map))
    end = data.index(b"PK\x05\x06")
    locator = b"PK\x06\x07" + struct.pack("<LQL", 0, 0, 1)
    assert refusal(data[:end] + locator + data[end:]) == [("maps.zip", "zip-too-large")]

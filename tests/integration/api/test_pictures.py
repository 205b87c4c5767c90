"""Finished pictures, and the others."""

import httpx
import pytest

from support.problems import assert_problem
from workers.messages import job_prefix


def test_a_picture_is_a_redirect_to_the_object_store(client, finished, objects):
    response = client.get(f"/v1/jobs/{finished}/items/1/image")
    assert response.status_code == 303
    assert response.headers["Cache-Control"] == "no-store"
    picture = httpx.get(response.headers["Location"])
    assert picture.status_code == 200
    assert picture.headers["Content-Type"] == "image/png"
    assert picture.content in {objects.get(key) for key in objects.keys(f"{job_prefix(finished)}pictures/")}


def test_a_head_of_a_picture_leads_to_its_head(client, finished):
    response = client.head(f"/v1/jobs/{finished}/items/1/image")
    assert response.status_code == 303
    head = httpx.head(response.headers["Location"])
    assert head.status_code == 200
    assert int(head.headers["Content-Length"]) > 0


def test_a_picture_is_sent_itself_when_asked_for(client, post, work, label_map):
    job_id = post([("my map;v2.png", label_map)], format="jpeg").json["id"]
    work()
    response = client.get(f"/v1/jobs/{job_id}/items/0/image?proxy=1")
    assert response.status_code == 200
    assert response.content_type == "image/jpeg"
    assert response.get_data().startswith(b"\xff\xd8\xff")
    assert response.headers["Content-Disposition"] == 'inline; filename="my_map_v2-0.jpg"'
    item = client.get(f"/v1/jobs/{job_id}").json["items"][0]
    assert response.headers["ETag"] == f'"{item["image"]["sha256"]}"'
    for tag in (response.headers["ETag"], f"W/{response.headers['ETag']}", "*"):
        again = client.get(f"/v1/jobs/{job_id}/items/0/image?proxy=1", headers={"If-None-Match": tag})
        assert again.status_code == 304


def test_an_unfinished_item_has_no_picture_yet(client, post):
    response = client.get(f"/v1/jobs/{post().json['id']}/items/0/image")
    assert_problem(response, 409, "picture-not-ready")
    assert "wait until it has succeeded" in response.json["detail"]


def test_a_canceled_item_has_no_picture(client, post):
    job_id = post().json["id"]
    client.post(f"/v1/jobs/{job_id}/cancel")
    response = client.get(f"/v1/jobs/{job_id}/items/0/image")
    assert_problem(response, 409, "picture-not-ready")
    assert "canceled" in response.json["detail"]


@pytest.mark.parametrize("index", ["2", "-1", "x", "99999999999999999999"])
def test_an_item_that_is_not_there_is_not_found(client, finished, index):
    response = client.get(f"/v1/jobs/{finished}/items/{index}/image")
    assert response.status_code == 404
    assert response.content_type == "application/problem+json"


def test_a_picture_that_was_removed_from_the_store_is_not_found(client, finished, objects):
    objects.delete_prefix(f"{job_prefix(finished)}pictures/")
    assert_problem(client.get(f"/v1/jobs/{finished}/items/0/image?proxy=1"), 404, "picture-missing")

"""The OpenAPI document: true, complete, and enough for clients that are generated from it."""

import re

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator


def test_the_openapi_document_is_valid(client):
    document = client.get("/openapi.json").json
    assert document["openapi"] == "3.1.0"
    assert [error.message for error in OpenAPIV31SpecValidator(document).iter_errors()] == []


def test_every_reference_of_the_openapi_document_leads_somewhere(client):
    text = client.get("/openapi.json").get_data(as_text=True)
    referred = set(re.findall(r'"#/components/schemas/([^"]+)"', text))
    assert referred <= set(client.get("/openapi.json").json["components"]["schemas"])


def test_parts_that_are_files_are_documented_as_files(client):
    """Else generated clients send them as text, which is refused."""
    document = client.get("/openapi.json").json
    form = document["paths"]["/v1/jobs"]["post"]["requestBody"]["content"]["multipart/form-data"]
    assert form["schema"] == {"$ref": "#/components/schemas/JobForm"}
    parts = document["components"]["schemas"]["JobForm"]["properties"]
    files = {name for name, part in parts.items() if is_file(part.get("items", part))}
    assert files == {"label_map", "instance_map", "palette", "style_image"}
    assert form["encoding"]["label_map"]["contentType"] == "image/png, application/zip"


def is_file(part):
    return part.get("contentMediaType") == "application/octet-stream"


@pytest.mark.parametrize("sources", [[], ["label_maps", "prefix"], ["label_maps", "label_map_keys", "prefix"]])
def test_a_body_without_exactly_one_source_of_label_maps_is_refused_and_documented_as_wrong(client, sources):
    maps = {"label_maps": [{"file": "a", "content": ""}], "label_map_keys": ["inputs/a"], "prefix": "inputs/"}
    body = {"params": {"model": "landscape"}, **{name: maps[name] for name in sources}}
    assert not documented("JobBody", client).is_valid(body)
    assert client.post("/v1/jobs", json=body).json["errors"][0]["code"] == "one-source"
    for name, value in maps.items():
        assert documented("JobBody", client).is_valid({**dict.fromkeys(maps), "params": body["params"], name: value})


def documented(name, client):
    """Validates what the document has under this name."""
    schemas = client.get("/openapi.json").json["components"]["schemas"]
    return Draft202012Validator({"$ref": f"#/components/schemas/{name}", "components": {"schemas": schemas}})


def test_every_route_is_documented(client):
    rules = {
        (re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule), method.lower())
        for rule in client.application.url_map.iter_rules()
        for method in rule.methods - {"HEAD", "OPTIONS"}
        if not rule.endpoint.startswith(("docs.", "home", "operations_page.", "studio."))
    }
    paths = client.get("/openapi.json").json["paths"]
    assert {(path, method) for path, operations in paths.items() for method in operations} == rules


def test_every_documented_error_is_a_problem(client):
    for path, operations in client.get("/openapi.json").json["paths"].items():
        for operation in operations.values():
            for status, response in operation["responses"].items():
                if int(status) >= 400:
                    schema = response["content"]["application/problem+json"]["schema"]
                    assert schema == {"$ref": "#/components/schemas/Problem"}, (path, status)


def test_the_documentation_page_needs_no_other_host(client):
    page = client.get("/docs")
    assert page.status_code == 200
    text = page.get_data(as_text=True)
    assert "http:" not in text
    assert "https:" not in text
    assert "<script>" not in text
    linked = re.findall(r'(?:src|href)="(/[^"]+)"', text)
    assert len(linked) == 5
    for path in linked:
        response = client.get(path)
        assert response.status_code == 200, path
        assert response.get_data()
    assert "script-src 'self';" in page.headers["Content-Security-Policy"]


def test_an_unknown_asset_of_the_documentation_is_not_found(client):
    assert client.get("/docs/other.js").status_code == 404

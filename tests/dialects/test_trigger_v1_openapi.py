"""The document says what is mounted, and every reference in it leads somewhere."""

import json
import re
from typing import cast

from countermand.dialects.trigger_v1.openapi import openapi
from countermand.dialects.trigger_v1.routes import TriggerV1Context, resources


def test_every_path_is_described() -> None:
    mounted = [path for path, _ in resources(cast("TriggerV1Context", None))]
    assert sorted(openapi()["paths"]) == sorted(mounted)


def test_every_method_is_the_one_that_answers() -> None:
    described = openapi()["paths"]
    for path, resource in resources(cast("TriggerV1Context", None)):
        (method,) = described[path]
        assert hasattr(resource, f"on_{method}"), path


def test_every_reference_leads_somewhere() -> None:
    document = openapi()
    text = json.dumps(document)
    names = set(re.findall(r'"#/components/schemas/(\w+)"', text))
    assert names == set(document["components"]["schemas"])
    assert "signedTransaction" in document["components"]["schemas"]["ExecuteRequest"]["properties"]

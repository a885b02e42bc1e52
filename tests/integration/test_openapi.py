"""The description at /openapi.json is true: what it allows is taken, what it forbids is refused,
and replies fit it.
"""

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
import uvicorn
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS

from tenuto.clock import SystemClock
from tenuto.host.host import Tenuto
from tenuto.security.grants import add_key
from tenuto.server.app import create_app
from tenuto.server.door import Server
from tenuto.settings import TenutoConfig

EXAMPLES = 25
"""Requests that are made up for each operation."""


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[str]:
    config = TenutoConfig(
        store="memory:", engine="echo", port=0, keys=str(folder / "tenuto.keys"), grace=0.1
    )
    host = Tenuto(config)
    app = create_app(host, static=None)
    server: uvicorn.Server = Server(host, app=app)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started and thread.is_alive():
            thread.join(0.01)
        address = server.servers[0].sockets[0].getsockname()
        yield f"http://127.0.0.1:{address[1]}"
    finally:
        server.should_exit = True
        thread.join(10)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("keyed", [False, True], ids=["local", "keyed"])
def test_description_is_true(tmp_path: Path, keyed: bool) -> None:
    headers = {}
    if keyed:
        key = add_key(tmp_path / "tenuto.keys", clock=SystemClock())
        headers["Authorization"] = f"Bearer {key}"
    with serving(tmp_path) as url:
        schema: Any = schemathesis.openapi.from_url(f"{url}/openapi.json")
        for name in ("s1", "s2"):
            httpx.post(f"{url}/sessions", json={"session_id": name}, headers=headers)
        tried = 0
        for found in schema.get_all_operations():
            operation = found.ok()
            # The event stream goes on for ever, and an upgrade is no request: they have tests of
            # their own.
            # An import takes files of several forms, which no schema tells apart.
            if operation.path.endswith(("/events", "/attach", "/import")):
                continue
            tried += 1
            check(operation, GenerationMode.POSITIVE, headers)
            # Any text is a session's name: what only takes one cannot be asked wrongly.
            if list(operation.body) or list(operation.query):
                check(operation, GenerationMode.NEGATIVE, headers)
        assert tried == 17


def check(operation: Any, mode: Any, headers: dict[str, str]) -> None:
    strategy = operation.as_strategy(generation_mode=mode)

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=strategy)
    def run(case: Any) -> None:
        case.call_and_validate(headers=headers, checks=CHECKS.get_all())

    run()


@pytest.mark.timeout(60)
@pytest.mark.parametrize("lie", ["takes more", "takes less", "replies with more"])
def test_a_lie_is_found(tmp_path: Path, lie: str) -> None:
    with serving(tmp_path) as url:
        document = httpx.get(f"{url}/openapi.json").json()
        schemas, operations = document["components"]["schemas"], document["paths"]["/sessions"]
        mode, method = GenerationMode.POSITIVE, "GET"
        if lie == "takes more":
            parameters = operations["get"]["parameters"]
            limit = next(one for one in parameters if one["name"] == "limit")
            limit["schema"]["maximum"] = 10_000
        elif lie == "takes less":
            mode, method = GenerationMode.NEGATIVE, "POST"
            schemas["SessionWanted"]["required"] = ["user_id"]
        else:
            schemas["SessionPage"]["required"] += ["total"]
        schema: Any = schemathesis.openapi.from_dict(document)
        schema.config.update(base_url=url)
        with pytest.raises(BaseExceptionGroup, match="Schemathesis found"):
            check(schema["/sessions"][method], mode, {})

"""Stands in for `countermand.app` in a process that runs the command: everything but the engine is real."""

import json
import os
import sys
from types import ModuleType

from countermand.gateway import operations
from countermand.gateway.announce import announce
from countermand.gateway.falcon_app import new_app
from countermand.gateway.http_gateway import HttpGateway
from countermand.gateway.listeners import claim
from countermand.gateway.server import serve as serve_http
from countermand.gateway.server import stop_on_signals
from countermand.settings import Settings
from countermand.store.embedded import DataDirectoryBusy


async def serve(settings: Settings) -> int:
    if os.environ.get("SHOW"):
        show(settings)
        return 0
    if str(settings.data) == "/busy":
        raise DataDirectoryBusy("the data directory /busy is in use by process 7")
    if str(settings.data) == "/bug":
        raise ZeroDivisionError
    listeners = claim(settings.host, settings.port)
    app = new_app()
    operations.mount(app, not_ready_because=lambda: None, documents={}, sandbox=settings.sandbox)
    await serve_http(
        HttpGateway(app, settings),
        settings,
        on_ready=lambda addresses: announce(settings, addresses, rpc=True),
        stop=stop_on_signals(),
        listeners=listeners,
    )
    return 0


def show(settings: Settings) -> None:
    shown = {
        "port": settings.port,
        "sandbox": settings.sandbox,
        "cors_origins": list(settings.cors_origins),
        "api_keys": sorted(settings.api_keys),
        "data": str(settings.data),
        "confirm_timeout_ms": settings.confirm_timeout_ms,
    }
    print(json.dumps(shown))


app_module = ModuleType("countermand.app")
vars(app_module)["serve"] = serve
sys.modules["countermand.app"] = app_module

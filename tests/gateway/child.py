"""A trivial app behind the gateway and the server, in a process of its own. Prints its port when it is ready."""

import asyncio
import gc
import json
import sys

import uvloop

from countermand.cli.logs import configure_logs
from countermand.gateway.asgi import Event, Receive, Scope, Send, leaving_of
from countermand.gateway.http_gateway import HttpGateway
from countermand.gateway.server import Addresses, serve, stop_on_signals
from countermand.gateway.traffic import ConnectionLimits
from countermand.sandbox.gateway_faults import FaultyApp, GatewayFaults
from countermand.settings import Settings

LARGE = b"30000000"


class Trivial:
    def __init__(self, stop: asyncio.Event, faults: GatewayFaults) -> None:
        self._stop = stop
        self._faults = faults
        self._sockets: dict[int, asyncio.Task[None]] = {}
        self.holding = 0
        self.committed = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await self._websocket(receive, send)
            return
        event = await receive()
        match scope["path"]:
            case "/hold":  # An answer that is only ready some time after the stop began.
                self.holding += 1
                await self._stop.wait()
                await asyncio.sleep(0.3)
            case "/hang":
                self.holding += 1
                await asyncio.Event().wait()
            case "/large":  # So many bytes that no socket takes them all from a peer that does not read.
                await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", LARGE)]})
                await send({"type": "http.response.body", "body": bytes(int(LARGE))})
                return
            case "/stream":  # Of a length that was not told.
                await send({"type": "http.response.start", "status": 200, "headers": []})
                for part in (b"one ", b"two ", b"three"):
                    await send({"type": "http.response.body", "body": part, "more_body": True})
                await send({"type": "http.response.body", "body": b""})
                return
            case "/endless":  # Until its reader leaves.
                self.holding += 1
                gone = leaving_of(scope)
                await send({"type": "http.response.start", "status": 200, "headers": []})
                await send({"type": "http.response.body", "body": b"begun", "more_body": True})
                while (await receive())["type"] != "http.disconnect":
                    assert not gone.is_set()
                assert gone.is_set()
                self.holding -= 1
                return
            case "/garbage":  # How much was left to the collector, which rests from here on.
                gc.disable()
                await answer(send, {"left": gc.collect()})
                return
            case "/lose":
                self._faults.lose_answers = int(event["body"])
            case path if path.startswith("/trigger/"):
                self.committed += 1
        await answer(send, {"holding": self.holding, "committed": self.committed, "bytes": len(event["body"])})

    async def _websocket(self, receive: Receive, send: Send) -> None:
        me = asyncio.current_task()
        assert me is not None
        self._sockets[id(me)] = me
        try:
            await receive()
            await send({"type": "websocket.accept"})
            while (await receive())["type"] != "websocket.disconnect":
                await send({"type": "websocket.send", "text": "heard"})
        except asyncio.CancelledError:
            await send({"type": "websocket.close", "code": 1001})

    async def close(self) -> None:
        for reader in self._sockets.values():
            reader.cancel()
        await asyncio.gather(*self._sockets.values())


async def answer(send: Send, value: object) -> None:
    body = json.dumps(value).encode()
    start: Event = {
        "type": "http.response.start",
        "status": 200,
        "headers": [(b"content-length", b"%d" % len(body)), (b"content-type", b"application/json")],
    }
    await send(start)
    await send({"type": "http.response.body", "body": body})


def ready(addresses: Addresses) -> None:
    print(json.dumps([addresses.port, addresses.second_port]), flush=True)


async def main(port: int, body_seconds_max: float, stop_seconds_max: float, limits: ConnectionLimits) -> None:
    settings = Settings(port=port)
    stop = stop_on_signals()
    faults = GatewayFaults()
    app = Trivial(stop, faults)
    gateway = HttpGateway(FaultyApp(app, faults), settings, closers=[app.close], body_seconds_max=body_seconds_max)
    await serve(gateway, settings, on_ready=ready, stop=stop, stop_seconds_max=stop_seconds_max, limits=limits)
    print("left", flush=True)


if __name__ == "__main__":
    configure_logs("json", "warning")
    uvloop.run(
        main(int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3]), ConnectionLimits(**json.loads(sys.argv[4])))
    )

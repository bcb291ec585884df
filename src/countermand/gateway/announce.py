"""The lines that `countermand serve` prints when it is ready."""

from countermand.gateway.server import Addresses
from countermand.settings import Settings


def announce(settings: Settings, addresses: Addresses, *, rpc: bool) -> None:
    """Prints the URLs, one a line, for people and for scripts that wait for the first. `rpc`: the chain is our own."""
    base = addresses.base_url
    lines = [("Countermand is ready:", base), ("API docs:", f"{base}/docs")]
    if rpc:
        lines.append(("Solana JSON-RPC:", f"{base}/rpc"))
    if rpc and addresses.second_port is not None:
        host = base.removeprefix("http://").rpartition(":")[0]
        lines.append(("Solana WebSocket:", f"ws://{host}:{addresses.second_port}/rpc"))
    if settings.sandbox:
        lines.append(("Sandbox:", f"{base}/sandbox"))
    width = max(len(name) for name, _ in lines)
    print("\n".join(f"{name:<{width}} {url}" for name, url in lines), flush=True)

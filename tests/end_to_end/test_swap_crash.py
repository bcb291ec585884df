"""The venue dies between a price and its market on the chain: at the next start both say the same."""

import contextlib
from pathlib import Path
from typing import Any

from solders.keypair import Keypair

from tests.end_to_end.crash_support import Lost, Server, running, signed
from tests.end_to_end.venue import SOL, USDC


async def _rpc(server: Server, method: str, *params: object) -> Any:
    answer = await server.does("POST", "/rpc", {"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
    return answer["result"]


async def _signed(server: Server, key: Keypair) -> str:
    """A swap of one SOL, without any slippage."""
    quote = await server.does(
        "GET", f"/swap/v1/quote?inputMint={SOL.mint}&outputMint={USDC.mint}&amount=1000000000&slippageBps=0"
    )
    asked = {"userPublicKey": str(key.pubkey()), "quoteResponse": quote}
    built = await server.does("POST", "/swap/v1/swap", asked)
    return signed(built["swapTransaction"], key)


async def _error_of(server: Server, transaction: str) -> Any:
    options = {"encoding": "base64", "skipPreflight": True}
    signature = await _rpc(server, "sendTransaction", transaction, options)
    return (await _rpc(server, "getTransaction", signature, {"maxSupportedTransactionVersion": 0}))["meta"]["err"]


async def test_a_market_follows_its_price_over_a_crash(database_url: str, tmp_path: Path) -> None:
    key = Keypair()
    async with running(tmp_path / "venue", "--database-url", database_url) as server:
        funds = {"wallet": str(key.pubkey()), "mint": "SOL", "amount": "10000000000"}
        await server.does("POST", "/sandbox/airdrop", funds)
        assert await _error_of(server, await _signed(server, key)) is None
        stale = await _signed(server, key)
        await server.faults(crash="after-commit")
        with contextlib.suppress(Lost):
            await server.price("120")
        await server.ended()
        await server.start()
        assert (await _error_of(server, stale))["InstructionError"][1] == {"Custom": 6001}
        assert await _error_of(server, await _signed(server, key)) is None
        await server.audited()

"""`countermand serve`."""

import os
from pathlib import Path
from typing import Annotated, Final

import structlog
import uvloop

from countermand import app
from countermand.cli.logs import configure_logs
from countermand.cli.options import File, Whole, option, unknown_variables
from countermand.cli.reasons import served
from countermand.cli.streams import lose_what_cannot_be_printed
from countermand.settings import Chain, LogFormat, LogLevel, settle

_log: Final = structlog.get_logger("countermand")


def serve(
    *,
    host: Annotated[str, option("host", "the address to listen on")] = "127.0.0.1",
    port: Annotated[Whole, option("port", "the port; the next one gets the WebSocket; 0: any free pair")] = 8080,
    data: Annotated[File, option("data", "the data directory")] = Path("./.countermand"),
    database_url: Annotated[str | None, option("database-url", "a PostgreSQL instead of our own")] = None,
    chain: Annotated[Chain, option("chain", "embedded, or a real node by rpc")] = "embedded",
    rpc_url: Annotated[str | None, option("rpc-url", "the real node")] = None,
    rpc_ws_url: Annotated[str | None, option("rpc-ws-url", "its WebSocket, where clients do not find it")] = None,
    sandbox: Annotated[bool | None, option("sandbox", "clock, faucet, prices, faults; else it is a venue")] = None,
    seed: Annotated[Whole | None, option("seed", "of ids and nonces, in a sandbox")] = None,
    keeper: Annotated[bool | None, option("keeper", "fill the orders on the sandbox's chain; on in a sandbox")] = None,
    keeper_refund_delay: Annotated[
        Whole, option("keeper-refund-delay", "how many seconds the keeper lets an expired order wait")
    ] = 0,
    api_keys: Annotated[
        File | None,
        option("api-keys", "a file, one key a line, or COUNTERMAND_API_KEYS, a comma list", "API_KEYS_FILE"),
    ] = None,
    confirm_timeout_ms: Annotated[
        Whole | None, option("confirm-timeout-ms", "how long to wait for a landing; 5000, 45000 with rpc")
    ] = None,
    cors_origins: Annotated[
        str | None, option("cors-origins", "origins of browsers, a comma list; * in the sandbox, otherwise none")
    ] = None,
    master_seed: Annotated[
        File | None, option("master-seed", "the file of the vaults' secret; made in the data directory if not given")
    ] = None,
    tanx_utc_offset: Annotated[
        str, option("tanx-utc-offset", "how far the times that tanX shows are ahead of UTC")
    ] = "+00:00",
    trust_proxy: Annotated[
        bool, option("trust-proxy", "let /sandbox answer what a proxy on this machine passes on")
    ] = False,
    i_know_what_i_do: Annotated[bool, option("i-know-what-i-do", "let a sandbox listen to other machines")] = False,
    log: Annotated[LogFormat, option("log", "the form of the log, on standard error")] = "console",
    log_level: Annotated[LogLevel | None, option("log-level", "what is worth a line; info, warning with demo")] = None,
    announce: Annotated[
        File | None, option("announce", "a file for URLs, pid and version as JSON, written when it is ready")
    ] = None,
    end_with_stdin: Annotated[
        bool, option("end-with-stdin", "stop when standard input ends, as it does when the parent ends")
    ] = False,
    throwaway: Annotated[
        bool, option("throwaway", "a sandbox whose data need not outlive a power cut: faster")
    ] = False,
    demo: Annotated[
        bool, option("demo", "a wallet with an order of each kind, a price that moves, and a market maker")
    ] = False,
) -> int:
    """Start the venue, print its URLs, and serve until SIGTERM or Ctrl-C.

    Every option has an environment variable.
    """
    settings = settle(
        host=host,
        port=port,
        data=data,
        database_url=database_url,
        chain=chain,
        rpc_url=rpc_url,
        rpc_ws_url=rpc_ws_url,
        sandbox=sandbox,
        seed=seed,
        keeper=keeper,
        keeper_refund_delay=keeper_refund_delay,
        api_keys=api_keys,
        confirm_timeout_ms=confirm_timeout_ms,
        cors_origins=None if cors_origins is None else [cors_origins],
        master_seed=master_seed,
        tanx_utc_offset=tanx_utc_offset,
        trust_proxy=trust_proxy,
        i_know_what_i_do=i_know_what_i_do,
        log=log,
        log_level=log_level,
        announce=announce,
        end_with_stdin=end_with_stdin,
        throwaway=throwaway,
        demo=demo,
        environ=os.environ,
    )
    lose_what_cannot_be_printed()
    configure_logs(settings.log, settings.log_level)
    for name, like in unknown_variables(os.environ):
        _log.warning("an environment variable is no setting", variable=name, did_you_mean=like)
    return served(lambda: uvloop.run(app.serve(settings)))

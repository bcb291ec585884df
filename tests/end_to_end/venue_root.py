"""A venue without a sandbox, in a process of its own, on a chain that begins with funds.

It takes the options of `countermand serve`, and before them a file that says in JSON what wallets have: lamports by
address under "SOL", units of the token account under "USDC". When it has ended, the names of all modules that it had
imported are in a file beside that one, with the suffix `.modules`.
"""

import json
import sys
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from countermand import app
from countermand.app.running import App
from countermand.app.venue import venue_app
from countermand.cli import main
from countermand.services.custody.vaults import VaultKeys
from countermand.settings import Settings
from countermand.solana.port import AccountInfo
from countermand.solana.tokens import (
    SYSTEM_PROGRAM,
    TOKEN_ACCOUNT_RENT_LAMPORTS,
    TOKEN_PROGRAM,
    USDC_MINT,
    associated_token_address,
    token_account_bytes,
)


def genesis(funds: Mapping[str, Mapping[str, int]]) -> dict[str, AccountInfo]:
    accounts = {
        wallet: AccountInfo(lamports, SYSTEM_PROGRAM, b"", executable=False)
        for wallet, lamports in funds["SOL"].items()
    }
    for wallet, units in funds["USDC"].items():
        data = token_account_bytes(mint=USDC_MINT, owner=wallet, amount=units)
        at = associated_token_address(wallet, USDC_MINT, TOKEN_PROGRAM)
        accounts[at] = AccountInfo(TOKEN_ACCOUNT_RENT_LAMPORTS, TOKEN_PROGRAM, data, executable=False)
    return accounts


def app_of(file: Path, settings: Settings, keys: VaultKeys, dsn: str) -> AbstractAsyncContextManager[App]:
    return venue_app(settings, keys, dsn, genesis(json.loads(file.read_text())))


if __name__ == "__main__":
    funds = Path(sys.argv.pop(1))
    serve = app.serve

    async def serve_funded(settings: Settings) -> int:
        try:
            return await serve(settings, lambda settings, keys, dsn: app_of(funds, settings, keys, dsn))
        finally:
            funds.with_suffix(".modules").write_text("\n".join(sorted(sys.modules)))

    vars(app)["serve"] = serve_funded
    sys.argv[0:1] = ["countermand"]
    main()

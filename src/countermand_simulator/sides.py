"""The chain of a simulation with all that belongs to it: custody, wallets, a stranger, and what an observer sees."""

import asyncio
import base64
import json
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Final, Protocol

from countermand.orders.dca.ports import Transactions as RoundTransactions
from countermand.orders.trigger.model.order import Family
from countermand.orders.trigger.ports import Transactions
from countermand.services.transactions.landed import LandedChain
from countermand.solana.clockwork import BLOCKHASH_SLOTS
from countermand.solana.port import Node
from countermand_simulator import signing
from countermand_simulator.faults import ProcessHandle
from countermand_simulator.landings import Balance, Landing
from countermand_simulator.model_chain import SOL, ModelChain, canonical, own_account, sign
from countermand_simulator.model_custody import GAS, POOL
from countermand_simulator.model_rounds import ModelRounds
from countermand_simulator.model_transactions import ModelTransactions

START_FUNDS: Final = 10**9
POOL_FUNDS: Final = 10**18
_PLANNERS: Final = 160


class OrdersSide(Protocol):
    """A chain with the programs of orders that live there: who uses them, and what any client can see."""

    @property
    def limit_clients(self) -> Sequence[str]:
        """Of limit orders."""

    @property
    def dca_clients(self) -> Sequence[str]:
        """Of recurring orders."""

    @property
    def keepers(self) -> Sequence[str]:
        """Who may run the orders of others."""

    @property
    def trespasser(self) -> str:
        """Would be a keeper, and is none."""

    @property
    def sponsor(self) -> str:
        """Pays for others."""

    @property
    def order_mints(self) -> Sequence[str]:
        """Those of `ChainSide.mints`, and one of Token-2022."""

    def node(self, process: ProcessHandle, /) -> Node: ...

    def is_replaced(self, process: ProcessHandle, /) -> bool:
        """Another process writes the chain: this one may not know it yet, and tell what was."""

    def partner_account(self, mint: str) -> str:
        """The token account that gets an integrator's fees."""

    def signed_by_all(self, message: bytes) -> str: ...

    def signed_otherwise(self, message: bytes) -> str:
        """As validly, with another first signature."""

    def tampered_by_all(self, signed: str, random: Random) -> str: ...

    # As the checkers see it.

    def begun_with(self) -> Mapping[str, Balance]: ...

    def balances(self) -> Mapping[str, Balance]: ...

    def owned_by(self, program: str) -> Mapping[str, tuple[int, bytes]]:
        """Lamports and data of the accounts of an order program."""


class ChainSide(Protocol):
    @property
    def orders(self) -> OrdersSide | None: ...
    @property
    def sol(self) -> str: ...
    @property
    def mints(self) -> Sequence[str]:
        """The native mint first, then the one whose price stands still."""

    @property
    def decimals(self) -> Mapping[str, int]:
        """Of each mint."""

    @property
    def wallets(self) -> Sequence[str]: ...
    @property
    def planners(self) -> Sequence[str]:
        """The owners of recurring orders of Trigger v2. Each may lack what it needs for some."""

    @property
    def families(self) -> Sequence[Family]:
        """What can be ordered, each as often as it is named."""

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    def chain(self, process: ProcessHandle, /) -> LandedChain:
        """As the process has it: one for all, or one inside each."""

    async def boot(self, process: ProcessHandle, /) -> None:
        """Opens the chain inside the process, if that is where it is."""

    async def stopped(self, process: ProcessHandle, /) -> None:
        """Returns when the chain inside the process has stopped for good."""

    def transactions(self, chain: LandedChain, price: Callable[[str], int], mood: Callable[[], str]) -> Transactions:
        """For one process. `mood`: what the next swap meets, "fine", "refused", "fails", "part" or "crumbs"."""

    def rounds(self, chain: LandedChain, price: Callable[[str], int], mood: Callable[[], str]) -> RoundTransactions:
        """The same for recurring orders."""

    def message_of(self, transaction: bytes) -> bytes: ...

    def base64_message(self, unsigned: str) -> str:
        """Of a transaction as the API shows it."""

    def signed(self, unsigned: str, wallet: str) -> str: ...

    def tampered(self, signed: str, wallet: str, random: Random) -> str: ...

    async def dust(self, account: str, amount: int) -> None:
        """A stranger sends tokens to an account, if there is one."""

    async def prefund(self, account: str) -> None:
        """A stranger sends lamports to an address, if nothing is there yet."""

    async def expire_blockhashes(self) -> None:
        """So many slots pass at once that every blockhash is dead."""

    # As the checkers see it.

    def height(self) -> int: ...

    def landed(self) -> int:
        """How many transactions have."""

    def landings_since(self, number: int) -> Sequence[Landing]: ...

    def token_account(self, wallet: str, mint: str) -> str: ...


class ModelSide:
    def __init__(self, wallets: int, wall_ms: Callable[[], int], window: int, planners: int = 0) -> None:
        self.sol = SOL
        self.mints = (SOL, "USDC", "JUP")
        self.decimals: Mapping[str, int] = dict.fromkeys(self.mints, 0)
        self.families = (Family.SINGLE, Family.SINGLE, Family.OCO, Family.OTOCO)
        self.wallets = tuple(str(signing.wallet(number).pubkey()) for number in range(wallets))
        self.planners = tuple(str(signing.wallet(_PLANNERS + number).pubkey()) for number in range(planners))
        self._chain = ModelChain(wall_ms, window)

    @property
    def orders(self) -> None:
        """It has no programs."""

    async def open(self) -> None:
        for wallet in (*self.wallets, *self.planners):
            for mint in self.mints:
                self._chain.give(wallet, mint, START_FUNDS)
        for mint in self.mints:
            self._chain.give(POOL, mint, POOL_FUNDS)
        self._chain.give(GAS, SOL, POOL_FUNDS)
        self._chain.found_account(own_account(POOL, SOL), SOL, POOL)

    async def close(self) -> None:
        """Nothing runs in it."""

    def chain(self, _process: ProcessHandle, /) -> LandedChain:
        return self._chain

    async def boot(self, _process: ProcessHandle, /) -> None:
        """It is there already."""

    async def stopped(self, _process: ProcessHandle, /) -> None:
        await asyncio.Event().wait()

    def transactions(self, chain: LandedChain, price: Callable[[str], int], mood: Callable[[], str]) -> Transactions:
        return ModelTransactions(chain, price, mood)

    def rounds(self, chain: LandedChain, price: Callable[[str], int], mood: Callable[[], str]) -> RoundTransactions:
        return ModelRounds(chain, price, mood)

    def message_of(self, transaction: bytes) -> bytes:
        message: str = json.loads(transaction)["message"]
        return message.encode()

    def base64_message(self, unsigned: str) -> str:
        return base64.b64encode(self.message_of(unsigned.encode())).decode()

    def signed(self, unsigned: str, wallet: str) -> str:
        transaction = json.loads(unsigned)
        transaction["signatures"][wallet] = sign(wallet, transaction["message"])
        return canonical(transaction)

    def tampered(self, signed: str, wallet: str, random: Random) -> str:
        transaction = json.loads(signed)
        how = random.randrange(5)
        if how == 0:
            transaction["signatures"] = {}
        elif how == 1:
            transaction["signatures"][wallet] = sign("a stranger", transaction["message"])
        elif how == 2:
            other = canonical({**json.loads(transaction["message"]), "variant": random.getrandbits(30)})
            transaction = {"message": other, "signatures": {wallet: sign(wallet, other)}}
        elif how == 3:
            return signed + " "
        else:
            return "not a transaction"
        return canonical(transaction)

    async def dust(self, account: str, amount: int) -> None:
        self._chain.dust(account, amount)

    async def prefund(self, account: str) -> None:
        self._chain.prefund(account)

    async def expire_blockhashes(self) -> None:
        self._chain.skip(BLOCKHASH_SLOTS + 1)

    def height(self) -> int:
        return self._chain.slot()

    def landed(self) -> int:
        return len(self._chain.landings)

    def landings_since(self, number: int) -> Sequence[Landing]:
        return self._chain.landings[number:]

    def token_account(self, wallet: str, mint: str) -> str:
        return own_account(wallet, mint)

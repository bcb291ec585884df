"""What the transactions of on-chain orders must do, written from what their instructions mean.

An instruction is carried out on balances alone, and on the orders that it opens, changes and closes. What the chain did
to a transaction's accounts must be exactly that.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Final, TypeAlias

from solders.pubkey import Pubkey

from countermand_simulator.checkers.claim import Claim
from countermand_simulator.checkers.messages import Call, Message
from countermand_simulator.landings import Balance

LIMIT: Final = "j1o2qRpjcyUwEvwtcfhEQefh773ZgjxcVRry7LDqg5X"
DCA: Final = "DCA265Vj8a9CEuX1eb1LWRnDT7uK6q1xMipnNyatn23M"
SOL: Final = "So11111111111111111111111111111111111111112"
_SYSTEM: Final = "11111111111111111111111111111111"
_BUDGET: Final = "ComputeBudget111111111111111111111111111111"
ASSOCIATED: Final = "ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL"
TOKENS: Final = ("TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA", "TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb")

_BYTE_LAMPORTS: Final = 6_960
_ORDER_RENT: Final = (128 + 372) * _BYTE_LAMPORTS
_DCA_RENT: Final = (128 + 289) * _BYTE_LAMPORTS
_ACCOUNT_RENTS: Final = {TOKENS[0]: (128 + 165) * _BYTE_LAMPORTS, TOKENS[1]: (128 + 170) * _BYTE_LAMPORTS}
"""The second program's accounts are larger when they are made as associated ones."""
RATES: Final = "27ZASRjinQgXKsrijKqb9xyRnH6W5KWgLSDveRghvHqc"
"""The program's address for its own fee rates, and the owner of its own fee accounts."""
OWN_FEE_BPS: Final = 10
"""Of a pair that is not of two stable mints. An integrator's comes on top."""
_BPS_ONE: Final = 10_000
_NOTHING: Final[Balance] = (0, "", 0)
COMPLETED, CANCELLED = "completed", "cancelled"
"""How an order ends."""


class Surprise(Exception):
    """The chain carried out what it should have refused."""

    claim = Claim.ORDERS_ARE_ON_CHAIN


@dataclass(frozen=True, slots=True)
class LimitSeen:
    """An open limit order, as its instructions have left it: `making` and `taking` are what remains."""

    maker: str
    input_mint: str
    output_mint: str
    making: int
    taking: int
    expires_at: int | None
    created_at: int
    reserve: str
    opened_by: str
    making_at_first: int
    taking_at_first: int
    fee_bps: int
    fee_account: str
    slippage_bps: int

    @property
    def owner(self) -> str:
        return self.maker

    @property
    def escrows(self) -> tuple[str, ...]:
        return (self.reserve,)

    @property
    def is_shown(self) -> bool:
        """What is filled and still there, for a stranger's tokens in its escrow, is no open order to its maker."""
        return self.making > 0


@dataclass(frozen=True, slots=True)
class DcaSeen:
    """An open recurring order, as its instructions have left it."""

    user: str
    input_mint: str
    output_mint: str
    deposited: int
    withdrawn: int
    per_round: int
    interval: int
    created_at: int
    opened_by: str
    escrows: tuple[str, ...]
    next_at: int
    out_min: int = 0
    out_max: int = 0
    """For a whole cycle; 0: none."""
    used: int = 0
    received: int = 0
    paid_out: int = 0

    @property
    def owner(self) -> str:
        return self.user

    @property
    def is_shown(self) -> bool:
        return True

    @property
    def left(self) -> int:
        return self.deposited - self.used - self.withdrawn


Seen: TypeAlias = LimitSeen | DcaSeen


@dataclass(frozen=True, slots=True)
class TradeSeen:
    """A fill. What a limit order received is before the fee, what a recurring one did is without it."""

    order: str
    keeper: str
    given: int
    received: int
    fee: int


@dataclass(slots=True)
class Replay:
    """One transaction, carried out on a copy: `balances` and `orders` are what it finds, `now` and `became` what it
    leaves. An order that became None is closed. `ended` says how an order came to its end, be its account there."""

    balances: Mapping[str, Balance]
    orders: Mapping[str, Seen]
    signature: str
    second: int
    now: dict[str, Balance] = field(default_factory=dict)
    became: dict[str, Seen | None] = field(default_factory=dict)
    trades: list[TradeSeen] = field(default_factory=list)
    ended: dict[str, str] = field(default_factory=dict)

    def run(self, message: Message) -> None:
        """Raises `Surprise`."""
        self._pay(message.payer, message.fee)
        for call in message.calls:
            if call.program != _BUDGET:
                self._carried_out(call)(self, call)

    def _carried_out(self, call: Call) -> "Callable[[Replay, Call], None]":
        if call.program in TOKENS:
            return _TOKEN_CALLS[call.data[0]]
        found = _CALLS.get((call.program, call.data[: _TAG_BYTES[call.program]]))
        if found is None:
            raise Surprise(f"{call} is carried out")
        return found

    # --- balances

    def at(self, address: str) -> Balance:
        return self.now.get(address) or self.balances.get(address, _NOTHING)

    def order(self, address: str) -> Seen | None:
        return self.became[address] if address in self.became else self.orders.get(address)

    def _pay(self, address: str, lamports: int) -> None:
        held, mint, amount = self.at(address)
        if held < lamports:
            raise Surprise(f"{address} pays {lamports} lamports and holds {held}")
        self.now[address] = held - lamports, mint, amount

    def _get(self, address: str, lamports: int) -> None:
        held, mint, amount = self.at(address)
        self.now[address] = held + lamports, mint, amount

    def _move(self, source: str, destination: str, amount: int) -> None:
        """Tokens; those of wrapped SOL are lamports too."""
        held, mint, tokens = self.at(source)
        lamports = amount if mint == SOL else 0
        if not amount:
            return
        if tokens < amount or not mint or self.at(destination)[1] != mint:
            raise Surprise(f"{amount} of {mint} move from {source} to {destination}")
        self.now[source] = held - lamports, mint, tokens - amount
        held, mint, tokens = self.at(destination)
        self.now[destination] = held + lamports, mint, tokens + amount

    def _take_all(self, address: str, heir: str) -> None:
        """An account is gone, and all its lamports are the heir's."""
        lamports = self.at(address)[0]
        self.now[address] = _NOTHING
        self._get(heir, lamports)

    def _rent(self, payer: str, address: str, rent: int) -> None:
        """A new account. What strangers sent there before counts."""
        lamports = self.at(address)[0]
        self._pay(payer, max(0, rent - lamports))
        self.now[address] = max(rent, lamports), "", 0

    def _ensure(self, payer: str, address: str, mint: str, program: str) -> None:
        """A token account, unless it is there."""
        if self.at(address)[1]:
            return
        self._rent(payer, address, _ACCOUNT_RENTS[program])
        lamports = self.at(address)[0]
        self.now[address] = lamports, mint, lamports - _ACCOUNT_RENTS[program] if mint == SOL else 0

    # --- the well-known programs

    def associates(self, call: Call) -> None:
        payer, account, _, mint, _, program = call.accounts[:6]
        self._ensure(payer, account, mint, program)

    def sends_lamports(self, call: Call) -> None:
        source, destination = call.accounts
        self._pay(source, call.number(4))
        self._get(destination, call.number(4))

    def sends_tokens(self, call: Call) -> None:
        self._move(call.accounts[0], call.accounts[1], call.number(1))

    def sends_tokens_checked(self, call: Call) -> None:
        self._move(call.accounts[0], call.accounts[2], call.number(1))

    def syncs(self, call: Call) -> None:
        lamports, mint, _ = self.at(call.accounts[0])
        self.now[call.accounts[0]] = lamports, mint, lamports - _ACCOUNT_RENTS[call.program]

    def closes_account(self, call: Call) -> None:
        account, heir = call.accounts[:2]
        _, mint, amount = self.at(account)
        if amount and mint != SOL:
            raise Surprise(f"{account} is closed with {amount} of {mint} in it")
        self._take_all(account, heir)

    # --- limit orders

    def opens_limit(self, call: Call) -> None:
        payer, maker, order, reserve, own, _, _, input_mint, output_mint, input_program = call.accounts[:10]
        expires_at, fee_bps, slippage_bps = _options(call.data[32:], (8, 2, 2))
        if self.order(order) is not None:
            raise Surprise(f"order {order} is opened twice")
        if expires_at is not None and expires_at < self.second:
            raise Surprise(f"order {order} is opened after its expiry")
        self._rent(payer, order, _ORDER_RENT)
        self._ensure(payer, reserve, input_mint, input_program)
        making, taking = call.number(16), call.number(24)
        self._move(own, reserve, making)
        fee_account = call.accounts[6] if call.accounts[6] != LIMIT else own_fee_account(output_mint, call.accounts[10])
        whole_fee_bps = OWN_FEE_BPS + (fee_bps or 0)
        if whole_fee_bps > _BPS_ONE:
            raise Surprise(f"order {order} is opened with a fee of {whole_fee_bps} basis points")
        self.became[order] = LimitSeen(
            maker,
            input_mint,
            output_mint,
            making,
            taking,
            expires_at,
            self.second,
            reserve,
            self.signature,
            making,
            taking,
            whole_fee_bps,
            fee_account,
            slippage_bps or 0,
        )

    def cancels_limit(self, call: Call) -> None:
        signer, maker, order, reserve, own = call.accounts[:5]
        seen = self.order(order)
        if not isinstance(seen, LimitSeen) or (seen.maker, seen.reserve) != (maker, reserve):
            raise Surprise(f"order {order} is cancelled, and not open, or not {maker}'s")
        if signer != maker and seen.making and (seen.expires_at is None or self.second <= seen.expires_at):
            raise Surprise(f"{signer} cancels order {order} of {maker} before its expiry")
        if own != LIMIT:
            self._move(reserve, own, self.at(reserve)[2])
        elif seen.input_mint != SOL:
            raise Surprise(f"order {order} pays {seen.input_mint} as lamports")
        self._take_all(reserve, maker)
        self._take_all(order, maker)
        self._ends_as(order, CANCELLED)

    def _ends_as(self, order: str, how: str) -> None:
        self.became[order] = None
        self.ended.setdefault(order, how)

    # --- recurring orders

    def opens_dca(self, call: Call) -> None:
        order, user, payer, input_mint, output_mint, own, inner, outer, _, program = call.accounts[:10]
        if self.order(order) is not None:
            raise Surprise(f"order {order} is opened twice")
        amount, per_round, interval = (call.number(at) for at in (16, 24, 32))
        self._rent(payer, order, _DCA_RENT)
        self._ensure(payer, inner, input_mint, program)
        self._ensure(payer, outer, output_mint, program)
        self._move(own, inner, amount)
        out_min, out_max, starts_at = _options(call.data[40:], (8, 8, 8))
        self.became[order] = DcaSeen(
            user,
            input_mint,
            output_mint,
            amount,
            0,
            per_round,
            interval,
            self.second,
            self.signature,
            (inner, outer),
            max(self.second, starts_at or 0),
            out_min or 0,
            out_max or 0,
        )

    def _dca_of(self, user: str, order: str) -> DcaSeen:
        seen = self.order(order)
        if not isinstance(seen, DcaSeen) or seen.user != user:
            raise Surprise(f"order {order} is not open, or not {user}'s")
        return seen

    def deposits(self, call: Call) -> None:
        user, order, inner, own = call.accounts[:4]
        seen, amount = self._dca_of(user, order), call.number(8)
        self._move(own, inner, amount)
        self.became[order] = replace(seen, deposited=seen.deposited + amount)

    def withdraws(self, call: Call) -> None:
        user, order, _, _, inner, own = call.accounts[:6]
        seen, amount = self._dca_of(user, order), call.number(8)
        if call.data[16] or amount > seen.left:
            raise Surprise(f"order {order} gives {amount} of {seen}")
        self._move(inner, own, amount)
        self.became[order] = replace(seen, withdrawn=seen.withdrawn + amount)

    def closes_dca(self, call: Call) -> None:
        user, order, input_mint, output_mint, inner, outer, own_input, own_output, _, program = call.accounts[:10]
        self._dca_of(user, order)
        for account, own, mint in ((inner, own_input, input_mint), (outer, own_output, output_mint)):
            amount = self.at(account)[2]
            # Published clients close the user's account for wrapped SOL next: it is there for them, whatever it is for.
            if amount or mint == SOL:
                self._ensure(user, own, mint, program)
            if mint != SOL:
                self._move(account, own, amount)
            self._take_all(account, user)
        self._take_all(order, user)
        self._ends_as(order, CANCELLED)


def _options(data: bytes, sizes: Sequence[int]) -> list[int | None]:
    """Numbers that may be absent, one after the other; what the data ends before is absent."""
    values: list[int | None] = []
    for size in sizes:
        is_there = bool(data) and data[0] == 1
        values.append(int.from_bytes(data[1 : 1 + size], "little") if is_there else None)
        data = data[1 + size * is_there :]
    return values


def own_fee_account(mint: str, program: str) -> str:
    """Where the program's own fees go."""
    seeds = [bytes(Pubkey.from_string(each)) for each in (RATES, program, mint)]
    return str(Pubkey.find_program_address(seeds, Pubkey.from_string(ASSOCIATED))[0])


def tag(name: str) -> bytes:
    return sha256(f"global:{name}".encode()).digest()[:8]


_CALLS: Final[Mapping[tuple[str, bytes], Callable[[Replay, Call], None]]] = {
    (_SYSTEM, (2).to_bytes(4, "little")): Replay.sends_lamports,
    (ASSOCIATED, b"\1"): Replay.associates,
    (LIMIT, tag("initialize_order")): Replay.opens_limit,
    (LIMIT, tag("cancel_order")): Replay.cancels_limit,
    (DCA, tag("open_dca_v2")): Replay.opens_dca,
    (DCA, tag("deposit")): Replay.deposits,
    (DCA, tag("withdraw")): Replay.withdraws,
    (DCA, tag("close_dca")): Replay.closes_dca,
}
_TAG_BYTES: Final = {_SYSTEM: 4, ASSOCIATED: 1, LIMIT: 8, DCA: 8}
_TOKEN_CALLS: Final[Mapping[int, Callable[[Replay, Call], None]]] = {
    3: Replay.sends_tokens,
    9: Replay.closes_account,
    12: Replay.sends_tokens_checked,
    17: Replay.syncs,
}


def limit_in(data: bytes) -> tuple[object, ...]:
    """What the account of a limit order says, in the order of `LimitSeen` up to `created_at`."""
    expires_at = int.from_bytes(data[249:257], "little") if data[248] else None
    at = 249 + 8 * data[248] + 2 + 32
    numbers = (int.from_bytes(data[place : place + 8], "little") for place in (224, 232))
    created_at = int.from_bytes(data[at : at + 8], "little")
    keys = (str(Pubkey(data[place : place + 32])) for place in (8, 40, 72))
    return (*keys, *numbers, expires_at, created_at)


def dca_in(data: bytes) -> tuple[object, ...]:
    """What the account of a recurring order says, in the order of `DcaSeen` up to `created_at`."""
    keys = (str(Pubkey(data[place : place + 32])) for place in (8, 40, 72))
    # in_deposited, in_withdrawn, in_amount_per_cycle, cycle_frequency, created_at
    numbers = (int.from_bytes(data[place : place + 8], "little") for place in (120, 128, 160, 168, 280))
    return (*keys, *numbers)

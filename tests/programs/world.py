"""A machine with both programs, wallets and mints, and instructions made of raw bytes.

Nothing here comes from our builders or decoders: discriminators, orders of accounts and layouts are written out again.
Signatures are not verified: an account that an instruction marks as a signer has signed.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from msgspec import Struct
from solders.account import Account
from solders.clock import Clock
from solders.hash import Hash
from solders.instruction import AccountMeta, Instruction
from solders.message import Message
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.solders import LiteSVM
from solders.transaction import VersionedTransaction
from solders.transaction_metadata import FailedTransactionMetadata, SimulatedTransactionInfo, TransactionMetadata

from countermand.solana.programs.artifacts import program_builds

LIMIT: Final = Pubkey.from_string("j1o2qRpjcyUwEvwtcfhEQefh773ZgjxcVRry7LDqg5X")
DCA: Final = Pubkey.from_string("DCA265Vj8a9CEuX1eb1LWRnDT7uK6q1xMipnNyatn23M")
LIMIT_EVENTS: Final = Pubkey.from_string("ArsDfE54RTkC3zhtzPdtvTtKw9XSV5w1PCTBFVGiLd52")
DCA_EVENTS: Final = Pubkey.from_string("Cspp27eGUDMXxPEdhmEXFVRn6Lt1L7xJyALF3nmnWoBj")
LIMIT_FEE: Final = Pubkey.from_string("27ZASRjinQgXKsrijKqb9xyRnH6W5KWgLSDveRghvHqc")
DCA_FEE: Final = Pubkey.from_string("CpoD6tWAsMDeyvVG2q2rD1JbDY6d4AujnvAn2NdrhZV2")
LIMIT_KEEPERS: Final = Pubkey.from_string("3QhDDPAoVcSULtNeptm4thJkty5xTQH9YQsZrvSkH45P")
DCA_KEEPERS: Final = Pubkey.from_string("GJSrS9Kerc4JQmKVyiV7Wf7yWdvY1QpfYZCVKDTGfTda")
AGGREGATOR: Final = Pubkey.from_string("JUP6LkbZbjS1jKKwapdHNy74zcZ3tLUZoi5QNyVTaV4")
INSTRUCTIONS: Final = Pubkey.from_string("Sysvar1nstructions1111111111111111111111111")
SYSTEM: Final = Pubkey.default()
TOKEN: Final = Pubkey.from_string("TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA")
TOKEN_2022: Final = Pubkey.from_string("TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb")
ASSOCIATED: Final = Pubkey.from_string("ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL")
WSOL: Final = Pubkey.from_string("So11111111111111111111111111111111111111112")
NATIVE: Final = Pubkey.from_string("So11111111111111111111111111111111111111111")
USDC: Final = Pubkey.from_string("EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v")
USDT: Final = Pubkey.from_string("Es9vMFrzaCERmJfrF4H2FYD4KCoNkY11McCe8BenwNYB")
JUP: Final = Pubkey.from_string("JUPyiwrYJFskUPiHa7hkeR8VUtAeFoSYbKedZNsDvCN")

ALICE, BOB, CAROL, PARTNER = (Pubkey(bytes([n]) * 32) for n in (0xA1, 0xB0, 0xCA, 0xFE))
KEEPER, SECOND_KEEPER = (Pubkey(bytes([n]) * 32) for n in (0xEE, 0xEF))
SPARKLE, TAXED, HOOKED, RULED = (Pubkey(bytes([n]) * 32) for n in (0x51, 0x52, 0x53, 0x54))
"""Mints of Token-2022: with metadata only, with a transfer fee, with a hook, and with a permanent delegate."""

NOW: Final = 1_760_000_000
WALLET_LAMPORTS: Final = 10**11
TOKENS: Final = 1_000_000
ORDER_RENT, DCA_RENT, TOKEN_RENT, TOKEN_2022_RENT = 3_480_000, 2_902_320, 2_039_280, 2_074_080
FEE_LAMPORTS: Final = 5_000
EVENT_TAG: Final = bytes.fromhex("e445a52e51cb9a1d")

Result = TransactionMetadata | FailedTransactionMetadata


def ata(owner: Pubkey, mint: Pubkey, program: Pubkey = TOKEN) -> Pubkey:
    return Pubkey.find_program_address([bytes(owner), bytes(program), bytes(mint)], ASSOCIATED)[0]


def order_key(maker: Pubkey, unique_id: int) -> tuple[Pubkey, int]:
    return Pubkey.find_program_address([b"order", bytes(maker), struct.pack("<Q", unique_id)], LIMIT)


def dca_key(user: Pubkey, input_mint: Pubkey, output_mint: Pubkey, idx: int) -> tuple[Pubkey, int]:
    seeds = [b"dca", bytes(user), bytes(input_mint), bytes(output_mint), struct.pack("<Q", idx)]
    return Pubkey.find_program_address(seeds, DCA)


def option(code: str, value: int | None) -> bytes:
    return b"\0" if value is None else b"\1" + struct.pack("<" + code, value)


def mint_data(decimals: int, *extensions: tuple[int, bytes]) -> bytes:
    base = struct.pack("<I32sQBBI32s", 1, bytes(ALICE), 10**15, decimals, 1, 0, bytes(32))
    if not extensions:
        return base
    return (
        base.ljust(165, b"\0")
        + b"\1"
        + b"".join(struct.pack("<HH", kind, len(body)) + body for kind, body in extensions)
    )


def token_data(mint: Pubkey, owner: Pubkey, amount: int) -> bytes:
    native = (1, TOKEN_RENT) if mint == WSOL else (0, 0)
    keys = bytes(mint), bytes(owner)
    return struct.pack("<32s32sQI32sBIQQI32s", *keys, amount, 0, bytes(32), 1, *native, 0, 0, bytes(32))


def keepers_data(*keepers: Pubkey) -> bytes:
    return bytes.fromhex("11fb51340700d76d") + struct.pack("<Q", len(keepers)) + b"".join(map(bytes, keepers))


def token_transfer(source: Pubkey, target: Pubkey, owner: Pubkey, amount: int) -> Instruction:
    metas = [writes(source), writes(target), AccountMeta(owner, is_signer=True, is_writable=False)]
    return Instruction(TOKEN, b"\3" + struct.pack("<Q", amount), metas)


def signs(key: Pubkey) -> AccountMeta:
    return AccountMeta(key, is_signer=True, is_writable=True)


def writes(key: Pubkey) -> AccountMeta:
    return AccountMeta(key, is_signer=False, is_writable=True)


def reads(key: Pubkey) -> AccountMeta:
    return AccountMeta(key, is_signer=False, is_writable=False)


def with_meta(instruction: Instruction, index: int, meta: AccountMeta) -> Instruction:
    metas = list(instruction.accounts)
    metas[index] = meta
    return Instruction(instruction.program_id, instruction.data, metas)


def with_key(instruction: Instruction, index: int, key: Pubkey) -> Instruction:
    old = instruction.accounts[index]
    return with_meta(instruction, index, AccountMeta(key, old.is_signer, old.is_writable))


def with_more(instruction: Instruction, *keys: Pubkey) -> Instruction:
    return Instruction(
        instruction.program_id, instruction.data, [*instruction.accounts, *(writes(key) for key in keys)]
    )


def with_data(instruction: Instruction, data: bytes) -> Instruction:
    return Instruction(instruction.program_id, data, list(instruction.accounts))


class Limit(Struct, frozen=True):
    """A limit order: 600 of a token for 5 of another, unless said otherwise."""

    maker: Pubkey = ALICE
    payer: Pubkey | None = None
    input_mint: Pubkey = USDC
    output_mint: Pubkey = JUP
    input_program: Pubkey = TOKEN
    output_program: Pubkey = TOKEN
    unique_id: int = 77
    making: int = 600
    taking: int = 5
    expired_at: int | None = None
    fee_bps: int | None = None
    referral: Pubkey | None = None
    slippage: bytes = b""

    @property
    def key(self) -> Pubkey:
        return order_key(self.maker, self.unique_id)[0]

    @property
    def reserve(self) -> Pubkey:
        return ata(self.key, self.input_mint, self.input_program)

    @property
    def maker_input(self) -> Pubkey:
        return ata(self.maker, self.input_mint, self.input_program)

    def initialize(self) -> Instruction:
        data = bytes.fromhex("856e4aaf709ff59f") + struct.pack("<QQQ", self.unique_id, self.making, self.taking)
        data += option("q", self.expired_at) + option("H", self.fee_bps) + self.slippage
        metas = [signs(self.payer or self.maker), AccountMeta(self.maker, is_signer=True, is_writable=False)]
        metas += [writes(self.key), writes(self.reserve), writes(self.maker_input)]
        metas += [reads(LIMIT_FEE), reads(self.referral or LIMIT), reads(self.input_mint), reads(self.output_mint)]
        metas += [
            reads(key) for key in (self.input_program, self.output_program, SYSTEM, ASSOCIATED, LIMIT_EVENTS, LIMIT)
        ]
        return Instruction(LIMIT, data, metas)

    def cancel(self, signer: Pubkey | None = None, *, to: Pubkey | None = None, lamports: bool = False) -> Instruction:
        """`lamports`: no token account is named, so wrapped SOL comes as lamports."""
        refund = reads(LIMIT) if lamports else writes(to or self.maker_input)
        metas = [
            AccountMeta(signer or self.maker, is_signer=True, is_writable=False),
            writes(self.maker),
            writes(self.key),
            writes(self.reserve),
            refund,
        ]
        metas += [reads(key) for key in (self.input_mint, self.input_program, LIMIT_EVENTS, LIMIT)]
        return Instruction(LIMIT, bytes.fromhex("5f81edf00831df84"), metas)

    @property
    def maker_output(self) -> Pubkey:
        return ata(self.maker, self.output_mint, self.output_program)

    @property
    def fee_account(self) -> Pubkey:
        return self.referral or ata(LIMIT_FEE, self.output_mint, self.output_program)

    @property
    def own_fee(self) -> list[AccountMeta]:
        """Where the program's own part of the fee goes, if the rest is a partner's."""
        own = ata(LIMIT_FEE, self.output_mint, self.output_program)
        return [reads(LIMIT_FEE), writes(own)] if self.referral else []

    def fill(
        self, amount: int, given: int | None = None, taker: Pubkey = BOB, *, lamports: bool = False, listed: bool = True
    ) -> Instruction:
        """`given`: what the taker gives, if not what the rate asks.

        `listed`: what is not published is named too, the keepers' account and the program's own for fees.
        """
        data = bytes.fromhex("e87a7319c78f88a2") + struct.pack("<Q", amount)
        data += struct.pack("<I", 0) if given is None else struct.pack("<IQ", 8, given)
        metas = [signs(taker), writes(self.maker), writes(self.key)]
        metas += [writes(ata(taker, self.input_mint, self.input_program))]
        metas += [writes(ata(taker, self.output_mint, self.output_program))]
        metas += [reads(LIMIT) if lamports else writes(self.maker_output), writes(self.fee_account)]
        metas += [writes(self.reserve), reads(self.input_mint), reads(self.input_program), reads(self.output_mint)]
        metas += [reads(key) for key in (self.output_program, AGGREGATOR, SYSTEM, LIMIT_EVENTS, LIMIT)]
        return Instruction(LIMIT, data, metas + [reads(LIMIT_KEEPERS), *self.own_fee] * listed)

    def pre_flash(self, amount: int, taker: Pubkey = BOB) -> Instruction:
        data = bytes.fromhex("f02f99440dbee12a") + struct.pack("<Q", amount)
        metas = [AccountMeta(taker, is_signer=True, is_writable=False), writes(self.key), writes(self.reserve)]
        metas += [writes(ata(taker, self.input_mint, self.input_program))]
        return Instruction(
            LIMIT, data, metas + [reads(key) for key in (self.input_mint, self.input_program, INSTRUCTIONS)]
        )

    def flash(self, most: int, taker: Pubkey = BOB, *, lamports: bool = False, listed: bool = True) -> Instruction:
        data = bytes.fromhex("fc681286a44e128c") + struct.pack("<Q", most)
        metas = [signs(taker), writes(self.maker), writes(self.key), writes(self.reserve)]
        if lamports:
            metas += [reads(LIMIT), reads(LIMIT)]
        else:
            metas += [writes(self.maker_output), writes(ata(taker, self.output_mint, self.output_program))]
        metas += [writes(self.fee_account), reads(self.input_program), reads(self.output_mint)]
        metas += [reads(key) for key in (self.output_program, SYSTEM, LIMIT_EVENTS, LIMIT)]
        return Instruction(LIMIT, data, metas + self.own_fee * listed)

    def cancel_dust(self, dollar: int, signer: Pubkey = KEEPER) -> Instruction:
        """`dollar`: how much of the input is worth one."""
        metas = [signs(signer), writes(self.maker), writes(self.key), writes(self.reserve), writes(self.maker_input)]
        metas += [reads(self.input_mint), reads(self.input_program)]
        metas += [reads(key) for key in (SYSTEM, ASSOCIATED, LIMIT_EVENTS, LIMIT, LIMIT_KEEPERS)]
        return Instruction(LIMIT, bytes.fromhex("c570bda44f3017f6") + struct.pack("<Q", dollar), metas)


class Recurring(Struct, frozen=True):
    """A recurring order: 1000 of a token, 100 a minute, unless said otherwise."""

    user: Pubkey = ALICE
    payer: Pubkey | None = None
    input_mint: Pubkey = USDC
    output_mint: Pubkey = JUP
    idx: int = NOW
    in_amount: int = 1000
    per_cycle: int = 100
    frequency: int = 60
    min_out: int | None = None
    max_out: int | None = None
    start_at: int | None = None

    @property
    def key(self) -> Pubkey:
        return dca_key(self.user, self.input_mint, self.output_mint, self.idx)[0]

    @property
    def in_ata(self) -> Pubkey:
        return ata(self.key, self.input_mint)

    @property
    def out_ata(self) -> Pubkey:
        return ata(self.key, self.output_mint)

    @property
    def user_in(self) -> Pubkey:
        return ata(self.user, self.input_mint)

    @property
    def user_out(self) -> Pubkey:
        return ata(self.user, self.output_mint)

    def _arguments(self) -> bytes:
        data = struct.pack("<QQQq", self.idx, self.in_amount, self.per_cycle, self.frequency)
        return data + option("Q", self.min_out) + option("Q", self.max_out) + option("q", self.start_at)

    def _places(self) -> list[AccountMeta]:
        metas = [reads(self.input_mint), reads(self.output_mint)]
        metas += [writes(self.user_in), writes(self.in_ata), writes(self.out_ata)]
        return metas + [reads(key) for key in (SYSTEM, TOKEN, ASSOCIATED, DCA_EVENTS, DCA)]

    def open_v2(self) -> Instruction:
        user = AccountMeta(self.user, is_signer=True, is_writable=False)
        metas = [writes(self.key), user, signs(self.payer or self.user), *self._places()]
        return Instruction(DCA, bytes.fromhex("8e772b6da2340bb1") + self._arguments(), metas)

    def open(self, close_wrapped: bool | None = None) -> Instruction:
        data = bytes.fromhex("2441b93601d264a3") + self._arguments() + option("B", close_wrapped)
        return Instruction(DCA, data, [writes(self.key), signs(self.user), *self._places()])

    def deposit(self, amount: int) -> Instruction:
        metas = [signs(self.user), writes(self.key), writes(self.in_ata), writes(self.user_in)]
        metas += [reads(key) for key in (TOKEN, DCA_EVENTS, DCA)]
        return Instruction(DCA, bytes.fromhex("f223c68952e1f2b6") + struct.pack("<Q", amount), metas)

    def withdraw(self, amount: int, *, output: bool = False) -> Instruction:
        data = bytes.fromhex("b712469c946da122") + struct.pack("<QB", amount, output)
        metas = [signs(self.user), writes(self.key), reads(self.input_mint), reads(self.output_mint)]
        metas += [writes(self.out_ata if output else self.in_ata)]
        metas += [reads(DCA), writes(self.user_out)] if output else [writes(self.user_in), reads(DCA)]
        return Instruction(DCA, data, metas + [reads(key) for key in (SYSTEM, TOKEN, ASSOCIATED, DCA_EVENTS, DCA)])

    def close(self) -> Instruction:
        metas = [signs(self.user), writes(self.key), reads(self.input_mint), reads(self.output_mint)]
        metas += [writes(key) for key in (self.in_ata, self.out_ata, self.user_in, self.user_out)]
        metas += [reads(key) for key in (SYSTEM, TOKEN, ASSOCIATED, DCA_EVENTS, DCA)]
        return Instruction(DCA, bytes.fromhex("16072162a8b722f3"), metas)

    def initiate(self, keeper: Pubkey = KEEPER) -> Instruction:
        metas = [signs(keeper), writes(self.key), reads(self.input_mint), writes(ata(keeper, self.input_mint))]
        metas += [writes(self.in_ata), reads(self.out_ata)]
        metas += [reads(key) for key in (INSTRUCTIONS, SYSTEM, TOKEN, ASSOCIATED, DCA_KEEPERS)]
        return Instruction(DCA, bytes.fromhex("8fcd03bfa2d7f531"), metas)

    def swap(self, amount: int, keeper: Pubkey = KEEPER) -> Instruction:
        """The keeper brings output of its own."""
        return token_transfer(ata(keeper, self.output_mint), self.out_ata, keeper, amount)

    def fulfill(self, repaid: int, keeper: Pubkey = KEEPER) -> Instruction:
        metas = [signs(keeper), writes(self.key), reads(self.input_mint), reads(self.output_mint)]
        metas += [reads(ata(keeper, self.input_mint)), reads(self.in_ata), reads(self.out_ata), reads(DCA_FEE)]
        metas += [writes(ata(DCA_FEE, self.output_mint))]
        metas += [reads(key) for key in (INSTRUCTIONS, SYSTEM, TOKEN, ASSOCIATED, DCA_EVENTS, DCA, DCA_KEEPERS)]
        return Instruction(DCA, bytes.fromhex("7340e24e21d369a2") + struct.pack("<Q", repaid), metas)

    def cycle(self, repaid: int, keeper: Pubkey = KEEPER) -> list[Instruction]:
        return [self.initiate(keeper), self.swap(repaid, keeper), self.fulfill(repaid, keeper)]

    @property
    def intermediate(self) -> Pubkey:
        return Pubkey.find_program_address([b"intermediate", bytes(self.key)], DCA)[0]

    def transfer(self, keeper: Pubkey = KEEPER, *, lamports: bool = False) -> Instruction:
        metas = [signs(keeper), writes(self.key), writes(self.user), reads(self.output_mint), writes(self.out_ata)]
        metas += [reads(DCA), writes(self.intermediate)] if lamports else [writes(self.user_out), reads(DCA)]
        metas += [reads(key) for key in (SYSTEM, TOKEN, ASSOCIATED, DCA_EVENTS, DCA, DCA_KEEPERS)]
        return Instruction(DCA, bytes.fromhex("a334c8e78c0345ba"), metas)

    def end(
        self, keeper: Pubkey = KEEPER, *, account: str = "user_out", strays: bool = False, named: bool = True
    ) -> Instruction:
        """`account`: which of the two places for the user's account is used, or `none`. `strays`: the user's account
        for input that does not belong to the order is named too. `named`: the keepers' account is."""
        metas = [signs(keeper), writes(self.key), reads(self.input_mint), reads(self.output_mint)]
        metas += [writes(self.in_ata), writes(self.out_ata), writes(self.user)]
        metas += [writes(self.user_out) if account == place else reads(DCA) for place in ("user_out", "init")]
        metas += [reads(key) for key in (DCA, SYSTEM, TOKEN, ASSOCIATED, DCA_EVENTS, DCA)]
        metas += [reads(DCA_KEEPERS)] * named + [writes(self.user_in)] * strays
        return Instruction(DCA, bytes.fromhex("537da645f7fc6785"), metas)


@dataclass(slots=True)
class World:
    """The wallets have lamports, Alice and Bob tokens of each mint in their associated accounts."""

    svm: LiteSVM = field(default_factory=LiteSVM)
    now: int = NOW

    def __post_init__(self) -> None:
        self.svm.set_transaction_history(0)
        self.svm.set_blockhash_check(check=False)
        self.svm.set_sigverify(sigverify=False)
        for address, elf in program_builds().items():
            self.svm.add_program(Pubkey.from_string(address), elf)
        self.at(NOW)
        for wallet in (ALICE, BOB, CAROL, PARTNER, KEEPER, SECOND_KEEPER):
            self.put(wallet, Account(WALLET_LAMPORTS, b"", SYSTEM))
        for program, keepers in ((LIMIT, LIMIT_KEEPERS), (DCA, DCA_KEEPERS)):
            self.put(keepers, Account(10**7, keepers_data(SECOND_KEEPER, KEEPER), program))
        fee = (1, bytes(64) + bytes(8 + 8 + 18 + 18))
        hook = (14, bytes(32) + bytes([7]) * 32)
        for mint, decimals in {USDC: 6, USDT: 6, JUP: 6, WSOL: 9}.items():
            self.mint(mint, decimals)
        self.mint(SPARKLE, 6, (18, bytes(64)), (19, b"name"), program=TOKEN_2022)
        self.mint(TAXED, 6, fee, program=TOKEN_2022)
        self.mint(HOOKED, 6, hook, program=TOKEN_2022)
        self.mint(RULED, 6, (12, bytes([9]) * 32), program=TOKEN_2022)
        for mint in (USDC, USDT, JUP, WSOL):
            self.fund(LIMIT_FEE, mint, 0)
        self.fund(LIMIT_FEE, SPARKLE, 0, program=TOKEN_2022)
        for wallet in (ALICE, BOB, KEEPER):
            for mint in (USDC, USDT, JUP, WSOL):
                self.fund(wallet, mint, TOKENS)
            for mint in (SPARKLE, TAXED, HOOKED, RULED):
                self.fund(wallet, mint, TOKENS, program=TOKEN_2022)

    def at(self, unix_time: int) -> None:
        self.now = unix_time
        self.svm.set_clock(Clock(1_000, 0, 2, 3, unix_time))

    def put(self, key: Pubkey, account: Account) -> None:
        self.svm.set_account(key, account)

    def mint(self, key: Pubkey, decimals: int, *extensions: tuple[int, bytes], program: Pubkey = TOKEN) -> None:
        self.put(key, Account(10**7, mint_data(decimals, *extensions), program))

    def fund(
        self, owner: Pubkey, mint: Pubkey, amount: int, program: Pubkey = TOKEN, at: Pubkey | None = None
    ) -> Pubkey:
        """Sets the balance of a token account, by default of the associated one."""
        account = at or ata(owner, mint, program)
        lamports = TOKEN_RENT + (amount if mint == WSOL else 0)
        self.put(account, Account(lamports, token_data(mint, owner, amount), program))
        return account

    def remove(self, key: Pubkey) -> None:
        self.put(key, Account(0, b"", SYSTEM))

    def patch(self, key: Pubkey, offset: int, data: bytes) -> None:
        """Overwrites a part of an account's data, as no program would."""
        account = self.account(key)
        changed = account.data[:offset] + data + account.data[offset + len(data) :]
        self.put(key, replace_data(account, changed))

    def account(self, key: Pubkey) -> Account:
        found = self.svm.get_account(key)
        assert found is not None, f"there is no account {key}"
        return found

    def exists(self, key: Pubkey) -> bool:
        found = self.svm.get_account(key)
        return found is not None and (found.lamports > 0 or found.data != b"")

    def lamports(self, key: Pubkey) -> int:
        return self.svm.get_balance(key) or 0

    def tokens(self, key: Pubkey) -> int:
        return int(struct.unpack_from("<Q", self.account(key).data, 64)[0])

    def send(self, *instructions: Instruction, payer: Pubkey = CAROL) -> Result:
        return self.svm.send_transaction(transaction(instructions, payer))

    def simulate(
        self, *instructions: Instruction, payer: Pubkey = CAROL
    ) -> SimulatedTransactionInfo | FailedTransactionMetadata:
        return self.svm.simulate_transaction(transaction(instructions, payer))

    def does(self, *instructions: Instruction, payer: Pubkey = CAROL) -> TransactionMetadata:
        """Sends and expects success. Carol pays the network's fee, so that no other wallet's lamports show it."""
        result = self.send(*instructions, payer=payer)
        assert isinstance(result, TransactionMetadata), (result.err(), result.meta().logs())
        return result

    def refuses(self, *instructions: Instruction, payer: Pubkey = CAROL) -> int | str:
        """Sends and expects a failure: the custom error's number, or the name of another error."""
        result = self.send(*instructions, payer=payer)
        assert isinstance(result, FailedTransactionMetadata), "it went through"
        return error_of(result)


def replace_data(account: Account, data: bytes) -> Account:
    return Account(account.lamports, data, account.owner, account.executable)


def transaction(instructions: Sequence[Instruction], payer: Pubkey) -> VersionedTransaction:
    message = Message.new_with_blockhash(list(instructions), payer, Hash.default())
    return VersionedTransaction.populate(message, [Signature.default()] * message.header.num_required_signatures)


def error_of(result: FailedTransactionMetadata) -> int | str:
    error = result.err()
    inner = getattr(error, "err", error)
    return int(inner.code) if hasattr(inner, "code") else str(inner).rsplit(".", 1)[-1]


def events(result: TransactionMetadata) -> list[bytes]:
    """What a program told by calling itself, without the tag of events."""
    calls = [bytes(call.instruction().data) for calls in result.inner_instructions() for call in calls]
    return [data[8:] for data in calls if data[:8] == EVENT_TAG]

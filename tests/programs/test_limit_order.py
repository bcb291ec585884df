"""The limit-order program on a real virtual machine: what it writes, what it moves, and what it refuses."""

import hashlib
import struct

import pytest
from solders.account import Account
from solders.instruction import Instruction
from solders.pubkey import Pubkey
from solders.rent import Rent

from countermand.solana.programs.artifacts import program_builds
from countermand.values.structs import replace
from tests.programs.world import (
    ALICE,
    BOB,
    CAROL,
    DCA,
    DCA_EVENTS,
    FEE_LAMPORTS,
    HOOKED,
    JUP,
    LIMIT,
    LIMIT_EVENTS,
    LIMIT_FEE,
    NOW,
    ORDER_RENT,
    PARTNER,
    RULED,
    SPARKLE,
    SYSTEM,
    TAXED,
    TOKEN,
    TOKEN_2022,
    TOKEN_2022_RENT,
    TOKEN_RENT,
    TOKENS,
    USDC,
    USDT,
    WALLET_LAMPORTS,
    Limit,
    World,
    ata,
    events,
    order_key,
    reads,
    signs,
    with_data,
    with_key,
    writes,
)

ALREADY_IN_USE = 0
INSUFFICIENT_FUNDS = 1
U64_MAX = 2**64 - 1


def order_bytes(order: Limit, *, fee_bps: int, fee_account: Pubkey, created: int = NOW) -> bytes:
    """The published layout, written out."""
    keys = (order.maker, order.input_mint, order.output_mint, order.input_program, order.output_program, order.reserve)
    data = bytes.fromhex("86addfb94d561c33") + b"".join(map(bytes, keys))
    data += struct.pack("<QQQQQQ", order.unique_id, order.making, order.taking, order.making, order.taking, 0)
    data += b"\0" if order.expired_at is None else struct.pack("<Bq", 1, order.expired_at)
    data += struct.pack(
        "<H32sqqB", fee_bps, bytes(fee_account), created, created, order_key(order.maker, order.unique_id)[1]
    )
    return data.ljust(372, b"\0")


def test_the_addresses_in_the_source_are_derived_from_the_programs() -> None:
    for program, authority in ((LIMIT, LIMIT_EVENTS), (DCA, DCA_EVENTS)):
        assert Pubkey.find_program_address([b"__event_authority"], program)[0] == authority
    assert Pubkey.find_program_address([b"fee"], LIMIT)[0] == LIMIT_FEE


@pytest.mark.parametrize(
    ("name", "discriminator"),
    [
        ("global:initialize_order", "856e4aaf709ff59f"),
        ("global:cancel_order", "5f81edf00831df84"),
        ("account:Order", "86addfb94d561c33"),
        ("event:CreateOrderEvent", "318e48a6e61d5454"),
        ("event:CancelOrderEvent", "ae428d1104e0a24d"),
        ("anchor:event", "1d9acb512ea545e4"),
    ],
)
def test_discriminators_begin_the_hash_of_a_name(name: str, discriminator: str) -> None:
    begin = hashlib.sha256(name.encode()).digest()[:8]
    assert discriminator in {begin.hex(), begin[::-1].hex()}


class TestInitialize:
    def test_escrows_the_input_and_writes_the_order(self, world: World) -> None:
        order = Limit()
        world.does(order.initialize())
        account = world.account(order.key)
        assert (account.owner, account.lamports) == (LIMIT, ORDER_RENT)
        assert account.data == order_bytes(order, fee_bps=10, fee_account=ata(LIMIT_FEE, JUP))
        assert world.tokens(order.reserve) == 600
        assert world.tokens(order.maker_input) == TOKENS - 600
        assert world.lamports(order.reserve) == TOKEN_RENT
        assert world.lamports(ALICE) == WALLET_LAMPORTS - ORDER_RENT - TOKEN_RENT
        assert world.lamports(CAROL) == WALLET_LAMPORTS - 2 * FEE_LAMPORTS

    def test_tells_what_was_created(self, world: World) -> None:
        order = Limit(expired_at=NOW + 60)
        told = events(world.does(order.initialize()))
        keys = (order.key, ALICE, USDC, JUP, TOKEN, TOKEN)
        expected = bytes.fromhex("318e48a6e61d5454") + b"".join(map(bytes, keys)) + struct.pack("<QQ", 600, 5)
        expected += struct.pack("<BqH", 1, NOW + 60, 10) + bytes(ata(LIMIT_FEE, JUP)) + b"\0\0"
        assert told == [expected]

    def test_an_expiry_moves_the_fields_after_it(self, world: World) -> None:
        order = Limit(expired_at=NOW + 60)
        world.does(order.initialize())
        data = world.account(order.key).data
        assert data == order_bytes(order, fee_bps=10, fee_account=ata(LIMIT_FEE, JUP))
        assert (data[248], data[307], data[299]) == (1, order_key(ALICE, 77)[1], 0)

    def test_another_wallet_may_pay(self, world: World) -> None:
        order = Limit(payer=PARTNER)
        world.does(order.initialize())
        assert world.lamports(PARTNER) == WALLET_LAMPORTS - ORDER_RENT - TOKEN_RENT
        assert world.lamports(ALICE) == WALLET_LAMPORTS

    @pytest.mark.parametrize(("seconds", "refusal"), [(-1, 6017), (0, None), (1, None), (-NOW - 1, 6017)])
    def test_an_order_may_not_be_expired_at_birth(self, world: World, seconds: int, refusal: int | None) -> None:
        initialize = Limit(expired_at=NOW + seconds).initialize()
        if refusal is None:
            world.does(initialize)
        else:
            assert world.refuses(initialize) == refusal

    def test_amounts(self, world: World) -> None:
        assert world.refuses(Limit(making=0).initialize()) == 6000
        assert world.refuses(Limit(taking=0).initialize()) == 6001
        assert world.refuses(Limit(making=TOKENS + 1).initialize()) == INSUFFICIENT_FUNDS
        assert world.refuses(Limit(making=U64_MAX).initialize()) == INSUFFICIENT_FUNDS
        world.does(Limit(making=TOKENS, taking=U64_MAX, unique_id=U64_MAX).initialize())

    def test_the_same_order_again_is_refused_and_can_be_opened_again_after_its_cancel(self, world: World) -> None:
        order = Limit()
        world.does(order.initialize())
        before = world.account(order.key)
        assert world.refuses(order.initialize()) == ALREADY_IN_USE
        assert world.account(order.key) == before
        world.does(order.cancel())
        world.does(order.initialize())

    @pytest.mark.parametrize("lamports", [1, 890_880, ORDER_RENT, 10 * ORDER_RENT])
    def test_lamports_at_the_address_do_not_block_it_and_end_with_the_maker(self, world: World, lamports: int) -> None:
        order = Limit()
        world.put(order.key, Account(lamports, b"", SYSTEM))
        world.put(order.reserve, Account(lamports, b"", SYSTEM))
        world.does(order.initialize())
        assert world.lamports(order.key) == max(lamports, ORDER_RENT)
        assert world.lamports(order.reserve) == max(lamports, TOKEN_RENT)
        assert world.account(order.key).data == order_bytes(order, fee_bps=10, fee_account=ata(LIMIT_FEE, JUP))
        world.does(order.cancel())
        assert world.lamports(ALICE) == WALLET_LAMPORTS + 2 * lamports

    def test_a_reserve_that_a_stranger_made_and_filled_is_not_part_of_the_order(self, world: World) -> None:
        order = Limit()
        world.fund(order.key, USDC, 33)
        world.does(order.initialize())
        assert world.account(order.key).data == order_bytes(order, fee_bps=10, fee_account=ata(LIMIT_FEE, JUP))
        assert world.tokens(order.reserve) == 633
        world.does(order.cancel())
        assert world.tokens(order.maker_input) == TOKENS + 33

    def test_any_account_of_the_maker_for_the_mint_can_pay(self, world: World) -> None:
        other = world.fund(ALICE, USDC, 900, at=Pubkey(bytes([3]) * 32))
        world.does(with_key(Limit().initialize(), 4, other))
        assert world.tokens(other) == 300

    def test_a_pair_has_two_mints(self, world: World) -> None:
        assert world.refuses(Limit(output_mint=USDC).initialize()) == 6006

    def test_what_follows_the_arguments_is_ignored(self, world: World) -> None:
        initialize = Limit().initialize()
        extra = [reads(USDT), writes(BOB), reads(ALICE), reads(BOB), signs(CAROL)]
        longer = Instruction(LIMIT, bytes(initialize.data) + b"\0\1\5", [*initialize.accounts, *extra])
        world.does(longer)
        assert world.account(Limit().key).data == order_bytes(Limit(), fee_bps=10, fee_account=ata(LIMIT_FEE, JUP))

    @pytest.mark.parametrize("given", [Limit(), Limit(expired_at=NOW + 5, fee_bps=20, referral=ata(BOB, JUP))])
    def test_arguments_that_end_too_early_are_refused(self, world: World, given: Limit) -> None:
        initialize = given.initialize()
        for length in range(len(initialize.data)):
            expected = 100 if length < 8 else 102
            assert world.refuses(with_data(initialize, bytes(initialize.data)[:length])) == expected

    @pytest.mark.parametrize("position", [32, 33, 34])
    def test_an_option_is_there_or_not(self, world: World, position: int) -> None:
        data = bytearray(Limit().initialize().data) + bytes(8)
        data[position] = 2
        assert world.refuses(with_data(Limit().initialize(), bytes(data))) == 102


class TestSlippage:
    """The newest argument, which the published samples do not have: two bytes after the bump, and after the event."""

    @pytest.mark.parametrize("expired_at", [None, NOW + 60])
    @pytest.mark.parametrize("bps", [0, 1, 69, 10_000])
    def test_account_and_event_end_with_it(self, world: World, bps: int, expired_at: int | None) -> None:
        order = Limit(expired_at=expired_at, slippage=struct.pack("<BH", 1, bps))
        told = events(world.does(order.initialize()))
        plain = order_bytes(order, fee_bps=10, fee_account=ata(LIMIT_FEE, JUP))
        bump_at = 299 + (8 if expired_at else 0)
        expected = plain[: bump_at + 1] + struct.pack("<H", bps) + plain[bump_at + 3 :]
        assert world.account(order.key).data == expected
        assert told[0].endswith(bytes(ata(LIMIT_FEE, JUP)) + struct.pack("<H", bps))
        world.does(order.cancel())

    def test_none_is_none(self, world: World) -> None:
        order = Limit(slippage=b"\0")
        world.does(order.initialize())
        assert world.account(order.key).data == order_bytes(order, fee_bps=10, fee_account=ata(LIMIT_FEE, JUP))

    @pytest.mark.parametrize(("slippage", "refusal"), [(b"\1", 102), (b"\1\5", 102), (b"\2\5\0", 102)])
    def test_it_is_whole_or_not_there(self, world: World, slippage: bytes, refusal: int) -> None:
        assert world.refuses(Limit(slippage=slippage).initialize()) == refusal

    @pytest.mark.parametrize("bps", [10_001, 65_535])
    def test_it_is_at_most_everything(self, world: World, bps: int) -> None:
        assert world.refuses(Limit(slippage=struct.pack("<BH", 1, bps)).initialize()) == 6022


class TestWhoseTokens:
    """The account that pays at the beginning, and the one that is paid at the end."""

    def test_it_is_a_token_account(self, world: World) -> None:
        order = Limit()
        world.does(order.initialize())
        for wrong in (ALICE, USDC, Pubkey(bytes([8]) * 32), ata(ALICE, SPARKLE, TOKEN_2022)):
            assert world.refuses(with_key(replace(order, unique_id=2).initialize(), 4, wrong)) == 3012
            assert world.refuses(order.cancel(to=wrong)) == 3012

    def test_it_is_in_use(self, world: World) -> None:
        order = Limit()
        world.does(order.initialize())
        world.patch(order.maker_input, 108, b"\0")
        assert world.refuses(replace(order, unique_id=2).initialize()) == 3012
        assert world.refuses(order.cancel()) == 3012

    def test_it_is_for_the_input(self, world: World) -> None:
        order = Limit()
        world.does(order.initialize())
        assert world.refuses(with_key(replace(order, unique_id=2).initialize(), 4, ata(ALICE, USDT))) == 2014
        assert world.refuses(order.cancel(to=ata(ALICE, USDT))) == 2014

    def test_it_is_the_makers(self, world: World) -> None:
        order = Limit()
        world.does(order.initialize())
        assert world.refuses(with_key(replace(order, unique_id=2).initialize(), 4, ata(BOB, USDC))) == 2015
        assert world.refuses(order.cancel(to=ata(BOB, USDC))) == 2015
        assert world.refuses(order.cancel(to=order.reserve)) == 2015

    def test_a_delegate_is_not_the_maker(self, world: World) -> None:
        world.patch(ata(ALICE, USDC), 72, struct.pack("<I", 1) + bytes(BOB))
        world.patch(ata(ALICE, USDC), 121, struct.pack("<Q", TOKENS))
        theirs = with_key(Limit(maker=BOB).initialize(), 4, ata(ALICE, USDC))
        assert world.refuses(theirs) == 2015


class TestFees:
    """They are not paid before a fill, but an order remembers them."""

    def fee(self, world: World, order: Limit) -> tuple[int, Pubkey]:
        data = world.account(order.key).data
        bps, account = struct.unpack_from("<H32s", data, 249)
        return bps, Pubkey(account)

    def test_two_dollars_cost_less(self, world: World) -> None:
        order = Limit(output_mint=USDT)
        world.does(order.initialize())
        assert self.fee(world, order) == (3, ata(LIMIT_FEE, USDT))

    def test_the_fee_account_sets_the_programs_own(self, world: World) -> None:
        world.put(LIMIT_FEE, Account(10**7, bytes.fromhex("183796faa81b65b2") + struct.pack("<HH", 700, 8), LIMIT))
        world.does(Limit().initialize())
        assert self.fee(world, Limit())[0] == 700
        world.does(Limit(output_mint=USDT, unique_id=2).initialize())
        assert self.fee(world, Limit(unique_id=2))[0] == 8
        partner = world.fund(PARTNER, JUP, 0)
        world.does(Limit(unique_id=3, fee_bps=9_300, referral=partner).initialize())
        assert self.fee(world, Limit(unique_id=3)) == (10_000, partner)
        assert world.refuses(Limit(unique_id=4, fee_bps=9_301, referral=partner).initialize()) == 6019

    def test_a_fee_account_with_other_data_is_refused(self, world: World) -> None:
        world.put(LIMIT_FEE, Account(10**7, bytes(12), LIMIT))
        assert world.refuses(Limit().initialize()) == 3002
        world.put(LIMIT_FEE, Account(10**7, bytes.fromhex("183796faa81b65b2") + bytes(3), LIMIT))
        assert world.refuses(Limit().initialize()) == 3002
        world.put(LIMIT_FEE, Account(10**7, bytes.fromhex("183796faa81b65b2") + bytes(4), DCA))
        assert world.refuses(Limit().initialize()) == 3007

    @pytest.mark.parametrize(("asked", "remembered"), [(None, 10), (0, 10), (9, 19), (30, 40), (9_990, 10_000)])
    def test_a_partners_fee_comes_on_top(self, world: World, asked: int | None, remembered: int) -> None:
        account = world.fund(PARTNER, JUP, 0)
        order = Limit(fee_bps=asked, referral=account)
        told = events(world.does(order.initialize()))
        assert self.fee(world, order) == (remembered, account)
        assert told[0].endswith(struct.pack("<H32sH", remembered, bytes(account), 0))

    def test_a_partners_fee_needs_its_account_and_a_limit(self, world: World) -> None:
        account = world.fund(PARTNER, JUP, 0)
        assert world.refuses(Limit(fee_bps=20).initialize()) == 6019
        for bps in (9_991, 10_000, 10_001, 65_535):
            assert world.refuses(Limit(fee_bps=bps, referral=account).initialize()) == 6019
        dollars = Limit(output_mint=USDT, fee_bps=9_997, referral=world.fund(PARTNER, USDT, 0))
        assert world.refuses(replace(dollars, fee_bps=9_998).initialize()) == 6019
        world.does(dollars.initialize())
        assert self.fee(world, dollars)[0] == 10_000

    def test_a_partners_account_holds_the_output(self, world: World) -> None:
        assert world.refuses(Limit(referral=ata(BOB, USDC)).initialize()) == 2014
        assert world.refuses(Limit(referral=PARTNER).initialize()) == 3012
        assert world.refuses(Limit(referral=ata(BOB, SPARKLE, TOKEN_2022)).initialize()) == 3012
        assert world.refuses(Limit(referral=JUP).initialize()) == 3012


class TestToken2022:
    def test_a_mint_without_fee_or_hook_is_taken_on_either_side(self, world: World) -> None:
        sold = Limit(input_mint=SPARKLE, input_program=TOKEN_2022)
        bought = Limit(output_mint=SPARKLE, output_program=TOKEN_2022, unique_id=2)
        world.does(sold.initialize())
        world.does(bought.initialize())
        fee_account = ata(LIMIT_FEE, SPARKLE, TOKEN_2022)
        assert world.account(bought.key).data == order_bytes(bought, fee_bps=10, fee_account=fee_account)
        assert world.lamports(sold.reserve) == TOKEN_2022_RENT
        world.does(sold.cancel())
        assert world.tokens(sold.maker_input) == TOKENS
        world.does(bought.cancel())
        assert world.lamports(ALICE) == WALLET_LAMPORTS

    @pytest.mark.parametrize(("mint", "refusal"), [(TAXED, 6020), (HOOKED, 6027), (RULED, 6027)])
    def test_a_mint_that_takes_or_calls_is_refused_on_either_side(
        self, world: World, mint: Pubkey, refusal: int
    ) -> None:
        assert world.refuses(Limit(input_mint=mint, input_program=TOKEN_2022).initialize()) == refusal
        assert world.refuses(Limit(output_mint=mint, output_program=TOKEN_2022).initialize()) == refusal

    @pytest.mark.parametrize("kind", [1, 2, 5, 9, 14, 16, 24, 26, 40, 63, 64, 67, 82, 255, 65_535])
    def test_extensions_that_are_not_known_to_be_harmless_are_refused(self, world: World, kind: int) -> None:
        world.mint(SPARKLE, 6, (18, bytes(64)), (kind, bytes(8)), program=TOKEN_2022)
        refusal = 6020 if kind == 1 else 6027
        assert world.refuses(Limit(output_mint=SPARKLE, output_program=TOKEN_2022).initialize()) == refusal

    def test_an_extension_that_runs_past_the_end_is_refused(self, world: World) -> None:
        world.mint(SPARKLE, 6, (18, bytes(64)), (19, bytes(3)), program=TOKEN_2022)
        world.patch(SPARKLE, 166 + 68 + 2, b"\4\0")
        assert world.refuses(Limit(output_mint=SPARKLE, output_program=TOKEN_2022).initialize()) == 6027

    def test_program_and_mint_belong_together(self, world: World) -> None:
        assert world.refuses(Limit(output_program=TOKEN_2022).initialize()) == 3007
        assert world.refuses(Limit(output_mint=SPARKLE).initialize()) == 3007
        assert world.refuses(Limit(input_program=TOKEN_2022).initialize()) == 3007
        assert world.refuses(Limit(input_program=SYSTEM).initialize()) == 3008


@pytest.mark.parametrize("size", [0, 81, 83, 165, 166, 355])
def test_a_mint_has_the_size_of_a_mint(world: World, size: int) -> None:
    data = world.account(JUP).data.ljust(size, b"\1")[:size]
    for program in (TOKEN, TOKEN_2022):
        world.put(JUP, Account(10**7, data, program))
        initialize = Limit(output_program=program).initialize()
        if (program, size) == (TOKEN_2022, 166):
            world.does(initialize)  # An empty list of extensions is one.
        else:
            assert world.refuses(initialize) == 3003


def test_a_mint_is_initialized(world: World) -> None:
    world.patch(JUP, 45, b"\0")
    assert world.refuses(Limit().initialize()) == 3012


@pytest.mark.parametrize("data", [b"", b"\0" * 7, b"\0" * 8, bytes.fromhex("e8fdc3f794d449de") + bytes(8)])
def test_what_it_does_not_know_is_refused(world: World, data: bytes) -> None:
    assert world.refuses(with_data(Limit().cancel(), data)) == (100 if len(data) < 8 else 101)


def test_too_few_accounts_are_refused(world: World) -> None:
    order = Limit()
    world.does(order.initialize())
    for instruction in (replace(order, unique_id=5).initialize(), order.cancel()):
        for count in range(len(instruction.accounts)):
            fewer = Instruction(LIMIT, instruction.data, list(instruction.accounts)[:count])
            assert world.refuses(fewer) == 3005


def test_a_program_elsewhere_knows_that_it_is_not_itself(world: World) -> None:
    elsewhere = Pubkey(bytes([5]) * 32)
    world.svm.add_program(elsewhere, program_builds()[str(LIMIT)])
    cancel = Limit().cancel()
    assert world.refuses(Instruction(elsewhere, cancel.data, list(cancel.accounts))) == 4100


@pytest.mark.parametrize(
    ("lamports", "years", "rent"), [(3_480, 2.0, 500), (6_960, 1.0, 500), (3_480, 1.5, 500), (7, 4.0, 0)]
)
def test_rent_follows_the_cluster(world: World, lamports: int, years: float, rent: int) -> None:
    """A threshold that is no power of two is rounded up to the next."""
    world.svm.set_rent(Rent(lamports, years, 50))
    order = Limit()
    world.does(order.initialize())
    assert world.lamports(order.key) == (rent * 6_960 if rent else 500 * 28)

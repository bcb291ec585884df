"""What the owners of on-chain orders do with a transaction: sign it, have it executed, send, spoil or forget it."""

import asyncio
import base64
import contextlib
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from countermand.services.custody.instructions import close_account, key, transfer
from countermand.solana.programs.compile import Budget, KeyOrder, compile_message
from countermand.solana.tokens import SOL_MINT, TOKEN_2022_PROGRAM, TOKEN_PROGRAM
from countermand.values.identity import RequestId, Wallet
from countermand_simulator.chance import chance
from countermand_simulator.checkers.on_chain import Moment
from countermand_simulator.checkers.replay import Seen
from countermand_simulator.harness import Answer, Lost
from countermand_simulator.process import Process
from countermand_simulator.signing import with_blockhash
from countermand_simulator.svm import NEW_MINT
from countermand_simulator.world import Work, World

_KEPT: Final = 12
_BLOCKHASH_DIES_MS: Final = 62_000
_OWN_UNITS: Final = 200_000
_UNKNOWN_REQUEST: Final = RequestId("00000000-0000-4000-8000-000000000000")


@dataclass(frozen=True, slots=True)
class Draft:
    """A transaction to be signed. `request_id` None: its owner made it without us."""

    message: bytes
    last_valid_height: int
    request_id: RequestId | None

    def __str__(self) -> str:
        return base64.b64encode(self.message).decode()[-24:]


Action = Callable[[], Awaitable[object]]


class Owner(ABC):
    """`family` is what its requests are called by; `orders_at_once` is when it cancels instead of opening one more."""

    family: str
    kind: type[Seen]
    orders_at_once: int

    def __init__(self, world: World, wallet: str) -> None:
        self.world = world
        self.wallet = Wallet(wallet)
        self.random = chance(world.seed, wallet)
        self._drafts: list[Draft] = []
        self._handed: dict[bytes, Draft] = {}
        """Those that were handed out, by message: they may land."""
        self._later = 0
        self._has_finished = False

    @abstractmethod
    def actions(self) -> list[tuple[Action, int]]:
        """What it may do next, and how often one against another."""

    @abstractmethod
    async def reads(self) -> None:
        """What is open now."""

    @abstractmethod
    def new_order(self) -> tuple[str, Work]:
        """The mint that an order will sell, and the request that builds its opening."""

    @abstractmethod
    async def cancels(self) -> None:
        """Some of what is open."""

    async def live(self) -> None:
        actions = self.actions()
        choices, weights = [action for action, _ in actions], [weight for _, weight in actions]
        while True:
            await asyncio.sleep(self.random.expovariate(1) * self.world.profile.on_chain_pause_ms / 1000)
            [action] = self.random.choices(choices, weights)
            if self.random.random() < self.world.profile.repeated:
                await asyncio.gather(self._dares(action), self._dares(action))
            else:
                await self._dares(action)

    async def _dares(self, action: Action) -> None:
        with contextlib.suppress(Lost):
            await action()

    def now_s(self) -> int:
        return self.world.now() // 1000

    def strikes(self, probability: float) -> bool:
        return self.random.random() < probability

    def open_orders(self) -> dict[str, Seen]:
        """As they are, whatever the owner may know."""
        self.world.look()
        return {
            name: seen
            for name, seen in self.world.chain_orders.open_of(self.wallet).items()
            if isinstance(seen, self.kind)
        }

    # --- orders

    async def creates(self) -> None:
        if len(self.open_orders()) >= self.orders_at_once:
            await self.cancels()
            return
        input_mint, work = self.new_order()
        kind = f"{self.family}.create"
        answer = await self.world.ask_on_chain(self.wallet, kind, input_mint, work, self.judges_built)
        await self.is_prefunded(answer)
        await self.fulfils_all(answer)

    async def is_given(self) -> None:
        """A stranger sends tokens to an escrow."""
        escrows = [escrow for seen in self.open_orders().values() for escrow in seen.escrows]
        if escrows and self.strikes(self.world.profile.dust):
            await self.world.side.dust(self.pick(escrows), self.random.randint(1, 1_000))

    # --- drafts

    def drafts_of(self, answer: Answer) -> list[Draft]:
        if answer["kind"] != "built":
            return []
        drafts = [Draft(message, height, answer["request"]) for message, height in answer["built"]]
        self._drafts = [*self._drafts, *drafts][-_KEPT:]
        return drafts

    def judges_built(self, _moment: Moment, answer: Answer, _lately: bool) -> None:
        if answer["kind"] == "built":
            self.world.chain_orders.built(answer)

    async def own_draft(self, compose: Callable[[str], bytes]) -> Draft:
        """Made with our builders as a library would, and unknown to the server."""
        answer = await self._blockhash()
        return Draft(compose(answer["blockhash"]), answer["height"], None)

    async def _blockhash(self) -> Answer:
        def work(process: Process) -> Any:
            return process.families.latest_blockhash()

        return await self.world.ask_on_chain(self.wallet, "rpc.blockhash", "", work)

    async def is_prefunded(self, answer: Answer) -> None:
        """A stranger sends something to where an order will be."""
        if answer["kind"] == "built" and self.strikes(self.world.profile.prefund):
            self.world.happened("the address of an on-chain order is prefunded")
            await self.world.side.prefund(answer["order"])

    async def clears_out(self) -> None:
        """Gives all its tokens of a mint away and closes the account that orders would come back to."""
        side = self.world.on_chain
        escrowed = [seen.input_mint for seen in self.open_orders().values() if seen.input_mint != SOL_MINT]
        if not escrowed:
            return
        mint = self.pick(escrowed)
        own, program = self.world.side.token_account(self.wallet, mint), self.program_of(mint)
        _, held, amount = self.world.chain_orders.balances.get(own, (0, "", 0))
        if not held:
            return
        self.world.happened("an owner closes its token account")
        owner, account, token = key(self.wallet), key(own), key(program)
        moves = [
            transfer(account, key(side.partner_account(mint)), owner, amount, token),
            close_account(account, owner, owner, token),
        ]

        def compose(blockhash: str) -> bytes:
            return compile_message(
                [*Budget(_OWN_UNITS, 0).instructions(), *moves], self.wallet, blockhash, KeyOrder.RUST
            )

        await self.sends(await self.own_draft(compose))

    def program_of(self, mint: str) -> str:
        return TOKEN_2022_PROGRAM if mint == NEW_MINT else TOKEN_PROGRAM

    # --- what becomes of them

    async def fulfils_all(self, answer: Answer) -> None:
        for draft in self.drafts_of(answer):
            await self.fulfils(draft)

    async def fulfils(self, draft: Draft) -> None:
        """Sees to a new draft in one of the ways in which owners do."""
        profile = self.world.profile
        if self.strikes(profile.forgotten):
            self.world.happened("a build is never signed")
        elif self.strikes(profile.stale):
            self._later += 1
            self.world.later(self.random.choice((500, 5_000, _BLOCKHASH_DIES_MS)), partial(self._fulfils_late, draft))
        elif self.strikes(profile.signed_anew):
            await self._signs_anew(draft)
        elif self.strikes(profile.self_sent):
            await self._sends_itself(draft)
        elif self.strikes(profile.tampered):
            await self._hands_in_wrongly(draft)
        else:
            await self.executes(draft)
        if self.strikes(0.3):
            await self.reads()

    async def _hands_in_wrongly(self, draft: Draft) -> None:
        """Spoilt, to the other family, or under a name that is not its own."""
        signed, how = self._signed(draft), self.random.randrange(4)
        if how == 0:
            self.world.happened("a build is handed to the other family")
            family = "recurring" if self.family == "limit" else "limit"
            await self._hands_in(family, draft, signed, None, sound=False)
        elif how == 1:
            self.world.happened("a build is handed in under another name")
            await self._hands_in(self.family, draft, signed, _UNKNOWN_REQUEST, sound=False)
        else:
            spoilt = self.world.on_chain.tampered_by_all(signed, self.random)
            await self._hands_in(self.family, draft, spoilt, draft.request_id, sound=False)

    async def _fulfils_late(self, draft: Draft) -> None:
        try:
            executes = self.random.random() < 0.5
            await self._dares(partial(self.executes, draft) if executes else partial(self.sends, draft))
        finally:
            self._later -= 1

    async def _sends_itself(self, draft: Draft) -> None:
        how = self.random.randrange(4)
        if how == 0:
            await self.sends(draft)
        elif how == 1:
            await self.sends(draft)
            await self.executes(draft)
        elif how == 2:
            await asyncio.gather(self._dares(partial(self.sends, draft)), self._dares(partial(self.executes, draft)))
        else:
            await self.executes(draft)
            await self.sends(draft)

    async def _signs_anew(self, draft: Draft) -> None:
        """The same message with another valid signature, or the same instructions with another blockhash."""
        how = self.random.randrange(4)
        other = self.world.on_chain.signed_otherwise(draft.message)
        if how == 0:
            self.world.happened("two valid signatures of one message are executed")
            await asyncio.gather(
                self._dares(partial(self.executes, draft)), self._dares(partial(self.executes, draft, other))
            )
        elif how == 1:
            self.world.happened("one signature is sent, and another executed")
            await self.sends(draft, other)
            await self.executes(draft)
        else:
            answer = await self._blockhash()
            renewed = Draft(with_blockhash(draft.message, answer["blockhash"]), answer["height"], None)
            self.world.happened("the same instructions are signed for another blockhash")
            if how == 2:
                await self.executes(renewed)
            await self.sends(renewed)

    def _signed(self, draft: Draft) -> str:
        return self.world.on_chain.signed_by_all(draft.message)

    async def executes(self, draft: Draft, transaction: str | None = None) -> Answer:
        request_id = draft.request_id if self.random.random() < 0.5 else None
        self._handed[draft.message] = draft
        answer = await self._hands_in(self.family, draft, transaction or self._signed(draft), request_id, sound=True)
        if answer["kind"] == "executed":
            self._handed.pop(draft.message, None)
        return answer

    async def _hands_in(
        self, family: str, draft: Draft, signed: str, request_id: RequestId | None, *, sound: bool
    ) -> Answer:
        def judge(moment: Moment, answer: Answer, _lately: bool) -> None:
            self.world.chain_orders.executed(moment, draft.message, answer, sound=sound)

        def work(process: Process) -> Any:
            return process.families.executes(family, signed, request_id)

        return await self.world.ask_on_chain(self.wallet, f"{family}.execute", str(draft), work, judge)

    async def sends(self, draft: Draft, transaction: str | None = None) -> None:
        """Without the server, over its JSON-RPC."""
        signed = transaction or self._signed(draft)
        self._handed[draft.message] = draft

        def work(process: Process) -> Any:
            return process.families.sends(signed)

        await self.world.ask_on_chain(self.wallet, "rpc.send", str(draft), work)

    async def tries_again(self) -> None:
        """An older draft, which may have landed, be under way or be dead."""
        if self._drafts:
            draft = self.random.choice(self._drafts)
            await (self.executes(draft) if self.random.random() < 0.7 else self.sends(draft))

    # --- when the faults are over

    async def finishes(self) -> None:
        """Closes whatever is open, and learns what became of everything that was handed in."""
        while True:
            with contextlib.suppress(Lost):
                if self.open_orders() or self._handed or not self._has_finished:
                    await self.closes_all()
                    await self._asks_for_all()
                    self._has_finished = True
            if self.is_done():
                return
            await asyncio.sleep(2)

    @abstractmethod
    async def closes_all(self) -> None:
        """All that is open, to come to an end."""

    async def _asks_for_all(self) -> None:
        for draft in tuple(self._handed.values()):
            if draft.request_id is None:
                if self._is_over(draft):
                    del self._handed[draft.message]
                continue
            over = self._is_over(draft)
            answer = await self.executes(draft)
            if answer["kind"] == "unconfirmed" and over:
                self._handed.pop(draft.message, None)

    def _is_over(self, draft: Draft) -> bool:
        message = base64.b64encode(draft.message).decode()
        return message in self.world.chain_orders.landed or self.world.side.height() > draft.last_valid_height

    def is_done(self) -> bool:
        return self._has_finished and not (self.open_orders() or self._handed or self._later)

    def pick(self, names: Sequence[str]) -> str:
        return self.random.choice(list(names))

"""The balances: per account and currency the available and the locked amount, and the holds that lock it.

The ledger changes by transfers only. A hold is used up by posts and voids and is then gone: whatever is posted or
voided after that is our own mistake, and stops the process before it is written.
"""

from collections.abc import Iterator
from typing import Final, assert_never

from countermand.orders.book.model.ledger.amount import AMOUNT_MAX, ZERO, Account, Amount, Currency
from countermand.orders.book.model.ledger.transfer import Deposit, HoldId, Post, Reserve, Shortfall, Transfer, Void
from countermand.values.structs import Struct


class Balance(Struct, frozen=True):
    available: Amount
    locked: Amount

    @property
    def total(self) -> Amount:
        return self.available + self.locked


EMPTY: Final = Balance(ZERO, ZERO)


class Hold(Struct, frozen=True):
    """What is still locked for one purpose."""

    owner: Account
    currency: Currency
    left: Amount


class Ledger:
    def __init__(self) -> None:
        self.holds: dict[HoldId, Hold] = {}
        self._balances: dict[tuple[Account, Currency], Balance] = {}
        self._deposited: dict[Currency, int] = {}
        self._held_by_all: dict[Currency, int] = {}
        """The sum of all balances, kept where balances are written, to be compared with what was deposited."""

    def balance(self, account: Account, currency: Currency) -> Balance:
        return self._balances.get((account, currency), EMPTY)

    def balances(self) -> Iterator[tuple[Account, Currency, Balance]]:
        for (account, currency), balance in self._balances.items():
            yield account, currency, balance

    def deposited(self) -> dict[Currency, Amount]:
        return {currency: Amount(quanta) for currency, quanta in self._deposited.items()}

    def shortfall(self, asked: Deposit | Reserve) -> Shortfall | None:
        """Why it cannot be, if it cannot."""
        if isinstance(asked, Deposit):
            most = AMOUNT_MAX - self._deposited.get(asked.currency, 0)
            return Shortfall.TOO_MUCH if asked.amount.quanta > most else None
        available = self.balance(asked.account, asked.currency).available
        return Shortfall.INSUFFICIENT_FUNDS if asked.amount > available else None

    def apply(self, transfer: Transfer) -> list[tuple[Account, Currency]]:
        """Moves the money. Returns whose balances changed. A transfer that cannot be is our own mistake."""
        match transfer:
            case Deposit(account, currency, amount):
                touched = [self._change(account, currency, available=amount.quanta)]
                self._deposited[currency] = self._deposited.get(currency, 0) + amount.quanta
            case Reserve(hold_id, account, currency, amount):
                assert hold_id not in self.holds, f"hold {hold_id} exists"
                assert amount, f"hold {hold_id} would hold nothing"
                touched = [self._change(account, currency, available=-amount.quanta, locked=amount.quanta)]
                self.holds[hold_id] = Hold(account, currency, amount)
            case Post(hold_id, to, amount):
                hold = self._use(hold_id, amount)
                currency = hold.currency
                touched = [
                    self._change(hold.owner, currency, locked=-amount.quanta),
                    self._change(to, currency, available=amount.quanta),
                ]
            case Void(hold_id, amount):
                hold = self._use(hold_id, amount)
                currency = hold.currency
                touched = [self._change(hold.owner, currency, available=amount.quanta, locked=-amount.quanta)]
            case _:
                assert_never(transfer)
        assert self._held_by_all[currency] == self._deposited[currency], f"{transfer} makes or loses {currency}"
        return touched

    def adopt(self, account: Account, currency: Currency, balance: Balance) -> None:
        """Takes a balance in from storage."""
        assert (account, currency) not in self._balances, f"{account} has a balance of {currency} already"
        self._deposited[currency] = self._deposited.get(currency, 0) + balance.total.quanta
        self._change(account, currency, available=balance.available.quanta, locked=balance.locked.quanta)

    def adopt_hold(self, hold_id: HoldId, hold: Hold) -> None:
        """Takes a hold in from storage. The owner's balance counts it as locked already."""
        assert hold_id not in self.holds, f"hold {hold_id} exists"
        self.holds[hold_id] = hold

    def imbalances(self) -> list[str]:
        """What does not add up, by a look at every account and every hold. Nothing, unless we made a mistake."""
        locked: dict[tuple[Account, Currency], int] = {}
        for hold in self.holds.values():
            owner = hold.owner, hold.currency
            locked[owner] = locked.get(owner, 0) + hold.left.quanta
        total: dict[Currency, int] = {}
        wrong = []
        for (account, currency), balance in self._balances.items():
            total[currency] = total.get(currency, 0) + balance.total.quanta
            held = locked.pop((account, currency), 0)
            if held != balance.locked.quanta:
                wrong.append(f"{account} has {balance.locked.quanta} {currency} locked, but holds of {held}")
        wrong += [
            f"{account} has holds of {held} {currency}, but no balance" for (account, currency), held in locked.items()
        ]
        for currency in dict.fromkeys((*total, *self._deposited)):
            there, came = total.get(currency, 0), self._deposited.get(currency, 0)
            if there != came:
                wrong.append(f"{came} {currency} were deposited, and there are {there}")
        return wrong

    def _use(self, hold_id: HoldId, amount: Amount) -> Hold:
        """Takes the amount out of the hold."""
        hold = self.holds.get(hold_id)
        assert hold is not None, f"hold {hold_id} does not exist, or is used up"
        assert ZERO < amount <= hold.left, f"hold {hold_id} has {hold.left}, which cannot give {amount}"
        if amount == hold.left:
            del self.holds[hold_id]
        else:
            self.holds[hold_id] = Hold(hold.owner, hold.currency, hold.left - amount)
        return hold

    def _change(
        self, account: Account, currency: Currency, *, available: int = 0, locked: int = 0
    ) -> tuple[Account, Currency]:
        """The only place where a balance is written. An amount that would go below zero is refused by its type."""
        key = account, currency
        before = self._balances.get(key, EMPTY)
        after = Balance(Amount(before.available.quanta + available), Amount(before.locked.quanta + locked))
        self._balances[key] = after
        self._held_by_all[currency] = self._held_by_all.get(currency, 0) + available + locked
        return key

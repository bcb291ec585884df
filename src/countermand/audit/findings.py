"""What an audit found."""

from dataclasses import dataclass, field


@dataclass(slots=True)
class Column:
    """One mint's units: what came in, and where it is. `gifts` are what strangers sent to orders' accounts."""

    deposited: int = 0
    filled: int = 0
    withdrawn: int = 0
    remaining: int = 0
    gifts_returned: int = 0
    gifts_held: int = 0

    def balances(self) -> bool:
        return self.deposited == self.filled + self.withdrawn + self.remaining


@dataclass(frozen=True, slots=True)
class Currency:
    """One currency of the order books, in quanta: what came in, and where it is. `fees` are the venue's own."""

    deposited: int
    available: int
    locked: int
    fees: int

    def balances(self) -> bool:
        return self.deposited == self.available + self.locked + self.fees


@dataclass(slots=True)
class Audit:
    """`differences` are one sentence each; an audit without one is good."""

    entries: int = 0
    orders: int = 0
    columns: dict[str, Column] = field(default_factory=dict)
    currencies: dict[str, Currency] = field(default_factory=dict)
    rent_held_lamports: int = 0
    network_fees_lamports: int = 0
    unresolved: list[str] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return not self.differences

    def column(self, mint: str) -> Column:
        return self.columns.setdefault(mint, Column())

    def differs(self, sentence: str) -> None:
        self.differences.append(sentence)

"""What a run of the order books can break."""

from countermand_simulator.violation import AnyClaim


class Claim(AnyClaim):
    JOURNAL_INTACT = "the journal is without gaps, and each entry follows from the one before by its hash"
    NUMBERS_HAVE_NO_GAPS = "orders, trades and places in the queue are counted from 1 without a gap"
    NONCE_IS_ONE_ORDER = "an account's nonce becomes at most one order, and is given out once"
    ACCEPTED_IS_SOUND = "an order that is accepted is within its market's bounds, and paid for"
    AMOUNTS_ARE_EXACT = "what is locked, paid, charged and unlocked is exact to the last unit"
    CONSERVED = "per currency, the balances of all and the fees add up to what was credited"
    PRICE_TIME_PRIORITY = (
        "a trade is with the best price on the other side, and of those with the one that rests the longest"
    )
    TRADES_ARE_FAIR = "a trade is at the maker's price, within the taker's limit, and as large as both allow"
    BOOK_IS_NOT_CROSSED = "what rests meets no order on the other side"
    SELF_TRADE_IS_PREVENTED = "no account trades with itself: what ends instead is the market's policy"
    NOTHING_AFTER_THE_END = "nothing happens to an order that is done or cancelled"
    CANCEL_IS_MEANT = "a cancel ends the orders that it names, all of them and no other, and says so"
    REASON_IS_TRUE = "an order ends by itself when it must, with the reason that is true"
    STOPS_TRIGGER_ONCE = "a stop order triggers when a trade reaches it, once, and enters the book before anything else"
    ENTERS_UNDISTURBED = "what is more than a turn serves, of makers and of stops, goes on before anything else happens"
    EXPIRY_IS_PUNCTUAL = "an order ends at its greatest age, before anything else of that instant, and no earlier"
    REPLAY_EQUALS_ROWS = "the journal's events add up to the stored orders, trades, balances and counters"
    REPLAY_EQUALS_MEMORY = (
        "what a writer has in memory is what the journal's events add up to, its queues in their order"
    )
    ANSWER_IS_COMMITTED = "nothing is answered before it is committed"
    ANSWERS_ARE_EQUAL = "a repeated request gets the same answer"
    REFUSALS_ARE_TRUE = "a refusal was right at some time while the request was under way"
    READS_ARE_CURRENT = "a read shows what was committed, and nothing older than what was answered before it"
    EVERYTHING_ENDS = "once the faults are over, every request is answered and every order can be ended"
    NO_BUG = "nothing raises an unexpected exception"

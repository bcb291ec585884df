"""What a run can break."""

from countermand_simulator.violation import AnyClaim


class Claim(AnyClaim):
    JOURNAL_INTACT = "the journal is without gaps, and each entry follows from the one before by its hash"
    REPLAY_EQUALS_ROWS = "the journal's events add up to the stored rows"
    REPLAY_EQUALS_MEMORY = "what a writer has in memory is what is stored"
    CANCEL_IS_A_FENCE = "no fill is sequenced after a committed cancel"
    EXPIRY_IS_A_FENCE = "no fill starts at or after its order's expiry"
    TRIGGER_IS_TRUE = "an order triggers when its condition holds, and leaves `open` before the price is acknowledged"
    WATERMARK_IS_TRUE = "a trailing order's watermark is the best price since it was placed, and never goes back"
    BUFFER_IS_KEPT = "no fill gives less than its slippage allows below the trigger, or below the price of the moment"
    EXCLUSIVE = "no unit is both filled and withdrawn"
    CONSERVED = "deposited = filled + withdrawn + remaining, on the chain too"
    ROUND_IN_TIME = "a round begins when it is due and not before, and one that fails goes on when and as it should"
    ROUND_ONCE = "each round is filled at most once, and an order has as many as it was asked for"
    ROUND_AMOUNT = "a round swaps an equal part of the deposit, and the last one all that is left"
    ROUND_IN_BAND = "a round begins at a price of its band, and is left out only at one outside of it"
    ROUND_IS_TRIED = "a round that is due is tried: no restart forgets it"
    ONE_ATTEMPT = "at most one co-signed attempt of an order is unresolved"
    SENT_IS_COMMITTED = "nothing is sent that was not committed as an attempt before"
    FATE_IS_TRUE = "what the journal says of a transaction is what the chain says"
    ANSWER_IS_COMMITTED = "nothing is answered before it is committed"
    ANSWERS_ARE_EQUAL = "a repeated request gets the same answer"
    OWNED_BY_ITS_ROW = (
        "a row is in the bucket of its wallet, and whose it is follows from that, whatever an id's byte says"
    )
    EVENTS_ARE_TOLD = "the event log tells what the journal says, in order, each event once, and nothing uncommitted"
    READS_ARE_CURRENT = "a read shows what was committed, and nothing older than what was acknowledged before it"
    MOVES_ARE_MEANT = "a transaction of on-chain orders moves what its instructions mean, rents included, and no more"
    NOTHING_IS_LOST = "per mint, and in lamports with the fees, the sum over all accounts stays"
    ORDERS_ARE_ON_CHAIN = "an on-chain order is there from its opening to its close, and nothing of it moves afterwards"
    FILLS_ARE_FAIR = "a fill gives the maker's rate or better, the fee once, and is in time"
    CYCLES_ARE_DUE = "a cycle is not before its time, and each is once"
    HISTORIES_ARE_TRUE = (
        "what is told of on-chain orders is what landed, all of it up to some transaction, each thing once"
    )
    EXECUTED_IS_TRUE = "execute says what the chain says, under whatever signature the message landed"
    BUILDS_ARE_REMEMBERED = "a transaction that was built is known for as long as it can land, also after a crash"
    CANCEL_NAMES_ALL = "a cancel closes the orders that it was asked to close, all of them, and no other"
    EVERYTHING_ENDS = "once the faults are over, every order ends and every account is closed"
    NO_BUG = "nothing raises an unexpected exception"

"""Bugs that the simulator found, each as the smallest test that shows it."""

from dataclasses import replace

from countermand.domain.identity import Signature
from countermand.domain.instant import Moment
from countermand.domain.trigger.commands import Submission, SubmissionFault
from countermand.domain.trigger.decide import decide
from countermand.domain.trigger.events import OrderPlaced
from countermand.domain.trigger.lifecycle import place as begin
from countermand.domain.trigger.refusals import Refusal, Refused
from tests.domain.orders import ID, PLACED_AT, order, place


def test_who_creates_an_order_again_without_a_signature_is_not_told_that_it_was_placed() -> None:
    """It crashed: the answer was made of the signature in the request."""
    again = place()
    unsigned = replace(again, submission=Submission(again.deposit.craft.message, None, SubmissionFault.UNSIGNED))
    assert decide(order(), unsigned, Moment(PLACED_AT)) == Refused(Refusal.TRANSACTION_UNSIGNED)


def test_the_first_signature_of_a_deposit_is_the_one_that_everybody_is_told() -> None:
    """Whoever repeated the request with another signature was told that one, which never landed."""
    first, again = place(), place()
    again = replace(again, submission=replace(again.submission, user_signature=Signature("another")))
    decision = decide(None, first, Moment(PLACED_AT))
    assert isinstance(decision, tuple)
    [event] = decision
    assert isinstance(event, OrderPlaced)
    group = begin(ID, event, PLACED_AT)
    assert decide(group, again, Moment(PLACED_AT)) == ()
    assert group.deposit_signature == first.submission.user_signature

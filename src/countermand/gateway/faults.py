"""The two faults of the sandbox that happen at the door."""

from dataclasses import dataclass


@dataclass(slots=True)
class GatewayFaults:
    """Counts down as it acts; 0 is off.

    `lose_answers`: so many answers of the dialects to requests that change something are cut after their commit.
    `rate_limit`: so many requests of the dialects are answered with 429.
    """

    lose_answers: int = 0
    rate_limit: int = 0

    def loses_this_answer(self) -> bool:
        if self.lose_answers <= 0:
            return False
        self.lose_answers -= 1
        return True

    def limits_this_request(self) -> bool:
        if self.rate_limit <= 0:
            return False
        self.rate_limit -= 1
        return True

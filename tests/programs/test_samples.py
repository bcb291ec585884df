"""Published transactions of the order programs, run as they stand."""

import base64
from typing import Final

from solders.account import Account
from solders.instruction import AccountMeta, Instruction
from solders.message import Message
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction
from solders.transaction_metadata import TransactionMetadata

from tests.programs.world import (
    DCA,
    DCA_RENT,
    FEE_LAMPORTS,
    LIMIT,
    NOW,
    ORDER_RENT,
    SYSTEM,
    TOKEN_RENT,
    WALLET_LAMPORTS,
    World,
)

CREATE_ORDER: Final = (
    "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAABAAkOCWPK8t5w2W1nIsonBw2T"
    "/TCNCKkrgBQia9/YVlLEcjM9zTXA2aZIqK0k40U/eCZ0Zu1176lxIuHLsY6UyQjTdash6wigo20Auc3RVYRWME9FjnpbdgdRKYjLJLe0lVi47IZO"
    "5XCZ/U0AirZsOIWLoumtNiLomxcYL6d2R2rSxzkNgnQl2IV0spQPT+7K7zraa8oytEZyZ4HSFpxmV2v3WgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    "AAAAAAAAAAAAEImJzcxhjwZ2dKxnfimarbEo/iDZzNgo5QjJ8b+bMOuSf2yH7EMQBZfZLsgOHg/C5SyLv/x1D4MHZgRX7jOy4YyXJY9OJInxuz0Q"
    "KRSODYMLWhOZ2v8QhASOe9jb6fhZAwZGb+UhFzL/7K26csOb57yM5bvF9xJrLEObOkAAAADG+nrzvtutOj1l82qryXQxsbvkwtL24OR8pgIDRS9d"
    "YQrDSpbBZnFaYMEjPsolig3zCx7IWOB0XHNqEmJmY0siBpuIV/6rgYT7aH9jRhjANdrEOdwa6ztVmKDwAAAAAAEG3fbh12Whk9nL4UbO63msHLSF"
    "7V9bN5E6jPWFfv8AqXeleaIpvDk6bHUITYxyjNU3ParFA70LbecfV6NupbbBCAkABQKgAwIACQAJAy48AAAAAAAACAYABAAMBQ0BAQUCAAQMAgAA"
    "AIDw+gIAAAAADQEEAREIBgABAAoFDQEBCw8AAAIDBAYLDAoNDQUIBwsihW5Kr3Cf9Z9OyUY1qj0LZYDw+gIAAAAAAOH1BQAAAAAAAA0DBAAAAQk="
)
CREATE_DCA: Final = (
    "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAABAAgNRL7cu4ZNuxh1wI9W7GVU"
    "Ryr3A06dH348HDpIQzcAJ4o8bJlCl2Wc6MzpcvkV0INcJ7u23GV89soNJ/8i5QPLuk+NOvCjbAbTzOyNoSWuhO5fYq+hNGrGQ2JdDy82Gw0bv28t"
    "kzlck1LrvR2ACB/vAL7AIssgVYeCOBbHfYskycnT/icRrhr4nbjk0DzDqAkM4ntju8NXHrILEpE0TUKNKAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    "AAAAAAAAAAAAAwZGb+UhFzL/7K26csOb57yM5bvF9xJrLEObOkAAAAAGm4hX/quBhPtof2NGGMA12sQ53BrrO1WYoPAAAAAAAQbd9uHXZaGT2cvh"
    "Rs7reawctIXtX1s3kTqM9YV+/wCpjJclj04kifG7PRApFI4NgwtaE5na/xCEBI572Nvp+FmwdagGY3nKb+NwN/8MKNVUpuTWNtnoUYz+brrpP1I2"
    "/rUn1F1kDj7BX2FdWw4jpUqWuD8Lggv3BjXyQ0rGQMwExvp6877brTo9ZfNqq8l0MbG75MLS9uDkfKYCA0UvXWG7njQ5EK9zaEM059+IQanso4m+"
    "YzpvFchLCtBxOCdR5QcGAAUCGSwAAAYACQNADQMAAAAAAAkGAAMABwUIAQEFAgADDAIAAAAAwusLAAAAAAgBAwERCw0EAAAHDAMBAgUICQoLK453"
    "K22iNAuxgF7IZwAAAAAAwusLAAAAAADh9QUAAAAALAEAAAAAAAAAAAAIBAMAAAABCQ=="
)


def test_the_published_create_order_lands_within_its_limit(world: World) -> None:
    sample = VersionedTransaction.from_bytes(base64.b64decode(CREATE_ORDER))
    maker = Pubkey.from_string("devjnEpxbJUhJ39FSsFz7YPerr5bdxN8VWUXvfbFUK4")
    order = Pubkey.from_string("CX2iPk4nxarGPkk7ziViJTfL1z2e1LnGWRDimVQ4tzYf")
    world.put(maker, Account(WALLET_LAMPORTS, b"", SYSTEM))
    result = world.svm.send_transaction(sample)
    assert isinstance(result, TransactionMetadata), result.meta().logs()
    account = world.account(order)
    assert (account.owner, account.data[8:40]) == (LIMIT, bytes(maker))
    assert world.tokens(Pubkey.from_string("GvHzyNFiTCe6idxbFZk65LSUpnEKDeLGeUd8WCBC7aeL")) == 50_000_000
    # The input, both rents of the order, the rent of the new account for USDC, and what the network takes.
    spent = 50_000_000 + ORDER_RENT + 2 * TOKEN_RENT + result.fee()
    assert world.lamports(maker) == WALLET_LAMPORTS - spent


def test_the_published_open_dca_does_what_it_says(world: World) -> None:
    """But for its compute limit: 11,289 units do not even make the two token accounts on this machine."""
    sample = VersionedTransaction.from_bytes(base64.b64decode(CREATE_DCA)).message
    assert isinstance(sample, Message)
    user = Pubkey.from_string("5dMXLJ8GYQxcHe2fjpttVkEpRrxcajRXZqJHCiCbWS4H")
    world.put(user, Account(WALLET_LAMPORTS, b"", SYSTEM))
    world.does(*instructions_of(sample)[2:], payer=user)
    account = world.account(Pubkey.from_string("FGXoHmS8MXU6pgzoJFHj86ZAW7wCFKodp6wgWi5WnoW7"))
    assert (account.owner, account.data[8:40], account.data[288]) == (DCA, bytes(user), 255)
    assert int.from_bytes(account.data[112:120], "little") == NOW
    assert world.lamports(user) == WALLET_LAMPORTS - 200_000_000 - DCA_RENT - 2 * TOKEN_RENT - FEE_LAMPORTS


def instructions_of(message: Message) -> list[Instruction]:
    keys, header = message.account_keys, message.header
    signers = header.num_required_signatures
    writable = len(keys) - header.num_readonly_unsigned_accounts

    def meta(index: int) -> AccountMeta:
        return AccountMeta(keys[index], index < signers, index < writable)

    return [
        Instruction(keys[each.program_id_index], bytes(each.data), [meta(index) for index in bytes(each.accounts)])
        for each in message.instructions
    ]

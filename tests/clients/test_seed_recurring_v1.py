"""The JavaScript of Recurring v1's page "Cancel Order", cut out of it and run as it stands, but for the base URL.

`seed_recurring_v1.md` holds the page's code blocks as published.
"""

import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from solders.keypair import Keypair

from tests.clients.node import run_node
from tests.end_to_end.venue import JUP, SOL, USDC, Venue
from tests.orders.recurring.stage import SEED_ORDER, USER, Stage, an_order

PAGE = (Path(__file__).parent / "seed_recurring_v1.md").read_text()
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", PAGE, re.DOTALL)
(CANCEL,) = [code for language, code in BLOCKS if language == "jsx"]
SUCCESS, FAILURE = [json.loads(code) for language, code in BLOCKS if language == "json"]
PUBLISHED_URL = "https://api.jup.ag"

GIVEN = """
import { Connection, Keypair, PublicKey, Transaction, VersionedTransaction } from '@solana/web3.js';
const { url, user, secretKey } = JSON.parse(process.env.GIVEN);
const wallet = secretKey ? Keypair.fromSecretKey(Uint8Array.from(secretKey)) : { publicKey: new PublicKey(user) };
const post = async (path, body) => (await fetch(`${url}/recurring/v1/${path}`, {
  method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body),
})).json();
"""
EXECUTE = """
const transaction = VersionedTransaction.deserialize(Buffer.from(cancelOrderResponse.tx, 'base64'));
transaction.sign([wallet]);
const signedTransaction = Buffer.from(transaction.serialize()).toString('base64');
console.log(JSON.stringify([cancelOrderResponse, await post('execute', {
  requestId: cancelOrderResponse.id, signedTransaction,
})]));
"""
SEND = """
const transaction = Transaction.from(Buffer.from(cancelOrderResponse.tx, 'base64'));
transaction.sign(wallet);
const connection = new Connection(`${url}/rpc`, 'confirmed');
const signature = await connection.sendRawTransaction(transaction.serialize());
let status = null;
while (!status) status = (await connection.getSignatureStatus(signature)).value;
console.log(JSON.stringify([cancelOrderResponse, { signature, err: status.err }]));
process.exit(0);
"""
SHOW = "console.log(JSON.stringify([cancelOrderResponse]));"


def runs(url: str, after: str, *, order: str | None = None, key: Keypair | None = None) -> Any:
    """What the page's snippet gets. `order`: instead of the one that the page shows."""
    assert PUBLISHED_URL in CANCEL
    assert SEED_ORDER in CANCEL
    code = CANCEL.replace(PUBLISHED_URL, url)
    if order is not None:
        code = code.replace(SEED_ORDER, order)
    given = {"url": url, "user": USER, "secretKey": None if key is None else list(bytes(key))}
    done = run_node(f"{GIVEN}\n{code}\n{after}", env={"GIVEN": json.dumps(given)})
    assert done.returncode == 0, done.stderr[-4_000:]
    return json.loads(done.stdout)


@pytest.fixture
def published() -> Iterator[str]:
    """A server whose chain is as it was when the page was written."""
    stage = Stage(units=88_662)
    stage.chain.blockhash = "6WgZXiqamz8vQEUpBaoG8VnPk4JyXbkcv7zD43j2mXY7"
    stage.chain.has_order(SEED_ORDER, an_order(USER, input_mint=SOL.mint, output_mint=USDC.mint))

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            answer = stage.post(self.path.rpartition("/")[2], body)
            self.send_response(answer.status_code)
            self.send_header("content-length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def alice(venue: Venue) -> Keypair:
    alice = Keypair()
    venue.gives(str(alice.pubkey()), 1 * SOL)
    venue.gives(str(alice.pubkey()), 1_000 * USDC)
    return alice


def opens(venue: Venue, alice: Keypair) -> str:
    code = """
const built = await post('createOrder', {
  user: wallet.publicKey.toBase58(), inputMint: mints[0], outputMint: mints[1],
  params: { time: {
    inAmount: 104000000, numberOfOrders: 2, interval: 86400, minPrice: null, maxPrice: null, startAt: null,
  } },
});
const transaction = Transaction.from(Buffer.from(built.transaction, 'base64'));
transaction.sign(wallet);
const signedTransaction = transaction.serialize().toString('base64');
console.log(JSON.stringify(await post('execute', { requestId: built.requestId, signedTransaction })));
"""
    given = {"url": venue.url, "secretKey": list(bytes(alice))}
    mints = f"const mints = {json.dumps([USDC.mint, JUP.mint])};"
    done = run_node(f"{GIVEN}{mints}{code}", env={"GIVEN": json.dumps(given)})
    assert done.returncode == 0, done.stderr[-4_000:]
    opened = json.loads(done.stdout)
    assert (opened["status"], opened["error"]) == ("Success", None)
    order: str = opened["order"]
    return order


def test_the_page_gets_the_very_transaction_that_it_shows(published: str) -> None:
    (answer,) = runs(published, SHOW)
    assert list(answer) == list(SUCCESS)
    assert answer["tx"] == SUCCESS["tx"]


def test_the_page_gets_its_failure(venue: Venue) -> None:
    (answer,) = runs(venue.url, SHOW)
    assert (answer, list(answer)) == (FAILURE, list(FAILURE))


@pytest.mark.parametrize("after", [pytest.param(EXECUTE, id="execute"), pytest.param(SEND, id="by yourself")])
def test_the_page_cancels_an_order(venue: Venue, alice: Keypair, after: str) -> None:
    wallet = str(alice.pubkey())
    order = opens(venue, alice)
    assert venue.units(wallet, USDC) == 896_000_000
    answer, landed = runs(venue.url, after, order=order, key=alice)
    assert list(answer) == list(SUCCESS)
    assert landed.get("err") is None
    assert landed.get("error") is None
    assert venue.units(wallet, USDC) == 1_000_000_000
    (again,) = runs(venue.url, SHOW, order=order, key=alice)
    assert again == FAILURE

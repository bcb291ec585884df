// A first order at Countermand, from an empty wallet to the funds back in it.
//
//   npm install @solana/web3.js@1
//   node first_order.mjs [http://127.0.0.1:8080]        (or COUNTERMAND_URL)
//
// Everything below `/trigger/v2` is what a client of Jupiter's Trigger API does. Only `/sandbox` is Countermand's own.
import { Connection, Keypair, PublicKey, VersionedTransaction } from '@solana/web3.js';

const BASE = (process.argv[2] ?? process.env.COUNTERMAND_URL ?? 'http://127.0.0.1:8080').replace(/\/$/, '');
const SOL = 'So11111111111111111111111111111111111111112';
const USDC = 'EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v';
const LAMPORTS = 1_000_000_000;
const WEEK_MS = 7 * 24 * 3_600_000;

const wallet = Keypair.generate();
const address = wallet.publicKey.toBase58();
const connection = new Connection(`${BASE}/rpc`, 'confirmed');
let token;

async function call(method, path, body) {
  const response = await fetch(BASE + path, {
    method,
    headers: {
      ...(body && { 'Content-Type': 'application/json' }),
      ...(token && { Authorization: `Bearer ${token}` }),
    },
    body: body && JSON.stringify(body),
  });
  const answer = await response.json();
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${JSON.stringify(answer)}`);
  return answer;
}

/** Signs a transaction as it came, in base64, and gives it back the same way. */
function sign(unsigned) {
  const transaction = VersionedTransaction.deserialize(Buffer.from(unsigned, 'base64'));
  transaction.sign([wallet]);
  return Buffer.from(transaction.serialize()).toString('base64');
}

/** Deposits `lamports` and places an order that sells them for USDC at `price` dollars or more. */
async function sellAbove(price, lamports) {
  const amount = String(lamports);
  const pair = { inputMint: SOL, outputMint: USDC };
  const deposit = await call('POST', '/trigger/v2/deposit/craft', {
    ...pair, userAddress: address, amount, orderType: 'price', orderSubType: 'single',
  });
  const order = await call('POST', '/trigger/v2/orders/price', {
    ...pair,
    orderType: 'single',
    depositRequestId: deposit.requestId,
    depositSignedTx: sign(deposit.transaction),
    userPubkey: address,
    inputAmount: amount,
    triggerMint: SOL,
    triggerCondition: 'above',
    triggerPriceUsd: price,
    expiresAt: Date.now() + WEEK_MS,
  });
  return order.id;
}

async function show(what) {
  const lamports = await connection.getBalance(wallet.publicKey);
  const accounts = await connection.getParsedTokenAccountsByOwner(wallet.publicKey, { mint: new PublicKey(USDC) });
  const usdc = accounts.value[0]?.account.data.parsed.info.tokenAmount.uiAmountString ?? '0';
  console.log(`${what}: the wallet has ${lamports / LAMPORTS} SOL and ${usdc} USDC`);
}

// Money from nothing, as only a sandbox gives it.
await call('POST', '/sandbox/airdrop', { wallet: address, mint: 'SOL', amount: String(5 * LAMPORTS) });
await show(`Hello, ${address}`);

// Who are you? The wallet signs a challenge, here one in the form of a transaction that is never sent.
const challenge = await call('POST', '/trigger/v2/auth/challenge', { walletPubkey: address, type: 'transaction' });
({ token } = await call('POST', '/trigger/v2/auth/verify', {
  walletPubkey: address, type: 'transaction', signedTransaction: sign(challenge.transaction),
}));
const vault = await call('GET', '/trigger/v2/vault/register');
console.log(`Signed in. The vault ${vault.vaultPubkey} will keep what is deposited`);

// An order to sell 1 SOL at 210 dollars, changed to 180, and filled when the price is there.
const first = await sellAbove(210, LAMPORTS);
console.log(`Placed ${first}: sell 1 SOL at 210 dollars`);
await call('PATCH', `/trigger/v2/orders/price/${first}`, { orderType: 'single', triggerPriceUsd: 180 });
console.log('Changed it to 180 dollars');
await call('PUT', '/sandbox/prices', { [SOL]: '185' });
await call('POST', '/sandbox/settle', {});
const filled = await call('GET', `/trigger/v2/orders/history/${first}`);
console.log(`SOL costs 185 dollars now, and the order is ${filled.orderState}`);
await show('After the fill');

// Another one, cancelled in two steps: from the answer to the first on it cannot fill; the second brings the funds back.
const second = await sellAbove(300, 2 * LAMPORTS);
await show(`Placed ${second}`);
const cancel = await call('POST', `/trigger/v2/orders/price/cancel/${second}`);
console.log('Asked to cancel it: nothing fills any more, whatever the price does');
const { txSignature } = await call('POST', `/trigger/v2/orders/price/confirm-cancel/${second}`, {
  signedTransaction: sign(cancel.transaction), cancelRequestId: cancel.requestId,
});
const cancelled = await call('GET', `/trigger/v2/orders/history/${second}`);
console.log(`Confirmed by ${txSignature}: the order is ${cancelled.orderState}`);
await show('With the funds back');

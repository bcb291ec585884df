// An order, placed, filled and cancelled with @solana/kit, whose funds come and go by the venue's JSON-RPC.
// Usage: order_kit.mjs <url of the venue>
import assert from 'node:assert/strict';
import * as kit from '@solana/kit';

const base = process.argv[2];
const SOL = kit.address('So11111111111111111111111111111111111111112');
const USDC = kit.address('EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v');
const port = Number(new URL(base).port);
const rpc = kit.createSolanaRpc(`${base}/rpc`);
const rpcSubscriptions = kit.createSolanaRpcSubscriptions(`ws://127.0.0.1:${port + 1}/rpc`);
const alice = await kit.generateKeyPairSigner();
let token;

const call = async (method, path, body) => {
  const response = await fetch(base + path, {
    method,
    headers: { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) },
    body: body && JSON.stringify(body),
  });
  const answer = await response.json();
  assert.equal(response.status, 200, JSON.stringify(answer));
  return answer;
};
const sign = async (unsigned) => {
  const transaction = kit.getTransactionDecoder().decode(kit.getBase64Encoder().encode(unsigned));
  return kit.getBase64EncodedWireTransaction(await kit.partiallySignTransaction([alice.keyPair], transaction));
};
const lamports = async () => (await rpc.getBalance(alice.address).send()).value;
const usdc = async () => {
  const { value } = await rpc.getTokenAccountsByOwner(alice.address, { mint: USDC }, { encoding: 'jsonParsed' }).send();
  return value[0]?.account.data.parsed.info.tokenAmount.amount ?? '0';
};

await kit.airdropFactory({ rpc, rpcSubscriptions })({
  recipientAddress: alice.address, lamports: kit.lamports(5_000_000_000n), commitment: 'confirmed',
});
assert.equal(await lamports(), 5_000_000_000n);

const asked = { walletPubkey: alice.address, type: 'message' };
const { challenge } = await call('POST', '/trigger/v2/auth/challenge', asked);
const proof = await kit.signBytes(alice.keyPair.privateKey, new TextEncoder().encode(challenge));
const signature = kit.getBase58Decoder().decode(proof);
({ token } = await call('POST', '/trigger/v2/auth/verify', { ...asked, signature }));
await call('GET', '/trigger/v2/vault/register');

const place = async (price) => {
  const pair = { inputMint: SOL, outputMint: USDC };
  const deposit = await call('POST', '/trigger/v2/deposit/craft', {
    ...pair, userAddress: alice.address, amount: '1000000000', orderType: 'price', orderSubType: 'single',
  });
  const order = await call('POST', '/trigger/v2/orders/price', {
    ...pair, orderType: 'single', depositRequestId: deposit.requestId, depositSignedTx: await sign(deposit.transaction),
    userPubkey: alice.address, inputAmount: '1000000000', triggerMint: SOL, triggerCondition: 'above',
    triggerPriceUsd: price, expiresAt: (await call('GET', '/sandbox')).now + 3_600_000,
  });
  const landed = await rpc.getTransaction(kit.signature(order.txSignature), { maxSupportedTransactionVersion: 0, encoding: 'base64' }).send();
  assert.equal(landed.meta.err, null);
  return order.id;
};
const first = await place(200), second = await place(300);
await call('PUT', '/sandbox/prices', { [SOL]: '200' });
await call('POST', '/sandbox/settle', {});
assert.equal((await call('GET', `/trigger/v2/orders/history/${first}`)).orderState, 'filled');
assert.equal(await usdc(), '199800000');

const before = await lamports();
const cancel = await call('POST', `/trigger/v2/orders/price/cancel/${second}`);
await call('POST', `/trigger/v2/orders/price/confirm-cancel/${second}`, {
  signedTransaction: await sign(cancel.transaction), cancelRequestId: cancel.requestId,
});
assert.equal((await call('GET', `/trigger/v2/orders/history/${second}`)).orderState, 'cancelled');
const back = (await lamports()) - before;
assert.ok(back > 1_000_000_000n && back < 1_002_039_280n, String(back));
console.log('kit is content');
process.exit(0);

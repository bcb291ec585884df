// One Connection of @solana/web3.js 1 through what a sandbox does to its chain, kill -9 included.
// Usage: chain_web3.mjs <url of the venue>. It prints "kill" where it wants the venue killed and started again, and goes
// on when a line comes back.
import assert from 'node:assert/strict';
import { createInterface } from 'node:readline';
import {
  AddressLookupTableProgram, Connection, Keypair, LAMPORTS_PER_SOL, NONCE_ACCOUNT_LENGTH, NonceAccount, SYSVAR_CLOCK_PUBKEY,
  SystemProgram, Transaction, TransactionMessage, VersionedTransaction, sendAndConfirmTransaction,
} from '@solana/web3.js';

const url = process.argv[2];
let underWay = 0;
const counted = async (...given) => {
  underWay += 1;
  try {
    const answer = await fetch(...given);
    return new Response(await answer.text(), answer);
  } finally { underWay -= 1; }
};
const connection = new Connection(`${url}/rpc`, { commitment: 'confirmed', fetch: counted });
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const alice = Keypair.generate(), bob = Keypair.generate();

const sandbox = async (method, path, body) => {
  const answer = await fetch(`${url}/sandbox${path}`, { method, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
  assert.equal(answer.status, 200, await answer.clone().text());
  return answer.json();
};
const advances = (seconds) => sandbox('POST', '/clock/advance', { seconds });
const expiresBlockhashes = () => sandbox('PUT', '/faults', { expireBlockhashes: true });
const isKilled = async () => {
  // web3.js goes on asking for a status of which a subscription told it, and would end the process if that failed.
  do await new Promise((resolve) => setTimeout(resolve, 300)); while (underWay > 0);
  console.log('kill');
  await lines.next();
};
const confirmed = async (signature) => {
  const latest = await connection.getLatestBlockhash();
  const { value } = await connection.confirmTransaction({ signature, ...latest });
  assert.equal(value.err, null);
  return signature;
};
const transfer = (lamports) => SystemProgram.transfer({ fromPubkey: alice.publicKey, toPubkey: bob.publicKey, lamports });
let paid = 0;
const pays = async (lamports) => {
  // A legacy transaction without a blockhash: the Connection fills in the one that it keeps for 30 s.
  await sendAndConfirmTransaction(connection, new Transaction().add(transfer(lamports)), [alice]);
  paid += lamports;
  assert.equal(await connection.getBalance(bob.publicKey), paid);
};
const nextSlot = async () => {
  const slot = await connection.getSlot();
  while ((await connection.getSlot()) <= slot) await new Promise((resolve) => setTimeout(resolve, 50));
};
const chainTime = async () => {
  const { data } = await connection.getAccountInfo(SYSVAR_CLOCK_PUBKEY);
  return Number(data.readBigInt64LE(32));
};

await confirmed(await connection.requestAirdrop(alice.publicKey, 100 * LAMPORTS_PER_SOL));

// E3. The clock is advanced between two sends of one Connection.
await pays(LAMPORTS_PER_SOL);
const [before, slot] = [await chainTime(), await connection.getSlot()];
await advances(3600);
assert.ok((await connection.getSlot()) - slot < 50);
assert.ok((await chainTime()) - before >= 3600);
// The payment may have landed in the present slot before its clock moved: that slot keeps the time of the payment.
await nextSlot();
assert.ok((await connection.getBlockTime(await connection.getSlot())) - before >= 3600);
await pays(LAMPORTS_PER_SOL + 1);
await advances(3600);
await isKilled();
await pays(LAMPORTS_PER_SOL + 2);
assert.ok((await chainTime()) - before >= 7200);
await sandbox('POST', '/clock', { mode: 'frozen' });
await advances(86400);
await pays(LAMPORTS_PER_SOL + 3);
await sandbox('POST', '/clock', { mode: 'running' });

// A blockhash that expired stays dead, also after a crash.
const dead = new Transaction({ feePayer: alice.publicKey, ...(await connection.getLatestBlockhash()) }).add(transfer(7));
dead.sign(alice);
await expiresBlockhashes();
await isKilled();
await assert.rejects(connection.sendRawTransaction(dead.serialize()), /Blockhash not found/);

// E1. A lookup table of the slot that was told, then used.
const signedBy = async (instructions, tables = [], others = []) => {
  const { blockhash: recentBlockhash } = await connection.getLatestBlockhash();
  const message = new TransactionMessage({ payerKey: alice.publicKey, recentBlockhash, instructions }).compileToV0Message(tables);
  const transaction = new VersionedTransaction(message);
  transaction.sign([alice, ...others]);
  return transaction;
};
const sends = async (...what) => confirmed(await connection.sendTransaction(await signedBy(...what)));
const tableOf = (recentSlot) => AddressLookupTableProgram.createLookupTable({ authority: alice.publicKey, payer: alice.publicKey, recentSlot });
for (const commitment of ['processed', 'confirmed', 'finalized']) {
  for (const back of [0, 1, 100]) {
    await sends([tableOf((await connection.getSlot(commitment)) - back)[0]]);
    await nextSlot();
  }
}
await expiresBlockhashes();
await advances(60);
await sends([tableOf(await connection.getSlot('finalized'))[0]]);
await isKilled();
const [create, address] = tableOf(await connection.getSlot('finalized'));
const extend = AddressLookupTableProgram.extendLookupTable({ payer: alice.publicKey, authority: alice.publicKey, lookupTable: address, addresses: [bob.publicKey, SystemProgram.programId] });
await sends([create, extend]);
await nextSlot();
const { value: table } = await connection.getAddressLookupTable(address);
assert.deepEqual(table.state.addresses.map(String), [bob.publicKey, SystemProgram.programId].map(String));
const through = await signedBy([transfer(LAMPORTS_PER_SOL)], [table]);
assert.equal(through.message.addressTableLookups.length, 1);
await confirmed(await connection.sendTransaction(through));
paid += LAMPORTS_PER_SOL;
assert.equal(await connection.getBalance(bob.publicKey), paid);

// E5. A durable nonce: created, used later than any blockhash lives, once and only once.
const nonce = Keypair.generate();
const rent = await connection.getMinimumBalanceForRentExemption(NONCE_ACCOUNT_LENGTH);
const creates = new Transaction().add(SystemProgram.createNonceAccount({ fromPubkey: alice.publicKey, noncePubkey: nonce.publicKey, authorizedPubkey: alice.publicKey, lamports: rent }));
// Not with the blockhash that the Connection keeps: it has expired.
await sends(creates.instructions, [], [nonce]);
const nonceNow = async () => NonceAccount.fromAccountData((await connection.getAccountInfo(nonce.publicKey)).data).nonce;
const nonceTransaction = async (lamports) => {
  const nonceInstruction = SystemProgram.nonceAdvance({ noncePubkey: nonce.publicKey, authorizedPubkey: alice.publicKey });
  const transaction = new Transaction({ feePayer: alice.publicKey, nonceInfo: { nonce: await nonceNow(), nonceInstruction } });
  transaction.add(transfer(lamports));
  transaction.sign(alice);
  return transaction;
};
const first = await nonceTransaction(LAMPORTS_PER_SOL);
assert.equal((await connection.simulateTransaction(first)).value.err, null);
assert.equal(await first.getEstimatedFee(connection), 5_000);
await expiresBlockhashes();
await isKilled();
const signature = await connection.sendRawTransaction(first.serialize());
const strategy = { signature, nonceAccountPubkey: nonce.publicKey, nonceValue: first.recentBlockhash, minContextSlot: await connection.getSlot() };
assert.equal((await connection.confirmTransaction(strategy)).value.err, null);
paid += LAMPORTS_PER_SOL;
assert.notEqual(await nonceNow(), first.recentBlockhash);
await assert.rejects(connection.sendRawTransaction(first.serialize()), /Blockhash not found/);
await isKilled();
await connection.sendRawTransaction(first.serialize(), { skipPreflight: true });
await expiresBlockhashes();
await connection.sendRawTransaction(first.serialize(), { skipPreflight: true });
await assert.rejects(connection.sendRawTransaction(first.serialize()), /Blockhash not found/);
assert.equal(await connection.getBalance(bob.publicKey), paid);

// One that fails has used its nonce too.
const failing = await nonceTransaction(1_000 * LAMPORTS_PER_SOL);
const failed = await connection.sendRawTransaction(failing.serialize(), { skipPreflight: true });
assert.deepEqual((await connection.getSignatureStatus(failed)).value.err, { InstructionError: [1, { Custom: 1 }] });
assert.notEqual(await nonceNow(), failing.recentBlockhash);
const again = await nonceTransaction(LAMPORTS_PER_SOL);
await connection.sendRawTransaction(again.serialize());
paid += LAMPORTS_PER_SOL;
assert.equal(await connection.getBalance(bob.publicKey), paid);
console.log('web3.js is content');
process.exit(0);

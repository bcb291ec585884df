// A maker who knows nothing but @solana/web3.js: signs transactions that were built elsewhere, and sends them by itself.
// Usage: limit_web3.mjs <url of /rpc> <secret key, JSON> <transaction, base64>...; prints their signatures, as JSON.
import assert from 'node:assert/strict';
import { Connection, Keypair, Transaction, VersionedTransaction } from '@solana/web3.js';

const [url, secret, ...transactions] = process.argv.slice(2);
const maker = Keypair.fromSecretKey(Uint8Array.from(JSON.parse(secret)));
const connection = new Connection(url, 'confirmed');
const signatures = [];
for (const [index, text] of transactions.entries()) {
  const bytes = Buffer.from(text, 'base64');
  let raw;
  if (index % 2 === 0) {  // Both classes read and sign the same bytes.
    const transaction = VersionedTransaction.deserialize(bytes);
    transaction.sign([maker]);
    raw = transaction.serialize();
  } else {
    const transaction = Transaction.from(bytes);
    transaction.sign(maker);
    raw = transaction.serialize();
  }
  const signature = await connection.sendRawTransaction(raw, { skipPreflight: index % 2 === 0 });
  const latest = await connection.getLatestBlockhash();
  const { value } = await connection.confirmTransaction({ signature, ...latest });
  assert.equal(value.err, null);
  signatures.push(signature);
}
console.log(JSON.stringify(signatures));

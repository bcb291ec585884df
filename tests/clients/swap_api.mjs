// A bot that knows the published API alone: Jupiter's client for it, and web3.js. Arguments: the venue's URL.
import { Configuration, SwapApi } from '@jup-ag/api';
import {
  Connection, Keypair, LAMPORTS_PER_SOL, PublicKey, TransactionInstruction, TransactionMessage, VersionedTransaction,
} from '@solana/web3.js';
import { getAssociatedTokenAddressSync } from '@solana/spl-token';
import assert from 'node:assert/strict';

const [url] = process.argv.slice(2);
const SOL = 'So11111111111111111111111111111111111111112';
const USDC = 'EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v';
const wallet = Keypair.generate();
const connection = new Connection(`${url}/rpc`, 'confirmed');
// Its `createJupiterApiClient` knows the servers of Jupiter alone.
const jupiter = new SwapApi(new Configuration({ basePath: `${url}/swap/v1` }));
const account = getAssociatedTokenAddressSync(new PublicKey(USDC), wallet.publicKey);
const holds = async () => Number((await connection.getTokenAccountBalance(account)).value.amount);

async function lands(transaction) {
  transaction.sign([wallet]);
  const signature = await connection.sendRawTransaction(transaction.serialize(), { maxRetries: 2 });
  const { value } = await connection.confirmTransaction(signature, 'finalized');
  return value.err;
}

const deserialized = (text) => VersionedTransaction.deserialize(Buffer.from(text, 'base64'));

async function sandbox(method, path, body) {
  const answer = await fetch(`${url}/sandbox/${path}`, {
    method, body: JSON.stringify(body), headers: { 'content-type': 'application/json' },
  });
  assert.equal(answer.status, 200);
}

const airdrop = await connection.requestAirdrop(wallet.publicKey, 10 * LAMPORTS_PER_SOL);
await connection.confirmTransaction(airdrop, 'finalized');

// What it costs, and what the token is.
const prices = await (await fetch(`${url}/price/v2?ids=${SOL}`)).json();
assert.equal(prices.data[SOL].price, '150');
const [token] = await (await fetch(`${url}/tokens/v2/search?query=USDC`)).json();
assert.deepEqual([token.id, token.decimals], [USDC, 6]);

// A quote, the transaction, one signature, and the balance.
const quoteResponse = await jupiter.quoteGet({ inputMint: SOL, outputMint: USDC, amount: LAMPORTS_PER_SOL, slippageBps: 50 });
assert.deepEqual([quoteResponse.outAmount, quoteResponse.otherAmountThreshold], ['149850000', '149100750']);
const swapRequest = {
  quoteResponse,
  userPublicKey: wallet.publicKey.toBase58(),
  dynamicComputeUnitLimit: true,
  dynamicSlippage: true,
  prioritizationFeeLamports: { priorityLevelWithMaxLamports: { maxLamports: 1_000_000, priorityLevel: 'veryHigh' } },
};
const built = await jupiter.swapPost({ swapRequest });
assert.ok(built.lastValidBlockHeight > (await connection.getBlockHeight()));
assert.ok(built.prioritizationFeeLamports > 0);
assert.equal(await lands(deserialized(built.swapTransaction)), null);
assert.equal(await holds(), 149_850_000);

// The same from instructions, as the documentation puts them together.
const told = await jupiter.swapInstructionsPost({ swapRequest });
const instruction = ({ programId, accounts, data }) => new TransactionInstruction({
  programId: new PublicKey(programId),
  keys: accounts.map(({ pubkey, isSigner, isWritable }) => ({ pubkey: new PublicKey(pubkey), isSigner, isWritable })),
  data: Buffer.from(data, 'base64'),
});
assert.deepEqual(told.addressLookupTableAddresses, []);
const parts = [...told.computeBudgetInstructions, ...told.setupInstructions, told.swapInstruction, told.cleanupInstruction];
const { blockhash } = await connection.getLatestBlockhash();
const message = new TransactionMessage({
  payerKey: wallet.publicKey, recentBlockhash: blockhash, instructions: parts.map(instruction),
}).compileToV0Message([]);
assert.equal(await lands(new VersionedTransaction(message)), null);
assert.equal(await holds(), 2 * 149_850_000);

// Exactly so much out.
const exact = await jupiter.quoteGet({ inputMint: SOL, outputMint: USDC, amount: 10_000_000, swapMode: 'ExactOut' });
const bought = await jupiter.swapPost({ swapRequest: { ...swapRequest, quoteResponse: exact } });
assert.equal(await lands(deserialized(bought.swapTransaction)), null);
assert.equal(await holds(), 2 * 149_850_000 + 10_000_000);

// A quote that grew stale.
const stale = deserialized((await jupiter.swapPost({ swapRequest })).swapTransaction);
await sandbox('PUT', 'prices', { SOL: '140' });
await assert.rejects(lands(stale), /custom program error: 0x1771/);
await sandbox('PUT', 'prices', { SOL: '150' });

// No route.
const unknown = jupiter.quoteGet({ inputMint: SOL, outputMint: wallet.publicKey.toBase58(), amount: 1 });
const refused = await unknown.then(() => null, (error) => error.response);
assert.equal(refused.status, 400);
assert.equal((await refused.json()).errorCode, 'TOKEN_NOT_TRADABLE');
console.log('is content');

// What an explorer asks, with @solana/web3.js 1 (E2, E4, E6). Usage: explorer_web3.mjs <url of /rpc>
import assert from 'node:assert/strict';
import {
  Connection, Keypair, LAMPORTS_PER_SOL, PublicKey, SYSVAR_CLOCK_PUBKEY, SYSVAR_RENT_PUBKEY, SystemProgram, Transaction, TransactionInstruction,
  sendAndConfirmTransaction,
} from '@solana/web3.js';
import * as token from '@solana/spl-token';

const USDC = new PublicKey('EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v');
const MEMO = new PublicKey('MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr');
const authority = Keypair.fromSeed(Uint8Array.from([...Array(32).keys()]));
const connection = new Connection(process.argv[2], 'confirmed');
const alice = Keypair.generate(), bob = Keypair.generate();
const versions = { maxSupportedTransactionVersion: 0 };

const airdrop = await connection.requestAirdrop(alice.publicKey, 2 * LAMPORTS_PER_SOL);
await connection.confirmTransaction({ signature: airdrop, ...(await connection.getLatestBlockhash()) });
const from = await token.getOrCreateAssociatedTokenAccount(connection, alice, USDC, alice.publicKey);
await token.mintTo(connection, alice, USDC, from.address, authority, 5_000_000n);
await token.approveChecked(connection, alice, USDC, from.address, bob.publicKey, alice, 7n, 6);

// A transaction with a memo, in the history and in its block.
const memo = new TransactionInstruction({ keys: [], programId: MEMO, data: Buffer.from('hello world') });
const pays = SystemProgram.transfer({ fromPubkey: alice.publicKey, toPubkey: bob.publicKey, lamports: LAMPORTS_PER_SOL });
const signature = await sendAndConfirmTransaction(connection, new Transaction().add(memo, pays), [alice]);
const [newest] = await connection.getSignaturesForAddress(alice.publicKey, { limit: 1 });
assert.deepEqual([newest.signature, newest.memo], [signature, '[11] hello world']);
const block = await connection.getBlock(newest.slot, versions);
const mine = block.transactions.find((entry) => entry.transaction.signatures[0] === signature);
assert.equal(mine.meta.fee, 5_000);
assert.equal(mine.version, 'legacy');
assert.equal(block.parentSlot, newest.slot - 1);
assert.equal(block.blockTime, await connection.getBlockTime(newest.slot));
const parsed = await connection.getParsedBlock(newest.slot, versions);
const words = parsed.transactions.find((entry) => entry.transaction.signatures[0] === signature).transaction.message.instructions;
assert.deepEqual([words[0].parsed, words[1].parsed.type], ['hello world', 'transfer']);
assert.ok((await connection.getBlockSignatures(newest.slot)).signatures.includes(signature));
for (const transactionDetails of ['accounts', 'none']) {
  assert.equal((await connection.getBlock(newest.slot, { ...versions, transactionDetails, rewards: false })).blockhash, block.blockhash);
}
assert.deepEqual(await connection.getBlocks(newest.slot - 2, newest.slot), [newest.slot - 2, newest.slot - 1, newest.slot]);
await assert.rejects(connection.getBlock(newest.slot + 100_000, versions), /Block not available for slot/);

// Accounts and tokens.
const [largest] = (await connection.getTokenLargestAccounts(USDC)).value;
assert.ok(BigInt(largest.amount) >= 5_000_000n);
const supply = (await connection.getSupply()).value;
assert.equal(supply.total, supply.circulating + supply.nonCirculating);
const [idle] = (await connection.getLargestAccounts({ filter: 'nonCirculating' })).value;
assert.equal(idle.address.toBase58(), supply.nonCirculatingAccounts[0].toBase58());
assert.equal((await connection.getParsedAccountInfo(SYSVAR_RENT_PUBKEY)).value.data.parsed.info.exemptionThreshold > 0, true);
const several = (await connection.getMultipleParsedAccounts([SYSVAR_CLOCK_PUBKEY, USDC, alice.publicKey])).value;
assert.deepEqual([several[0].data.parsed.type, several[1].data.parsed.type, several[2].data.length], ['clock', 'mint', 0]);

// Steps of slots. (Where this is refused, web3.js asks again without a pause.)
const update = await new Promise((resolve) => connection.onSlotUpdate(resolve));
assert.ok(update.slot >= newest.slot);

// The node and its cluster.
const [node] = await connection.getClusterNodes();
assert.equal(await connection.getSlotLeader(), node.pubkey);
assert.equal((await connection.getSlotLeaders(newest.slot, 2))[1].toBase58(), node.pubkey);
assert.equal((await connection.getLeaderSchedule())[node.pubkey].length, 432_000);
assert.deepEqual(await connection.getVoteAccounts(), { current: [], delinquent: [] });
assert.ok((await connection.getTransactionCount()) >= 5);
assert.equal((await connection.getRecentPerformanceSamples(2)).length, 2);
assert.ok((await connection.getBlockProduction()).value.byIdentity[node.pubkey][0] > 0);
assert.equal((await connection.getInflationGovernor()).initial, 0);
assert.equal((await connection.getInflationRate()).total, 0);
await assert.rejects(connection.getInflationReward([alice.publicKey]), /Block not available/);
assert.equal((await connection.getStakeMinimumDelegation()).value, 1);
assert.equal(await connection.getFirstAvailableBlock(), 0);
assert.equal(await connection.getMinimumLedgerSlot(), 0);
console.log('web3.js is content');
process.exit(0);

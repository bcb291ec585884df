// What an explorer asks, with @solana/kit (E2, E4, E6). Usage: explorer_kit.mjs <url of /rpc> <url of its WebSocket>
import assert from 'node:assert/strict';
import * as kit from '@solana/kit';
import * as token from '@solana-program/token';

const rpc = kit.createSolanaRpc(process.argv[2]);
const rpcSubscriptions = kit.createSolanaRpcSubscriptions_UNSTABLE(process.argv[3]);
const USDC = kit.address('EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v');
const MEMO = kit.address('MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr');
const authority = await kit.createKeyPairSignerFromPrivateKeyBytes(Uint8Array.from([...Array(32).keys()]));
const alice = await kit.generateKeyPairSigner(), bob = await kit.generateKeyPairSigner();
const sendAndConfirm = kit.sendAndConfirmTransactionFactory({ rpc, rpcSubscriptions });
const versions = { maxSupportedTransactionVersion: 0 };
const whyNot = async (promise) => {
  try { await promise } catch (error) { return error }
  assert.fail('it should have failed');
};
const signed = async (instructions) => {
  const { value: blockhash } = await rpc.getLatestBlockhash().send();
  return kit.signTransactionMessageWithSigners(kit.pipe(
    kit.createTransactionMessage({ version: 0 }),
    (message) => kit.setTransactionMessageFeePayerSigner(alice, message),
    (message) => kit.setTransactionMessageLifetimeUsingBlockhash(blockhash, message),
    (message) => kit.appendTransactionMessageInstructions(instructions, message),
  ));
};
const lands = async (instructions) => {
  const transaction = await signed(instructions);
  await sendAndConfirm(transaction, { commitment: 'confirmed' });
  return kit.getSignatureFromTransaction(transaction);
};

await kit.airdropFactory({ rpc, rpcSubscriptions })({ recipientAddress: alice.address, lamports: kit.lamports(2_000_000_000n), commitment: 'confirmed' });
const [from] = await token.findAssociatedTokenPda({ owner: alice.address, mint: USDC, tokenProgram: token.TOKEN_PROGRAM_ADDRESS });

// Blocks are told while they come, with what mentions the wallet.
const abort = new AbortController();
const blocks = await rpcSubscriptions.blockNotifications({ mentionsAccountOrProgram: alice.address }, { ...versions, encoding: 'json', commitment: 'confirmed' }).subscribe({ abortSignal: abort.signal });
const told = [];
const listening = (async () => { for await (const block of blocks) { told.push(block.value); } })();
await lands([
  token.getCreateAssociatedTokenIdempotentInstruction({ payer: alice, owner: alice.address, mint: USDC, ata: from }),
  token.getMintToInstruction({ mint: USDC, token: from, mintAuthority: authority, amount: 5_000_000n }),
  token.getApproveInstruction({ source: from, delegate: bob.address, owner: alice, amount: 7n }),
]);
const burn = token.getBurnCheckedInstruction({ account: from, mint: USDC, authority: alice, amount: 2n, decimals: 6 });
const config = { encoding: 'base64', innerInstructions: true, accounts: { encoding: 'base64+zstd', addresses: [from] } };
const simulated = (await rpc.simulateTransaction(kit.getBase64EncodedWireTransaction(await signed([burn])), config).send()).value;
assert.deepEqual([simulated.err, simulated.fee, simulated.innerInstructions], [null, 5_000n, []]);
assert.equal(simulated.accounts[0].data[1], 'base64+zstd');
assert.equal(simulated.preBalances[0] - simulated.postBalances[0], 5_000n);
assert.deepEqual([simulated.preTokenBalances, simulated.postTokenBalances].map(([balance]) => balance.uiTokenAmount.amount), ['5000000', '4999998']);
const signature = await lands([{ programAddress: MEMO, data: new TextEncoder().encode('hello world') }]);
const [newest] = await rpc.getSignaturesForAddress(alice.address, { limit: 1 }).send();
assert.deepEqual([newest.signature, newest.memo], [signature, '[11] hello world']);
for (const encoding of ['json', 'jsonParsed', 'base64']) {
  const block = await rpc.getBlock(newest.slot, { ...versions, encoding, rewards: false }).send();
  assert.equal(block.blockHeight, newest.slot);
  assert.ok(block.transactions.length > 0);
}
const { signatures } = await rpc.getBlock(newest.slot, { ...versions, transactionDetails: 'signatures' }).send();
assert.ok(signatures.includes(signature));
while (!told.some((value) => value.slot === newest.slot)) await new Promise((resolve) => setTimeout(resolve, 50));
abort.abort();
await listening;
const { block } = told.find((value) => value.slot === newest.slot);
assert.ok(block.transactions.some((entry) => entry.transaction.signatures[0] === signature));
assert.deepEqual(await rpc.getBlocks(newest.slot - 1n, newest.slot).send(), [newest.slot - 1n, newest.slot]);
assert.deepEqual(await rpc.getBlocksWithLimit(newest.slot - 1n, 2).send(), [newest.slot - 1n, newest.slot]);
const early = await whyNot(rpc.getBlock(newest.slot + 100_000n, versions).send());
assert.ok(kit.isSolanaError(early, kit.SOLANA_ERROR__JSON_RPC__SERVER_ERROR_BLOCK_NOT_AVAILABLE));

// Accounts and tokens.
const compressed = (await rpc.getAccountInfo(from, { encoding: 'base64+zstd' }).send()).value;
assert.equal(compressed.data[1], 'base64+zstd');
assert.equal((await rpc.getMultipleAccounts([from], { encoding: 'base64+zstd' }).send()).value[0].data[0], compressed.data[0]);
assert.equal((await rpc.getTokenLargestAccounts(USDC).send()).value[0].decimals, 6);
const ofBob = (await rpc.getTokenAccountsByDelegate(bob.address, { mint: USDC }, { encoding: 'jsonParsed' }).send()).value;
assert.deepEqual(ofBob.map((entry) => [entry.pubkey, entry.account.data.parsed.info.delegatedAmount.amount]), [[from, '7']]);
const supply = (await rpc.getSupply().send()).value;
assert.equal(supply.total, supply.circulating + supply.nonCirculating);
assert.equal((await rpc.getLargestAccounts({ filter: 'circulating' }).send()).value.some((entry) => entry.address === supply.nonCirculatingAccounts[0]), false);
for (const [key, type] of [['SysvarC1ock11111111111111111111111111111111', 'clock'], ['SysvarS1otHashes111111111111111111111111111', 'slotHashes']]) {
  assert.equal((await rpc.getAccountInfo(kit.address(key), { encoding: 'jsonParsed' }).send()).value.data.parsed.type, type);
}

// The node and its cluster.
const { identity } = await rpc.getIdentity().send();
assert.deepEqual((await rpc.getClusterNodes().send()).map((node) => node.pubkey), [identity]);
assert.equal(await rpc.getSlotLeader().send(), identity);
assert.deepEqual(await rpc.getSlotLeaders(newest.slot, 2).send(), [identity, identity]);
assert.equal((await rpc.getLeaderSchedule().send())[identity].length, 432_000);
assert.deepEqual(await rpc.getVoteAccounts().send(), { current: [], delinquent: [] });
assert.ok((await rpc.getTransactionCount().send()) >= 3n);
assert.equal((await rpc.getRecentPerformanceSamples(2).send()).length, 2);
assert.ok((await rpc.getBlockProduction().send()).value.byIdentity[identity][0] > 0n);
assert.equal((await rpc.getInflationRate().send()).total, 0);
assert.equal((await rpc.getInflationGovernor().send()).initial, 0);
assert.equal((await rpc.getBlockCommitment(newest.slot).send()).commitment, null);
assert.equal(await rpc.getFirstAvailableBlock().send(), 0n);
assert.equal(await rpc.minimumLedgerSlot().send(), 0n);
assert.ok((await rpc.getMaxRetransmitSlot().send()) >= newest.slot);
const none = await whyNot(rpc.getHighestSnapshotSlot().send());
assert.ok(kit.isSolanaError(none, kit.SOLANA_ERROR__JSON_RPC__SERVER_ERROR_NO_SNAPSHOT));
console.log('kit is content');
process.exit(0);

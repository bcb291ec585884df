// @solana/web3.js 1 and @solana/spl-token against the facade, unmodified. Usage: rpc_web3.mjs <url of /rpc> <url of its WebSocket> [briefly]
// The WebSocket is where web3.js looks for it: one port above.
import assert from 'node:assert/strict';
import {
  AddressLookupTableProgram, ComputeBudgetProgram, Connection, Keypair, LAMPORTS_PER_SOL, PublicKey, SendTransactionError,
  SystemProgram, Transaction, TransactionExpiredBlockheightExceededError, TransactionMessage, VersionedTransaction,
  sendAndConfirmTransaction,
} from '@solana/web3.js';
import * as token from '@solana/spl-token';

const USDC = new PublicKey('EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v');
const MEMO = new PublicKey('MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr');
const authority = Keypair.fromSeed(Uint8Array.from([...Array(32).keys()]));
const connection = new Connection(process.argv[2], 'confirmed');
const alice = Keypair.generate(), bob = Keypair.generate();
const versions = { maxSupportedTransactionVersion: 0 };

const signedBy = async (signers, instructions, tables = [], blockhash = undefined) => {
  const recentBlockhash = blockhash ?? (await connection.getLatestBlockhash()).blockhash;
  const message = new TransactionMessage({ payerKey: signers[0].publicKey, recentBlockhash, instructions });
  const transaction = new VersionedTransaction(message.compileToV0Message(tables));
  transaction.sign(signers);
  return transaction;
};
const confirmed = async (signature) => {
  const latest = await connection.getLatestBlockhash();
  const { value } = await connection.confirmTransaction({ signature, ...latest });
  assert.equal(value.err, null);
  return signature;
};
const heard = (subscribe) => new Promise((resolve) => subscribe((...told) => resolve(told)));

// The node.
assert.match((await connection.getVersion())['solana-core'], /^\d+\.\d+/);
assert.equal((await connection.getGenesisHash()).length > 40, true);
const slot = await connection.getSlot();
assert.ok((await connection.getBlockHeight()) >= slot);
assert.ok((await connection.getEpochInfo()).absoluteSlot >= slot);
assert.ok(Math.abs((await connection.getBlockTime(slot)) - Date.now() / 1000) < 30);
assert.equal(await connection.getMinimumBalanceForRentExemption(165), 2_039_280);
assert.equal((await connection.getRecentPrioritizationFees())[0].prioritizationFee, 0);

// Airdrop, and what a subscriber hears of it.
const account = heard((tell) => connection.onAccountChange(alice.publicKey, tell, { commitment: 'confirmed' }));
const slots = heard((tell) => connection.onSlotChange(tell));
await slots;  // By now the subscription to the account is there too: it was asked first.
await confirmed(await connection.requestAirdrop(alice.publicKey, 2 * LAMPORTS_PER_SOL));
assert.equal(await connection.getBalance(alice.publicKey), 2 * LAMPORTS_PER_SOL);
assert.equal((await account)[0].lamports, 2 * LAMPORTS_PER_SOL);
if (process.argv[4] === 'briefly') {
  console.log('web3.js is content');
  process.exit(0);
}

// Token accounts, minting, a transfer.
const from = await token.getOrCreateAssociatedTokenAccount(connection, alice, USDC, alice.publicKey);
const to = await token.getOrCreateAssociatedTokenAccount(connection, alice, USDC, bob.publicKey);
await token.mintTo(connection, alice, USDC, from.address, authority, 5_000_000n);
await token.transferChecked(connection, alice, from.address, USDC, to.address, alice, 1_500_000n, 6);
assert.equal((await token.getAccount(connection, to.address)).amount, 1_500_000n);
assert.equal((await token.getMint(connection, USDC)).decimals, 6);
const balance = { amount: '1500000', decimals: 6, uiAmount: 1.5, uiAmountString: '1.5' };
assert.deepEqual((await connection.getTokenAccountBalance(to.address)).value, balance);

// A versioned transaction: simulated unsigned, its fee, sent, confirmed, read in every way.
const transfer = token.createTransferCheckedInstruction(from.address, USDC, to.address, alice.publicKey, 250_000n, 6);
const price = ComputeBudgetProgram.setComputeUnitPrice({ microLamports: 1_000 });
const latest = await connection.getLatestBlockhash();
const transaction = await signedBy([alice], [price, transfer], [], latest.blockhash);
const unsigned = new VersionedTransaction(transaction.message);
const simulation = (await connection.simulateTransaction(unsigned, { sigVerify: false, accounts: { addresses: [to.address.toBase58()], encoding: 'base64' } })).value;
assert.equal(simulation.err, null);
assert.equal(token.AccountLayout.decode(Buffer.from(simulation.accounts[0].data[0], 'base64')).amount, 1_750_000n);
assert.equal((await connection.simulateTransaction(unsigned, { replaceRecentBlockhash: true })).value.err, null);
const fee = (await connection.getFeeForMessage(transaction.message)).value;
const logs = heard((tell) => connection.onLogs(from.address, tell));
const program = heard((tell) => connection.onProgramAccountChange(token.TOKEN_PROGRAM_ID, tell, { commitment: 'confirmed', filters: [{ memcmp: { offset: 32, bytes: bob.publicKey.toBase58() } }] }));
await heard((tell) => connection.onSlotChange(tell));
const signature = await connection.sendTransaction(transaction);
await connection.confirmTransaction({ signature, ...latest });
assert.equal((await logs)[0].signature, signature);
assert.equal((await program)[0].accountId.toBase58(), to.address.toBase58());
assert.equal((await connection.getSignatureStatus(signature)).value.confirmationStatus, 'finalized');
const shown = await connection.getTransaction(signature, versions);
assert.equal(shown.meta.fee, fee);
assert.equal(shown.meta.postTokenBalances.find((entry) => entry.owner === bob.publicKey.toBase58()).uiTokenAmount.amount, '1750000');
const parsed = await connection.getParsedTransaction(signature, versions);
assert.deepEqual(parsed.transaction.message.instructions[1].parsed.info, {
  source: from.address.toBase58(), mint: USDC.toBase58(), destination: to.address.toBase58(), authority: alice.publicKey.toBase58(),
  tokenAmount: { amount: '250000', decimals: 6, uiAmount: 0.25, uiAmountString: '0.25' },
});
assert.equal((await connection.getSignaturesForAddress(to.address, { limit: 1 }))[0].signature, signature);

// Reads.
assert.equal((await connection.getTokenAccountsByOwner(bob.publicKey, { mint: USDC })).value.length, 1);
const owned = (await connection.getParsedTokenAccountsByOwner(bob.publicKey, { programId: token.TOKEN_PROGRAM_ID })).value;
assert.equal(owned[0].account.data.parsed.info.tokenAmount.uiAmountString, '1.75');
assert.equal((await connection.getMultipleAccountsInfo([from.address, bob.publicKey]))[1], null);
assert.equal((await connection.getParsedAccountInfo(USDC)).value.data.parsed.type, 'mint');
assert.ok(BigInt((await connection.getTokenSupply(USDC)).value.amount) >= 5_000_000n);
const filters = [{ dataSize: 165 }, { memcmp: { offset: 32, bytes: bob.publicKey.toBase58() } }];
assert.equal((await connection.getProgramAccounts(token.TOKEN_PROGRAM_ID, { filters }))[0].pubkey.toBase58(), to.address.toBase58());
assert.equal((await connection.isBlockhashValid(latest.blockhash)).value, true);

// An address lookup table, made and used.
const [create, table] = AddressLookupTableProgram.createLookupTable({ authority: alice.publicKey, payer: alice.publicKey, recentSlot: (await connection.getSlot()) - 1 });
const extend = AddressLookupTableProgram.extendLookupTable({ authority: alice.publicKey, payer: alice.publicKey, lookupTable: table, addresses: [to.address, USDC] });
await confirmed(await connection.sendTransaction(await signedBy([alice], [create, extend])));
await heard((tell) => connection.onSlotChange(tell));
await heard((tell) => connection.onSlotChange(tell));
const lookup = (await connection.getAddressLookupTable(table)).value;
assert.deepEqual(lookup.state.addresses.map(String), [to.address, USDC].map(String));
const compact = await confirmed(await connection.sendTransaction(await signedBy([alice], [transfer], [lookup])));
const compactShown = await connection.getTransaction(compact, versions);
assert.deepEqual(compactShown.meta.loadedAddresses.writable.map(String), [to.address.toBase58()]);
const sources = (await connection.getParsedTransaction(compact, versions)).transaction.message.accountKeys;
assert.equal(sources.find((key) => key.pubkey.equals(to.address)).source, 'lookupTable');

// Failures: too much, sent again, a strange blockhash, a wrong signature, a version that is not asked for.
const tooMuch = token.createTransferCheckedInstruction(from.address, USDC, to.address, alice.publicKey, 10n ** 15n, 6);
await assert.rejects(sendAndConfirmTransaction(connection, new Transaction().add(tooMuch), [alice]), (error) => {
  assert.ok(error instanceof SendTransactionError);
  assert.match(error.message, /custom program error: 0x1/);
  assert.ok(error.logs.some((line) => line.includes('failed')));
  return true;
});
await assert.rejects(connection.sendTransaction(transaction), /already been processed/);
const strange = await signedBy([alice], [transfer], [], Keypair.generate().publicKey.toBase58());
await assert.rejects(connection.sendTransaction(strange), /Blockhash not found/);
await assert.rejects(connection.sendRawTransaction(unsigned.serialize()), /signature verification failure/);
await assert.rejects(connection.getTransaction(signature), /maxSupportedTransactionVersion/);
const failing = await connection.sendTransaction(await signedBy([alice], [tooMuch]), { skipPreflight: true });
// web3.js returns the error if the WebSocket tells it first, and throws it if its first poll does.
const inVain = await connection.confirmTransaction({ signature: failing, ...(await connection.getLatestBlockhash()) }).catch((err) => ({ value: { err } }));
assert.deepEqual(inVain.value.err, { InstructionError: [0, { Custom: 1 }] });

// A transaction that is lost: it expires, and comes too late then.
const before = await connection.getLatestBlockhash();
const memo = { keys: [], programId: MEMO, data: Buffer.from('lose this') };
const lost = await signedBy([alice], [memo], [], before.blockhash);
const lostSignature = await connection.sendTransaction(lost);
await assert.rejects(connection.confirmTransaction({ signature: lostSignature, ...before }), TransactionExpiredBlockheightExceededError);
await assert.rejects(connection.sendTransaction(lost), /Blockhash not found/);
await confirmed(await connection.sendTransaction(await signedBy([alice], [SystemProgram.transfer({ fromPubkey: alice.publicKey, toPubkey: bob.publicKey, lamports: LAMPORTS_PER_SOL })])));
console.log('web3.js is content');
process.exit(0);

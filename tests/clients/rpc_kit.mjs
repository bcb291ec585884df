// @solana/kit and @solana-program/token against the facade, unmodified. Usage: rpc_kit.mjs <url of /rpc> <url of its WebSocket> [briefly]
import assert from 'node:assert/strict';
import * as kit from '@solana/kit';
import { getTransferSolInstruction } from '@solana-program/system';
import * as token from '@solana-program/token';

const rpc = kit.createSolanaRpc(process.argv[2]);
const rpcSubscriptions = kit.createSolanaRpcSubscriptions(process.argv[3]);
const USDC = kit.address('EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v');
const MEMO = kit.address('MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr');
const authority = await kit.createKeyPairSignerFromPrivateKeyBytes(Uint8Array.from([...Array(32).keys()]));
const alice = await kit.generateKeyPairSigner(), bob = await kit.generateKeyPairSigner();
const sendAndConfirm = kit.sendAndConfirmTransactionFactory({ rpc, rpcSubscriptions });

const signed = async (instructions, version = 0) => {
  const { value: blockhash } = await rpc.getLatestBlockhash().send();
  return kit.signTransactionMessageWithSigners(kit.pipe(
    kit.createTransactionMessage({ version }),
    (message) => kit.setTransactionMessageFeePayerSigner(alice, message),
    (message) => kit.setTransactionMessageLifetimeUsingBlockhash(blockhash, message),
    (message) => kit.appendTransactionMessageInstructions(instructions, message),
  ));
};
const lands = async (instructions, version) => {
  const transaction = await signed(instructions, version);
  await sendAndConfirm(transaction, { commitment: 'confirmed' });
  return kit.getSignatureFromTransaction(transaction);
};
const whyNot = async (promise) => {
  try { await promise } catch (error) { return error }
  assert.fail('it should have failed');
};

// The node.
assert.equal(await rpc.getHealth().send(), 'ok');
const slot = await rpc.getSlot().send();
assert.ok((await rpc.getBlockHeight({ commitment: 'processed' }).send()) >= slot);
assert.ok((await rpc.getEpochInfo().send()).absoluteSlot >= slot);
assert.ok((await rpc.getGenesisHash().send()).length > 40);
assert.equal(await rpc.getMinimumBalanceForRentExemption(165n).send(), 2_039_280n);
assert.equal((await rpc.getRecentPrioritizationFees([USDC]).send())[0].prioritizationFee, 0n);

// Airdrop, token accounts, minting, a transfer.
await kit.airdropFactory({ rpc, rpcSubscriptions })({ recipientAddress: alice.address, lamports: kit.lamports(2_000_000_000n), commitment: 'confirmed' });
assert.equal((await rpc.getBalance(alice.address, { commitment: 'finalized' }).send()).value, 2_000_000_000n);
if (process.argv[4] === 'briefly') {
  console.log('kit is content');
  process.exit(0);
}
const accountOf = async (owner) => (await token.findAssociatedTokenPda({ owner, mint: USDC, tokenProgram: token.TOKEN_PROGRAM_ADDRESS }))[0];
const from = await accountOf(alice.address), to = await accountOf(bob.address);
await lands([
  token.getCreateAssociatedTokenIdempotentInstruction({ payer: alice, owner: alice.address, mint: USDC, ata: from }),
  token.getCreateAssociatedTokenIdempotentInstruction({ payer: alice, owner: bob.address, mint: USDC, ata: to }),
  token.getMintToInstruction({ mint: USDC, token: from, mintAuthority: authority, amount: 5_000_000n }),
]);
const abort = new AbortController();
const changes = await rpcSubscriptions.accountNotifications(to, { encoding: 'jsonParsed', commitment: 'confirmed' }).subscribe({ abortSignal: abort.signal });
const change = changes[Symbol.asyncIterator]().next();  // kit keeps only what comes after this.
const transfer = (amount) => token.getTransferCheckedInstruction({ source: from, mint: USDC, destination: to, authority: alice, amount, decimals: 6 });
const signature = await lands([transfer(1_500_000n)]);
assert.equal((await change).value.value.data.parsed.info.tokenAmount.amount, '1500000');
abort.abort();
await lands([getTransferSolInstruction({ source: alice, destination: bob.address, amount: 1_000_000n })], 'legacy');

// Reads.
assert.deepEqual((await rpc.getTokenAccountBalance(to).send()).value, { amount: '1500000', decimals: 6, uiAmount: 1.5, uiAmountString: '1.5' });
assert.equal((await token.fetchToken(rpc, to)).data.amount, 1_500_000n);
assert.equal((await token.fetchMint(rpc, USDC)).data.decimals, 6);
assert.equal((await kit.fetchJsonParsedAccount(rpc, to)).data.tokenAmount.amount, '1500000');
assert.equal((await rpc.getTokenAccountsByOwner(bob.address, { mint: USDC }, { encoding: 'jsonParsed' }).send()).value.length, 1);
assert.equal((await rpc.getMultipleAccounts([from, to, authority.address], { encoding: 'base64' }).send()).value[2], null);
assert.equal((await rpc.getProgramAccounts(token.TOKEN_PROGRAM_ADDRESS, { encoding: 'base64', filters: [{ memcmp: { offset: 32n, bytes: bob.address, encoding: 'base58' } }] }).send()).length, 1);
const [status] = (await rpc.getSignatureStatuses([signature]).send()).value;
assert.equal(status.confirmationStatus, 'finalized');
for (const encoding of ['json', 'jsonParsed', 'base64', 'base58']) {
  const shown = await rpc.getTransaction(signature, { maxSupportedTransactionVersion: 0, encoding }).send();
  assert.equal(shown.meta.postTokenBalances.length, 2);
}
assert.equal((await rpc.getSignaturesForAddress(to, { limit: 1 }).send())[0].signature, signature);

// A simulation, the failures, and a transaction sent again.
const tooMuch = await signed([transfer(10n ** 15n)]);
const wire = kit.getBase64EncodedWireTransaction(tooMuch);
const simulation = (await rpc.simulateTransaction(wire, { encoding: 'base64', sigVerify: true }).send()).value;
assert.deepEqual(simulation.err, { InstructionError: [0n, { Custom: 1n }] });
assert.ok(simulation.logs.length > 0);
const refused = await whyNot(sendAndConfirm(tooMuch, { commitment: 'confirmed' }));
assert.ok(kit.isSolanaError(refused, kit.SOLANA_ERROR__JSON_RPC__SERVER_ERROR_SEND_TRANSACTION_PREFLIGHT_FAILURE));
assert.ok(kit.isSolanaError(refused.cause, kit.SOLANA_ERROR__INSTRUCTION_ERROR__CUSTOM));
assert.equal(refused.cause.context.code, 1);
const inVain = await whyNot(sendAndConfirm(tooMuch, { commitment: 'confirmed', skipPreflight: true }));
assert.ok(kit.isSolanaError(inVain, kit.SOLANA_ERROR__INSTRUCTION_ERROR__CUSTOM));
const unsigned = kit.getBase64EncodedWireTransaction({ ...tooMuch, signatures: { [alice.address]: new Uint8Array(64) } });
const forged = await whyNot(rpc.sendTransaction(unsigned, { encoding: 'base64' }).send());
assert.ok(kit.isSolanaError(forged, kit.SOLANA_ERROR__JSON_RPC__SERVER_ERROR_TRANSACTION_SIGNATURE_VERIFICATION_FAILURE));
const again = await whyNot(rpc.sendTransaction(wire, { encoding: 'base64' }).send());
assert.ok(kit.isSolanaError(again.cause, kit.SOLANA_ERROR__TRANSACTION_ERROR__ALREADY_PROCESSED));
const versionless = await whyNot(rpc.getTransaction(signature, { encoding: 'json' }).send());
assert.ok(kit.isSolanaError(versionless, kit.SOLANA_ERROR__JSON_RPC__SERVER_ERROR_UNSUPPORTED_TRANSACTION_VERSION));
const early = await whyNot(rpc.getSlot({ minContextSlot: slot + 10_000n }).send());
assert.ok(kit.isSolanaError(early, kit.SOLANA_ERROR__JSON_RPC__SERVER_ERROR_MIN_CONTEXT_SLOT_NOT_REACHED));

// A transaction that is lost: it expires, and comes too late then.
const lost = await signed([{ programAddress: MEMO, data: new TextEncoder().encode('lose this') }]);
const expired = await whyNot(sendAndConfirm(lost, { commitment: 'confirmed' }));
assert.ok(kit.isSolanaError(expired, kit.SOLANA_ERROR__BLOCK_HEIGHT_EXCEEDED));
const late = await whyNot(rpc.sendTransaction(kit.getBase64EncodedWireTransaction(lost), { encoding: 'base64' }).send());
assert.ok(kit.isSolanaError(late.cause, kit.SOLANA_ERROR__TRANSACTION_ERROR__BLOCKHASH_NOT_FOUND));
await lands([transfer(1n)]);
console.log('kit is content');
process.exit(0);

// A client that knows nothing but @solana/web3.js, the two order programs and /rpc: no API builds or finds anything here.
// Usage: orders_alone.mjs <url of /rpc> <secret key, JSON> <input mint> <output mint> <what> ...
//   open <number>      opens so many limit orders, and prints their addresses
//   cancel [address…]  cancels these, or all that the chain has of this maker, five to a transaction; prints what is left
//   save               opens a recurring order, and prints its address
//   close <address>    closes it, and prints what is left
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import {
  ComputeBudgetProgram, Connection, Keypair, PublicKey, SystemProgram, Transaction, TransactionInstruction,
  sendAndConfirmTransaction,
} from '@solana/web3.js';

const LIMIT = new PublicKey('j1o2qRpjcyUwEvwtcfhEQefh773ZgjxcVRry7LDqg5X');
const DCA = new PublicKey('DCA265Vj8a9CEuX1eb1LWRnDT7uK6q1xMipnNyatn23M');
const TOKEN = new PublicKey('TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA');
const ASSOCIATED = new PublicKey('ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL');
const BATCH = 5;

const [url, secret, input, output, what, ...rest] = process.argv.slice(2);
const maker = Keypair.fromSecretKey(Uint8Array.from(JSON.parse(secret)));
const [inputMint, outputMint] = [new PublicKey(input), new PublicKey(output)];
const connection = new Connection(url, 'confirmed');

const u64 = (value) => { const bytes = Buffer.alloc(8); bytes.writeBigUInt64LE(BigInt(value)); return bytes; };
const hash = (text) => createHash('sha256').update(text).digest().subarray(0, 8);
const derived = (program, ...seeds) => PublicKey.findProgramAddressSync(seeds, program)[0];
const associated = (owner, mint) => derived(ASSOCIATED, owner.toBuffer(), TOKEN.toBuffer(), mint.toBuffer());
const signs = (pubkey, isWritable = true) => ({ pubkey, isSigner: true, isWritable });
const writes = (pubkey) => ({ pubkey, isSigner: false, isWritable: true });
const reads = (pubkey) => ({ pubkey, isSigner: false, isWritable: false });
const events = (program) => derived(program, Buffer.from('__event_authority'));

function initializeOrder() {
  const uniqueId = randomBytes(8);
  const order = derived(LIMIT, Buffer.from('order'), maker.publicKey.toBuffer(), uniqueId);
  const none = Buffer.from([0]);
  const data = Buffer.concat([hash('global:initialize_order'), uniqueId, u64(10_000_000), u64(1_000), none, none]);
  const keys = [
    signs(maker.publicKey), signs(maker.publicKey, false), writes(order), writes(associated(order, inputMint)),
    writes(associated(maker.publicKey, inputMint)), reads(derived(LIMIT, Buffer.from('fee'))), reads(LIMIT),
    reads(inputMint), reads(outputMint), reads(TOKEN), reads(TOKEN), reads(SystemProgram.programId),
    reads(ASSOCIATED), reads(events(LIMIT)), reads(LIMIT),
  ];
  return [order, new TransactionInstruction({ programId: LIMIT, keys, data })];
}

function cancelOrder(order) {
  const keys = [
    signs(maker.publicKey), writes(maker.publicKey), writes(order), writes(associated(order, inputMint)),
    writes(associated(maker.publicKey, inputMint)), reads(inputMint), reads(TOKEN), reads(events(LIMIT)), reads(LIMIT),
  ];
  return new TransactionInstruction({ programId: LIMIT, keys, data: hash('global:cancel_order') });
}

function openDca() {
  const index = u64(Math.floor(Date.now() / 1000));
  const order = derived(
    DCA, Buffer.from('dca'), maker.publicKey.toBuffer(), inputMint.toBuffer(), outputMint.toBuffer(), index,
  );
  const data = Buffer.concat([
    hash('global:open_dca_v2'), index, u64(104_000_000), u64(52_000_000), u64(86_400), Buffer.from([0, 0, 0]),
  ]);
  const keys = [
    writes(order), signs(maker.publicKey, false), signs(maker.publicKey), reads(inputMint), reads(outputMint),
    writes(associated(maker.publicKey, inputMint)), writes(associated(order, inputMint)),
    writes(associated(order, outputMint)), reads(SystemProgram.programId), reads(TOKEN), reads(ASSOCIATED),
    reads(events(DCA)), reads(DCA),
  ];
  return [order, new TransactionInstruction({ programId: DCA, keys, data })];
}

function closeDca(order) {
  const keys = [
    signs(maker.publicKey), writes(order), reads(inputMint), reads(outputMint), writes(associated(order, inputMint)),
    writes(associated(order, outputMint)), writes(associated(maker.publicKey, inputMint)),
    writes(associated(maker.publicKey, outputMint)), reads(SystemProgram.programId), reads(TOKEN), reads(ASSOCIATED),
    reads(events(DCA)), reads(DCA),
  ];
  return new TransactionInstruction({ programId: DCA, keys, data: hash('global:close_dca') });
}

const send = (...instructions) => sendAndConfirmTransaction(
  connection,
  new Transaction().add(ComputeBudgetProgram.setComputeUnitPrice({ microLamports: 1_000 }), ...instructions),
  [maker],
);

async function mine(program, dataSize) {
  const filters = [{ dataSize }, { memcmp: { offset: 8, bytes: maker.publicKey.toBase58() } }];
  return (await connection.getProgramAccounts(program, { filters })).map(({ pubkey, account }) => {
    assert.ok(account.owner.equals(program));
    return pubkey.toBase58();
  });
}

async function act() {
  switch (what) {
    case 'open': {
      const opened = [];
      for (let count = 0; count < Number(rest[0]); count += 1) {
        const [order, instruction] = initializeOrder();
        await send(instruction);
        opened.push(order.toBase58());
      }
      return opened;
    }
    case 'cancel': {
      const orders = rest.length > 0 ? rest : await mine(LIMIT, 372);
      for (let at = 0; at < orders.length; at += BATCH) {
        await send(...orders.slice(at, at + BATCH).map((order) => cancelOrder(new PublicKey(order))));
      }
      return mine(LIMIT, 372);
    }
    case 'save': {
      const [order, instruction] = openDca();
      await send(instruction);
      assert.deepEqual(await mine(DCA, 289), [order.toBase58()]);
      return [order.toBase58()];
    }
    case 'close':
      await send(closeDca(new PublicKey(rest[0])));
      return mine(DCA, 289);
    default:
      throw new Error(what);
  }
}

console.log(JSON.stringify(await act()));
process.exit(0);

// Signs a withdrawal with the older Transaction class of @solana/web3.js 1, as many wallets do.
// Usage: cancel_web3_legacy.mjs <transaction, base64> <secret key, JSON>; prints the signed transaction, base64.
import { Keypair, Transaction } from '@solana/web3.js';

const transaction = Transaction.from(Buffer.from(process.argv[2], 'base64'));
transaction.partialSign(Keypair.fromSecretKey(Uint8Array.from(JSON.parse(process.argv[3]))));
console.log(transaction.serialize({ requireAllSignatures: false }).toString('base64'));

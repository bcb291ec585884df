// The published SDK of the recurring orders' program, on whatever chain stands at <url of /rpc>.
// Usage: dca_sdk.mjs <url> <secret key, JSON> <input mint> <output mint> <amount> <older: true or false>
// Opens an order over four rounds, adds a tenth, takes a tenth out, and closes it; prints what it saw, as JSON.
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);  // Its own imports are those of CommonJS.
const { BN, utils } = require('@coral-xyz/anchor');
const { DCA, Network } = require('@jup-ag/dca-sdk');
const { Connection, Keypair, PublicKey, sendAndConfirmTransaction } = require('@solana/web3.js');

const [url, secret, input, output, total, older] = process.argv.slice(2);
const connection = new Connection(url, 'confirmed');
const owner = Keypair.fromSecretKey(Uint8Array.from(JSON.parse(secret)));
const user = owner.publicKey;
const sdk = new DCA(connection, Network.MAINNET);
const [inputMint, outputMint] = [new PublicKey(input), new PublicKey(output)];
const inAmount = BigInt(total);
const tenth = inAmount / 10n;

// An event is a call of the program by itself, whose data begins with eight bytes of Anchor's.
const told = [];
const send = async ({ tx }) => {
  const signature = await sendAndConfirmTransaction(connection, tx, [owner]);
  const { meta } = await connection.getTransaction(signature, { commitment: 'confirmed' });
  for (const { data } of meta.innerInstructions.flatMap(({ instructions }) => instructions)) {
    const event = sdk.program.coder.events.decode(utils.bytes.base64.encode(utils.bytes.bs58.decode(data).subarray(8)));
    if (event !== null) told.push(event);
  }
};

const terms = {
  payer: user, user, inputMint, outputMint, inAmount, inAmountPerCycle: inAmount / 4n, cycleSecondsApart: 86_400n,
  minOutAmountPerCycle: null, maxOutAmountPerCycle: null, startAt: null,
};
const created = await (older === 'true' ? sdk.createDCA(terms) : sdk.createDcaV2(terms));
await send(created);
const dca = created.dcaPubKey;
const balance = async () => (await sdk.fetchDCA(dca)).inBalance.toString();
const seen = [await balance()];
await send(await sdk.deposit({ user, dca, amount: tenth }));
seen.push(await balance());
// For the SDK no amount is a number, and then it closes the user's account for what is SOL.
if (output !== 'So11111111111111111111111111111111111111112') {
  await send(await sdk.withdraw({
    user, dca, inputMint, outputMint, withdrawInAmount: tenth, withdrawOutAmount: new BN(0),
  }));
  seen.push(await balance());
}
const open = (await sdk.getCurrentByUser(user)).map(({ publicKey }) => publicKey.toBase58());
await send(await sdk.closeDCA({ user, dca }));
const left = await sdk.getCurrentByUser(user);
const plain = (value) => (BN.isBN(value) ? value.toString() : value);
const events = told.map(({ name, data }) => (
  [name, Object.fromEntries(Object.entries(data).map(([key, value]) => [key, plain(value)]))]
));
console.log(JSON.stringify({ order: dca.toBase58(), seen, open, left, events }));
process.exit(0);

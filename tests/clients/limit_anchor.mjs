// A maker whose client is made by Anchor from the interface that the program of limit orders publishes.
// Usage: limit_anchor.mjs <url of /rpc> <maker, JSON> <stranger, JSON> <input mint> <output mint> <expiry, in seconds>
// Opens one order with an expiry, and one without, with a slippage; reads them; is refused; cancels the second, and prints
// what it saw, as JSON. With an expiry of 0, the stranger cancels what has expired instead, and another wallet pays.
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
const { AnchorProvider, BN, BorshCoder, Program, Wallet, AnchorError, utils } = require('@coral-xyz/anchor');
const { Connection, Keypair, PublicKey } = require('@solana/web3.js');

const PROGRAM = new PublicKey('j1o2qRpjcyUwEvwtcfhEQefh773ZgjxcVRry7LDqg5X');
const account = (name, isMut = false, isSigner = false, isOptional = false) => ({ name, isMut, isSigner, isOptional });
const field = (name, type) => ({ name, type });
const option = (type) => ({ option: type });
const keys = (...names) => names.map((name) => field(name, 'publicKey'));
const numbers = (...names) => names.map((name) => field(name, 'u64'));
const fields = (...given) => given.map((each) => ({ ...each, index: false }));

const IDL = {
  version: '0.1.0',
  name: 'limit_order_2',
  instructions: [
    {
      name: 'cancelOrder',
      accounts: [
        account('signer', false, true), account('maker', true), account('order', true),
        account('inputMintReserve', true), account('makerInputMintAccount', true, false, true),
        account('inputMint'), account('inputTokenProgram'), account('eventAuthority'), account('program'),
      ],
      args: [],
    },
    {
      name: 'initializeOrder',
      accounts: [
        account('payer', true, true), account('maker', false, true), account('order', true),
        account('inputMintReserve', true), account('makerInputMintAccount', true), account('fee'),
        account('referral', false, false, true), account('inputMint'), account('outputMint'),
        account('inputTokenProgram'), account('outputTokenProgram'), account('systemProgram'),
        account('associatedTokenProgram'), account('eventAuthority'), account('program'),
      ],
      args: [field('params', { defined: 'InitializeOrderParams' })],
    },
  ],
  accounts: [{
    name: 'Order',
    type: {
      kind: 'struct',
      fields: [
        ...keys('maker', 'inputMint', 'outputMint', 'inputTokenProgram', 'outputTokenProgram', 'inputMintReserve'),
        ...numbers('uniqueId', 'oriMakingAmount', 'oriTakingAmount', 'makingAmount', 'takingAmount'),
        ...numbers('borrowMakingAmount'), field('expiredAt', option('i64')), field('feeBps', 'u16'),
        ...keys('feeAccount'), field('createdAt', 'i64'), field('updatedAt', 'i64'), field('bump', 'u8'),
        field('slippageBps', 'u16'),
      ],
    },
  }],
  types: [{
    name: 'InitializeOrderParams',
    type: {
      kind: 'struct',
      fields: [
        ...numbers('uniqueId', 'makingAmount', 'takingAmount'),
        field('expiredAt', option('i64')), field('feeBps', option('u16')), field('slippageBps', option('u16')),
      ],
    },
  }],
  events: [
    { name: 'CancelOrderEvent', fields: fields(...keys('orderKey')) },
    {
      name: 'CreateOrderEvent',
      fields: fields(
        ...keys('orderKey', 'maker', 'inputMint', 'outputMint', 'inputTokenProgram', 'outputTokenProgram'),
        ...numbers('makingAmount', 'takingAmount'), field('expiredAt', option('i64')), field('feeBps', 'u16'),
        ...keys('feeAccount'), field('slippageBps', 'u16'),
      ),
    },
  ],
  errors: [
    { code: 6000, name: 'InvalidMakingAmount' }, { code: 6008, name: 'OrderNotExpired' },
    { code: 6017, name: 'InvalidExpiredDate' },
  ],
};

const [url, secret, other, input, output, expiry] = process.argv.slice(2);
const connection = new Connection(url, 'confirmed');
const [maker, stranger] = [secret, other].map((each) => Keypair.fromSecretKey(Uint8Array.from(JSON.parse(each))));
const provider = new AnchorProvider(connection, new Wallet(maker), { commitment: 'confirmed' });
const program = new Program(IDL, PROGRAM, provider);
const [inputMint, outputMint] = [new PublicKey(input), new PublicKey(output)];
const derived = (...seeds) => PublicKey.findProgramAddressSync(seeds, PROGRAM)[0];
const own = (mint, owner) => utils.token.associatedAddress({ mint, owner });
const eventAuthority = derived(Buffer.from('__event_authority'));

const addressOf = (uniqueId) => (
  derived(Buffer.from('order'), maker.publicKey.toBuffer(), uniqueId.toArrayLike(Buffer, 'le', 8))
);
const initialize = (uniqueId, changes) => program.methods
  .initializeOrder({
    uniqueId, makingAmount: new BN(5_000_000), takingAmount: new BN(7), expiredAt: null, feeBps: null, slippageBps: null,
    ...changes,
  })
  .accounts({
    payer: maker.publicKey, maker: maker.publicKey, order: addressOf(uniqueId),
    inputMintReserve: own(inputMint, addressOf(uniqueId)), makerInputMintAccount: own(inputMint, maker.publicKey),
    fee: derived(Buffer.from('fee')), referral: null, inputMint, outputMint,
    inputTokenProgram: utils.token.TOKEN_PROGRAM_ID, outputTokenProgram: utils.token.TOKEN_PROGRAM_ID,
    systemProgram: PublicKey.default, associatedTokenProgram: utils.token.ASSOCIATED_PROGRAM_ID, eventAuthority,
    program: PROGRAM,
  });
const cancel = (order, signer) => program.methods.cancelOrder().accounts({
  signer: signer.publicKey, maker: maker.publicKey, order, inputMintReserve: own(inputMint, order),
  makerInputMintAccount: own(inputMint, maker.publicKey), inputMint, inputTokenProgram: utils.token.TOKEN_PROGRAM_ID,
  eventAuthority, program: PROGRAM,
}).signers(signer === maker ? [] : [signer]);

// Anchor's own parser reads logs; events of this kind are calls, whose data begins with eight bytes more.
const eventsOf = async (signature) => {
  const { meta } = await connection.getTransaction(signature, {
    commitment: 'confirmed', maxSupportedTransactionVersion: 0,
  });
  const coder = new BorshCoder(IDL);
  return meta.innerInstructions.flatMap(({ instructions }) => instructions)
    .map(({ data }) => coder.events.decode(utils.bytes.base64.encode(utils.bytes.bs58.decode(data).subarray(8))))
    .filter((event) => event !== null);
};
const refusalOf = async (sending) => {
  try {
    await sending.rpc();
  } catch (error) {
    const parsed = error instanceof AnchorError ? error : AnchorError.parse(error.logs ?? []);
    return [parsed.error.errorCode.number, parsed.error.errorCode.code, parsed.program.toBase58()];
  }
  return null;
};
const listed = async () => (
  await program.account.order.all([{ memcmp: { offset: 8, bytes: maker.publicKey.toBase58() } }])
).map(({ publicKey }) => publicKey.toBase58()).sort();

const [expiring, lasting] = [new BN(1), new BN('18446744073709551615')];
const saw = {};
if (expiry !== '0') {
  const options = { skipPreflight: true };
  await initialize(expiring, { expiredAt: new BN(expiry) }).rpc();
  const opened = await initialize(lasting, { slippageBps: 69 }).rpc(options);
  saw.created = await eventsOf(opened);
  saw.order = await program.account.order.fetch(addressOf(lasting));
  saw.listed = await listed();
  saw.refusals = [
    await refusalOf(cancel(addressOf(expiring), stranger)),
    await refusalOf(initialize(new BN(2), { makingAmount: new BN(0) })),
    await refusalOf(initialize(new BN(2), { expiredAt: new BN(1) })),
  ];
  saw.cancelled = await eventsOf(await cancel(addressOf(lasting), maker).rpc());
} else {
  // The stranger only signs: the provider's wallet, here the maker's, pays for the transaction.
  saw.cancelled = await eventsOf(await cancel(addressOf(expiring), stranger).rpc());
}
saw.left = await listed();
console.log(JSON.stringify(saw));
process.exit(0);

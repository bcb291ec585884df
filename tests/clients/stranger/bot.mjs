// A bot that knows Jupiter's published pages alone: fetch, and @solana/web3.js to sign.
import { Connection, PublicKey, VersionedTransaction } from '@solana/web3.js';

export const SOL = 'So11111111111111111111111111111111111111112';
export const USDC = 'EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v';
const DAY_MS = 86_400_000;

export class Bot {
  /** `base` takes the place of https://api.jup.ag, `rpc` of the Solana node. */
  constructor(base, rpc, wsEndpoint, keypair) {
    Object.assign(this, { base, keypair, address: keypair.publicKey.toBase58(), token: undefined });
    this.connection = new Connection(rpc, { commitment: 'confirmed', wsEndpoint });
  }

  async ask(method, path, body) {
    const headers = { 'x-api-key': 'any', 'Content-Type': 'application/json' };
    if (this.token) headers.Authorization = `Bearer ${this.token}`;
    const response = await fetch(this.base + path, { method, headers, body: body && JSON.stringify(body) });
    const answer = await response.json();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${JSON.stringify(answer)}`);
    return answer;
  }

  sign(transaction) {
    const unsigned = VersionedTransaction.deserialize(Buffer.from(transaction, 'base64'));
    unsigned.sign([this.keypair]);
    return Buffer.from(unsigned.serialize());
  }

  signed(transaction) { return this.sign(transaction).toString('base64'); }

  // --- Trigger v2

  async signIn() {
    const who = { walletPubkey: this.address, type: 'transaction' };
    const challenge = await this.ask('POST', '/trigger/v2/auth/challenge', who);
    const proof = { ...who, signedTransaction: this.signed(challenge.transaction) };
    ({ token: this.token } = await this.ask('POST', '/trigger/v2/auth/verify', proof));
    await this.ask('GET', '/trigger/v2/vault').catch(() => this.ask('GET', '/trigger/v2/vault/register'));
  }

  async placeOco(amount, tpPriceUsd, slPriceUsd) {
    const pair = { inputMint: SOL, outputMint: USDC };
    const deposit = await this.ask('POST', '/trigger/v2/deposit/craft', {
      ...pair, userAddress: this.address, amount: String(amount), orderType: 'price', orderSubType: 'oco',
    });
    const { id } = await this.ask('POST', '/trigger/v2/orders/price', {
      ...pair, orderType: 'oco', depositRequestId: deposit.requestId, depositSignedTx: this.signed(deposit.transaction),
      userPubkey: this.address, inputAmount: String(amount), triggerMint: SOL, tpPriceUsd, slPriceUsd,
      expiresAt: Date.now() + DAY_MS,
    });
    return id;
  }

  async orders(state) { return (await this.ask('GET', `/trigger/v2/orders/history?state=${state}`)).orders; }

  async withdraw(order) {
    const step = await this.ask('POST', `/trigger/v2/orders/price/cancel/${order}`);
    return this.ask('POST', `/trigger/v2/orders/price/confirm-cancel/${order}`, {
      signedTransaction: this.signed(step.transaction), cancelRequestId: step.requestId,
    });
  }

  // --- Trigger v1 and Recurring v1

  async execute(root, built) {
    const sent = { requestId: built.requestId, signedTransaction: this.signed(built.transaction) };
    const executed = await this.ask('POST', `${root}/execute`, sent);
    if (executed.status !== 'Success') throw new Error(JSON.stringify(executed));
    return executed;
  }

  async placeLimit(makingAmount, takingAmount) {
    const built = await this.ask('POST', '/trigger/v1/createOrder', {
      maker: this.address, payer: this.address, inputMint: SOL, outputMint: USDC, computeUnitPrice: 'auto',
      params: { makingAmount: String(makingAmount), takingAmount: String(takingAmount) },
    });
    await this.execute('/trigger/v1', built);
    return built.order;
  }

  async limits(orderStatus) {
    return (await this.ask('GET', `/trigger/v1/getTriggerOrders?user=${this.address}&orderStatus=${orderStatus}`)).orders;
  }

  async placeDca(inAmount, numberOfOrders, interval) {
    const built = await this.ask('POST', '/recurring/v1/createOrder', {
      user: this.address, inputMint: USDC, outputMint: SOL, params: { time: { inAmount, numberOfOrders, interval } },
    });
    return (await this.execute('/recurring/v1', built)).order;
  }

  async recurring(orderStatus) {
    const query = `user=${this.address}&recurringType=time&orderStatus=${orderStatus}`;
    return (await this.ask('GET', `/recurring/v1/getRecurringOrders?${query}`)).time;
  }

  // --- Swap v1, and the chain

  async swap(amount) {
    const quoteResponse = await this.ask('GET', `/swap/v1/quote?inputMint=${SOL}&outputMint=${USDC}&amount=${amount}&slippageBps=50`);
    const built = await this.ask('POST', '/swap/v1/swap', { quoteResponse, userPublicKey: this.address });
    const signature = await this.connection.sendRawTransaction(this.sign(built.swapTransaction));
    const { blockhash } = await this.connection.getLatestBlockhash();
    const { value } = await this.connection.confirmTransaction({ signature, blockhash, lastValidBlockHeight: built.lastValidBlockHeight });
    if (value.err) throw new Error(JSON.stringify(value.err));
    return Number(quoteResponse.otherAmountThreshold);
  }

  async usdc() {
    const { value } = await this.connection.getParsedTokenAccountsByOwner(this.keypair.publicKey, { mint: new PublicKey(USDC) });
    return value.reduce((sum, { account }) => sum + Number(account.data.parsed.info.tokenAmount.amount), 0);
  }
}

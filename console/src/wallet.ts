// A wallet in this page, which uses the public APIs as any client does. Its key never leaves the page.
import { ask } from './api';

const ALPHABET = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz';
const ROOT = '/trigger/v2';
export const SOL = 'So11111111111111111111111111111111111111112';
export const USDC = 'EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v';

export function base58(bytes: Uint8Array): string {
  let number = bytes.reduce((sum, byte) => sum * 256n + BigInt(byte), 0n);
  let text = '';
  for (; number > 0n; number /= 58n) text = ALPHABET[Number(number % 58n)] + text;
  for (const byte of bytes) { if (byte) break; text = '1' + text; }
  return text;
}

const fromBase64 = (text: string): Uint8Array<ArrayBuffer> => Uint8Array.from(atob(text), (each) => each.charCodeAt(0));
const toBase64 = (bytes: Uint8Array): string => btoa(String.fromCharCode(...bytes));

export interface Cancelling { transaction: string; requestId: string }

export class Wallet {
  private token: string | undefined;
  private constructor(private readonly keys: CryptoKeyPair, private readonly key: Uint8Array, readonly address: string) {}

  static async make(): Promise<Wallet> {
    if (!isSecureContext) throw new Error('a browser makes no keys for a page that came by HTTP from another machine');
    const keys = (await crypto.subtle.generateKey({ name: 'Ed25519' }, false, ['sign', 'verify']).catch(() => {
      throw new Error('this browser has no Ed25519, which a Solana wallet signs with');
    })) as CryptoKeyPair;
    const key = new Uint8Array(await crypto.subtle.exportKey('raw', keys.publicKey));
    return new Wallet(keys, key, base58(key));
  }

  async sign(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
    return new Uint8Array(await crypto.subtle.sign('Ed25519', this.keys.privateKey, bytes));
  }

  /** Puts the signature where the message has this wallet's key. */
  async signTransaction(unsigned: string): Promise<string> {
    const raw = fromBase64(unsigned);
    const message = raw.slice(1 + 64 * raw[0]!);
    const header = message[0]! & 0x80 ? 1 : 0; // A version comes before the three counts.
    for (let slot = 0; slot < raw[0]!; slot++) {
      const at = header + 4 + 32 * slot;
      if (this.key.every((byte, index) => message[at + index] === byte)) raw.set(await this.sign(message), 1 + 64 * slot);
    }
    return toBase64(raw);
  }

  async fund(mint: string, units: string): Promise<void> {
    await ask('POST', '/sandbox/airdrop', { wallet: this.address, mint, amount: units });
  }

  async signIn(): Promise<void> {
    if (this.token) return;
    const asked = { walletPubkey: this.address, type: 'message' };
    const { challenge } = await ask<{ challenge: string }>('POST', `${ROOT}/auth/challenge`, asked);
    const signature = base58(await this.sign(new TextEncoder().encode(challenge)));
    this.token = (await ask<{ token: string }>('POST', `${ROOT}/auth/verify`, { ...asked, signature })).token;
    await ask('GET', `${ROOT}/vault/register`, undefined, this.token);
  }

  async place(order: Record<string, unknown> & { orderType: string; inputMint: string; outputMint: string; inputAmount: string }): Promise<string> {
    await this.signIn();
    const craft = await ask<Cancelling>('POST', `${ROOT}/deposit/craft`, {
      inputMint: order.inputMint, outputMint: order.outputMint, userAddress: this.address, amount: order.inputAmount,
      orderType: 'price', orderSubType: order.orderType,
    }, this.token);
    const { id } = await ask<{ id: string }>('POST', `${ROOT}/orders/price`, {
      ...order, userPubkey: this.address, depositRequestId: craft.requestId,
      depositSignedTx: await this.signTransaction(craft.transaction),
    }, this.token);
    return id;
  }

  cancel(id: string): Promise<Cancelling> {
    return ask('POST', `${ROOT}/orders/price/cancel/${id}`, undefined, this.token);
  }

  async confirm(id: string, cancelling: Cancelling): Promise<string> {
    const { txSignature } = await ask<{ txSignature: string }>('POST', `${ROOT}/orders/price/confirm-cancel/${id}`, {
      signedTransaction: await this.signTransaction(cancelling.transaction), cancelRequestId: cancelling.requestId,
    }, this.token);
    return txSignature;
  }
}

// What the examples cannot know, by name: typed here, or learnt from the answers. Kept for as long as the tab is open.
import { ask } from '../src/api';
import { base58, USDC, Wallet } from '../src/wallet';

type Answer = any;
type Learnt = Record<string, unknown>;

const KEY = 'countermand.docs.';
const JUP = 'JUPyiwrYJFskUPiHa7hkeR8VUtAeFoSYbKedZNsDvCN';
const NAMED = /(?:%24|\$)([A-Z][A-Z0-9_]*)/g;

export class Values {
  private readonly inputs = new Map<string, HTMLInputElement>();
  private meanings: Record<string, string> = {};
  private numbers = new Set<string>();
  private wallet: Wallet | undefined;
  /** Of the new wallet, or what the last request lacked. */
  private readonly status = document.createElement('p');

  constructor(private readonly section: HTMLElement, private readonly sandbox: boolean) {
    this.status.setAttribute('role', 'status');
  }

  /** The variables of an API, each with an input. */
  show(meanings: Record<string, string>, numbers: Set<string>): void {
    this.meanings = meanings;
    this.numbers = numbers;
    this.inputs.clear();
    const all = document.createElement('details');
    const title = document.createElement('summary');
    title.textContent = 'The values of the examples';
    all.append(title, ...Object.keys(meanings).map((name) => this.row(name)));
    this.section.replaceChildren(...this.introduction(), this.status, all);
    this.section.hidden = Object.keys(meanings).length === 0;
    if (this.sandbox && !this.wallet && sessionStorage.getItem(`${KEY}WALLET`)) this.status.textContent = 'The page was loaded anew, and its wallet’s key is gone: press New wallet again, or sign yourself.';
  }

  /** A request is about to leave: whether all that it needs is known is said of this one. */
  begin(): void {
    this.status.textContent = '';
  }

  inText(text: string): string {
    return text.replace(NAMED, (mark, name: string) => this.known(name) ?? mark);
  }

  inUrl(url: string): string {
    return url.replace(NAMED, (mark, name: string) => encodeURIComponent(this.known(name) ?? decodeURIComponent(mark)));
  }

  inJson(text: string): string {
    return text.replace(/"\$([A-Z][A-Z0-9_]*)"/g, (mark, name: string) => {
      const value = this.known(name);
      return value === undefined ? mark : this.numbers.has(name) ? value : JSON.stringify(value);
    });
  }

  /** What an answer of status 200 says that a later request needs; the page's own wallet signs what is to be signed. */
  async learn(method: string, path: string, body: unknown, answer: Answer): Promise<void> {
    for (const [pattern, learnt] of LEARNT) {
      if (!pattern.test(`${method.toUpperCase()} ${path}`)) continue;
      const found = await learnt(answer, this.wallet, typeof body === 'string' ? JSON.parse(body) : undefined);
      for (const [name, value] of Object.entries(found)) if (value !== undefined && value !== null) this.set(name, String(value));
    }
  }

  /** Undefined, and said so to the user: the request is sent all the same, and its answer says what it lacks. */
  private known(name: string): string | undefined {
    const value = sessionStorage.getItem(KEY + name);
    if (!value) this.status.append(`$${name} is not known yet. `);
    return value || undefined;
  }

  private set(name: string, value: string): void {
    sessionStorage.setItem(KEY + name, value);
    const input = this.inputs.get(name);
    if (input) input.value = value;
  }

  private introduction(): HTMLElement[] {
    const words = document.createElement('p');
    words.textContent = 'The examples name as $NAME what they cannot know. Answers give these values, or you type them below; they are put in when a request is sent.';
    if (!this.sandbox || !('WALLET' in this.meanings)) return [words];
    words.textContent += ' Begin with a new wallet: it has funds, is signed in to Trigger v2, and signs the transactions in the answers.';
    const button = document.createElement('button');
    button.textContent = 'New wallet';
    button.title = 'A wallet with 20 SOL, 1,000 USDC and 1,000 JUP, signed in to Trigger v2';
    button.addEventListener('click', () => {
      button.disabled = true;
      this.newWallet().catch((problem: Error) => { words.textContent = problem.message; }).finally(() => { button.disabled = false; });
    });
    return [words, button];
  }

  private async newWallet(): Promise<void> {
    const wallet = await Wallet.make();
    for (const [mint, units] of [['SOL', '20000000000'], [USDC, '1000000000'], [JUP, '1000000000']] as const) await wallet.fund(mint, units);
    const asked = { walletPubkey: wallet.address, type: 'transaction' };
    const { transaction } = await ask<{ transaction: string }>('POST', '/trigger/v2/auth/challenge', asked);
    const signedTransaction = await wallet.signTransaction(transaction);
    const { token } = await ask<{ token: string }>('POST', '/trigger/v2/auth/verify', { ...asked, signedTransaction });
    await ask('GET', '/trigger/v2/vault/register', undefined, token);
    this.wallet = wallet;
    this.set('WALLET', wallet.address);
    this.set('TOKEN', token);
    this.status.textContent = `Wallet ${wallet.address} has 20 SOL, 1,000 USDC and 1,000 JUP, and is signed in to Trigger v2.`;
  }

  private row(name: string): HTMLElement {
    const label = document.createElement('label');
    const code = document.createElement('code');
    const meaning = document.createElement('span');
    const input = document.createElement('input');
    code.textContent = `$${name}`;
    meaning.textContent = this.meanings[name]!.replaceAll('`', '');
    input.value = sessionStorage.getItem(KEY + name) ?? '';
    input.name = name;
    input.autocomplete = 'off';
    input.spellcheck = false;
    input.addEventListener('input', () => sessionStorage.setItem(KEY + name, input.value.trim()));
    this.inputs.set(name, input);
    label.append(code, input, meaning);
    return label;
  }
}

type Learns = (answer: Answer, wallet: Wallet | undefined, body: any) => Promise<Learnt> | Learnt;

/** Without the key of its wallet, nothing: what was signed before is of another transaction. */
const signed = async (wallet: Wallet | undefined, transaction: string | undefined): Promise<string | undefined> =>
  (transaction ? wallet?.signTransaction(transaction) ?? '' : undefined);

const LEARNT: [RegExp, Learns][] = [
  [/^POST \/trigger\/v2\/auth\/challenge$/, async ({ challenge }, wallet) => ({ SIGNATURE: challenge && (wallet ? base58(await wallet.sign(new TextEncoder().encode(challenge))) : '') })],
  [/^POST \/trigger\/v2\/auth\/verify$/, ({ token }) => ({ TOKEN: token })],
  [/^POST \/trigger\/v2\/deposit\/craft$/, async ({ requestId, transaction }, wallet, body) => {
    const kind = body?.orderType === 'dca' ? 'DCA_' : '';
    return { [`${kind}DEPOSIT_REQUEST_ID`]: requestId, [`SIGNED_${kind}DEPOSIT`]: await signed(wallet, transaction) };
  }],
  [/^POST \/trigger\/v2\/orders\/price$/, ({ id }) => ({ ORDER_ID: id, OPEN_ORDER: id, ORDER: id })],
  [/^POST \/trigger\/v2\/orders\/dca$/, ({ id }) => ({ DCA_ORDER_ID: id })],
  [/^POST \/trigger\/v2\/orders\/(price|dca)\/cancel\//, async ({ requestId, transaction }, wallet) => ({ CANCEL_REQUEST_ID: requestId, SIGNED_WITHDRAWAL: await signed(wallet, transaction) })],
  [/^POST \/(trigger\/v1|limit\/v2|recurring\/v1)\/(create|cancel)/, async (answer, wallet) => ({
    ORDER: answer.order, REQUEST_ID: answer.requestId,
    SIGNED_TRANSACTION: await signed(wallet, answer.transaction ?? answer.tx ?? (answer.transactions ?? answer.txs)?.[0]),
  })],
  [/^POST \/recurring\/v1\/execute$/, ({ order }) => ({ ORDER: order })],
  [/^POST \/(sapi|main)\/.*\/login\/$/, ({ token }) => ({ ACCESS: token?.access, REFRESH: token?.refresh })],
  [/^POST \/sapi\/v1\/orders\/nonce\/$/, ({ payload }) => ({ NONCE: payload?.nonce, MSG_HASH: payload?.msg_hash })],
  [/^POST \/sapi\/v1\/orders\/create\/$/, ({ payload }) => ({ BOOK_ORDER: payload?.id })],
  [/^GET \/sandbox\/requests$/, ({ requests }) => ({ REQUEST: requests[0]?.number })],
  [/^POST \/sandbox\/snapshots$/, ({ name }) => ({ SNAPSHOT: name })],
];

// An empty venue teaches how to place the first order.
import { signal } from '@preact/signals';
import { ask } from './api';
import { rounded } from './format';
import { copy } from './orders';
import { attempt, select, toast } from './store';
import type { Sandbox } from './types';
import { SOL, USDC, Wallet } from './wallet';

const busy = signal(false);

/** A wallet of this page with a single, an OCO, an OTOCO and a trailing stop around the price of now. */
async function placeDemo(): Promise<void> {
  busy.value = true;
  await attempt('Not placed', async () => {
    const state = await ask<Sandbox>('GET', '/sandbox');
    const price = Number(state.tokens.find((each) => each.mint === SOL)?.price ?? 150);
    const at = (factor: number) => Number(rounded(price * factor));
    const wallet = await Wallet.make();
    await wallet.fund('SOL', '10000000000');
    await wallet.fund(USDC, '1000000000');
    const sell = { inputMint: SOL, outputMint: USDC, inputAmount: '1000000000', triggerMint: SOL, expiresAt: state.now + 24 * 3_600_000 };
    const buy = { ...sell, inputMint: USDC, outputMint: SOL, inputAmount: '200000000' };
    const first = await wallet.place({ ...sell, orderType: 'single', triggerCondition: 'above', triggerPriceUsd: at(1.04) });
    await wallet.place({ ...sell, orderType: 'oco', tpPriceUsd: at(1.08), slPriceUsd: at(0.94) });
    await wallet.place({ ...buy, orderType: 'otoco', triggerCondition: 'below', triggerPriceUsd: at(0.97), tpPriceUsd: at(1.06), slPriceUsd: at(0.91) });
    await wallet.place({ ...sell, orderType: 'single', triggerCondition: 'below', trailingBps: 250 });
    toast('Four orders of a new wallet: drag one of their lines');
    await select(first);
  });
  busy.value = false;
}

const TEST = `def test_a_stop_sells(countermand):
    w = countermand.wallet(sol=10)
    order = w.trigger.place("SOL", 1, "USDC", below=119)
    countermand.price("SOL", 119)
    countermand.settle()
    assert countermand.order(order)["state"] == "filled"
    countermand.assert_promise()
`;

export function Teach() {
  const base = location.origin;
  const curl = `curl ${base}/sandbox/airdrop \\
  -H 'content-type: application/json' \\
  -d '{"wallet": "<your wallet>", "mint": "SOL", "amount": "5000000000"}'`;
  return (
    <div class="teach">
      <h3>No orders yet</h3>
      <p>This venue is whole: a chain, prices, a clock, and no one in it but you. Point your bot at <code>{base}</code>, and its orders appear here.</p>
      <ol>
        <li><b>See it work.</b> A wallet in this page places four orders by the public API. <button class="primary" disabled={busy.value} onClick={placeDemo}>{busy.value ? 'Placing…' : 'Place four orders'}</button></li>
        <li><b>Fund your own wallet,</b> then follow the <a href="/docs">API docs</a>. <button class="small" aria-label="Copy the command" onClick={() => copy(curl, 'Command')}>Copy</button><pre tabIndex={0}>{curl}</pre></li>
        <li><b>Or write the test first:</b> <button class="small" aria-label="Copy the test" onClick={() => copy(TEST, 'Test')}>Copy</button><pre tabIndex={0}>{TEST}</pre></li>
      </ol>
    </div>
  );
}

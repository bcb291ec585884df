// The console, and the page at `/docs`, in Chromium, for a test that writes a line of JSON for each call: {"page": <its url>, "call": <one
// of the scenarios below>, "given": [...]}. The answer is a line too: {"value", "sent"}, or {"error"}. A scenario fails when
// the page says anything on its console, or breaks its content security policy. The browser ends with the input.
import { spawn, spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium as playwright } from 'playwright-core';
import { executablePath, says, serves, unpacked } from './chromium.mjs';

const CALL_MS_MAX = 30_000;
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

const { status, stderr, error } = spawnSync(executablePath, ['--version'], { encoding: 'utf8' });
if (status !== 0) {
  says({ cannot: error?.message ?? stderr.trim() });
  process.exit(0);
}
// The npm package's own configuration names no font for `system-ui` and `monospace`, and Chromium ends where it finds none.
const family = (name, font) => `<alias><family>${name}</family><prefer>${font.map((each) => `<family>${each}</family>`).join('')}</prefer></alias>`;
const configuration = join(tmpdir(), 'console-fonts.conf');
writeFileSync(configuration, `<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd"><fontconfig>
<dir>${join(unpacked, 'fonts')}</dir><dir>/usr/share/fonts</dir><cachedir>${join(tmpdir(), 'console-fonts')}</cachedir>
${['system-ui', 'sans-serif'].map((name) => family(name, ['Open Sans', 'DejaVu Sans'])).join('')}
${['ui-monospace', 'monospace'].map((name) => family(name, ['DejaVu Sans Mono', 'Liberation Mono', 'Open Sans'])).join('')}
</fontconfig>`);

const ask = async (base, method, path, body) => {
  const answer = await fetch(base + path, { method, headers: body && { 'content-type': 'application/json' }, body: body && JSON.stringify(body) });
  return answer.json();
};

function must(holds, what) {
  if (!holds) throw new Error(what);
}

/** Asks until it is so. */
async function until(what, asks) {
  const end = Date.now() + CALL_MS_MAX;
  for (;;) {
    const found = await asks();
    if (found) return found;
    if (Date.now() > end) throw new Error(`${what}: not after ${CALL_MS_MAX / 1000} s`);
    await new Promise((resolve) => { setTimeout(resolve, 50); });
  }
}

const orderOf = (base, id) => ask(base, 'GET', `/sandbox/orders/${id}`);
/** How often the curve of the chart goes far up or down. */
const tallSteps = async (page) => (await columnsOf(page, '--price')).filter((points) => points > 40).length;
/** How many points of each column of the chart have this colour of the page. */
const columnsOf = (page, colour) => page.evaluate((name) => {
  const canvas = document.querySelector('.chart-canvas td:nth-child(2) canvas');
  if (!canvas?.width || !canvas.height) return []; // It is not drawn yet.
  const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext('2d', { willReadFrequently: true });
  copy.drawImage(canvas, 0, 0);
  const { data, width, height } = copy.getImageData(0, 0, canvas.width, canvas.height);
  const wanted = getComputedStyle(document.documentElement).getPropertyValue(name).match(/[0-9a-f]{2}/gi).map((each) => parseInt(each, 16));
  const isOf = (x, y) => wanted.every((each, index) => Math.abs(data[(y * width + x) * 4 + index] - each) < 8);
  return Array.from({ length: width }, (_, x) => Array.from({ length: height }, (_, y) => isOf(x, y)).filter(Boolean).length);
}, colour);
const painted = (page) => page.evaluate(() => new Promise((resolve) => { requestAnimationFrame(() => requestAnimationFrame(resolve)); }));
const grip = (page, key) => page.locator(`[data-line="${key}"]`);
const row = (page, id) => page.locator('.order-row', { hasText: id.slice(-8) });
const drawer = async (page, name) => {
  await page.locator(`[data-drawer="${name}"]`).click();
  return page.locator('.drawer');
};

/** The first request of this kind: the venue answers it at once, and the page is told the answer later. */
async function holding(page, url, method) {
  let found;
  let response;
  const come = new Promise((resolve) => { found = resolve; });
  let goOn;
  const wait = new Promise((resolve) => { goOn = resolve; });
  let taken = false;
  await page.route(url, async (route) => {
    if (taken || route.request().method() !== method) return route.fallback();
    taken = true;
    response = route.request();
    const answer = await route.fetch();
    found();
    await wait;
    return route.fulfill({ response: answer });
  });
  const answers = async () => {
    goOn();
    await (await response.response()).finished();
    await painted(page);
  };
  return { held: () => come, answers };
}

/** At `/docs`, until all of its operations are there. */
async function openApi(page, base, link) {
  await link.click();
  const name = await link.textContent();
  await page.locator('#apis a[aria-current]', { hasText: name }).waitFor();
  const { info, paths } = await ask(base, 'GET', `/openapi/${name}.json`);
  await page.locator('.info .title', { hasText: info.title }).waitFor();
  const there = Object.values(paths).reduce((sum, methods) => sum + Object.keys(methods).length, 0);
  await until(`all of ${name}`, async () => (await page.locator('.opblock').count()) === there);
  return name;
}

/** `within`: a part of the page, of which the rest was looked at before. */
async function violations(page, where, within = 'html') {
  await page.evaluate(axe);
  const found = await page.evaluate((part) => globalThis.axe.run(part, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }), within);
  return found.violations.map(({ id, nodes }) => `${where}: ${id}: ${nodes.map((node) => node.html.slice(0, 120)).join(' | ')}`);
}

/** Names that more than one control of this part of the page has: heard alone, they do not say of what they are. */
async function twins(page, part) {
  const names = await page.locator(`${part} :is(button, input, select, textarea)`).evaluateAll((all) => all.map((each) => each.getAttribute('aria-label') ?? (each.labels?.[0] ?? each).textContent.trim()));
  return names.filter((name, number) => names.indexOf(name) < number).map((name) => `${part}: more than one '${name}'`);
}

const scenarios = {
  /** An empty venue teaches; one button places an order of each kind. */
  async teaches(page, base) {
    must((await twins(page, 'main')).length === 0, 'each control of an empty venue has a name of its own');
    await page.getByRole('button', { name: 'Place four orders' }).click();
    await until('four orders', async () => (await page.locator('.order-row').count()) === 4);
    await page.locator('.timeline').waitFor(); // The first one is shown when all are placed.
    await ask(base, 'POST', '/sandbox/reset', {});
    await page.getByRole('heading', { name: 'No orders yet' }).waitFor();
    await page.getByRole('button', { name: 'Place four orders' }).click();
    await until('seven lines', async () => (await page.locator('.grip').count()) === 7);
    const kinds = await page.locator('.order-row .kind').allTextContents();
    const brackets = await page.locator('.bracket').evaluateAll((all) => all.map((each) => each.getAttribute('class')));
    return { kinds: kinds.sort(), brackets: brackets.sort(), trails: await page.locator('.trail').count(), unarmed: await page.locator('.handle.unarmed').count() };
  },

  async drags(page, base, id, leg) {
    const handle = grip(page, `${id}:${leg}`);
    await handle.hover({ position: { x: 20, y: 10 } }); // Which waits until it stands still.
    const before = Number(await handle.getAttribute('aria-valuenow'));
    const box = await handle.boundingBox();
    await page.mouse.down();
    await page.mouse.move(box.x + 20, box.y + 30, { steps: 4 });
    await until('it follows the pointer', async () => Number(await handle.getAttribute('aria-valuenow')) < before);
    const shown = Number(await handle.getAttribute('aria-valuenow'));
    must(Number((await orderOf(base, id)).legs[leg].triggerPriceUsd) === before, 'nothing is amended while it is dragged');
    await page.mouse.up();
    await until('amended', async () => Number((await orderOf(base, id)).legs[leg].triggerPriceUsd) === shown);
    return { before, shown };
  },

  /** Beyond the edge of the chart, by keys and by pointer. */
  async leavesTheChart(page, base, id) {
    const handle = grip(page, `${id}:0`);
    const amended = (least) => until('amended', async () => {
      const at = Number((await orderOf(base, id)).legs[0].triggerPriceUsd);
      return at >= least && at;
    });
    await handle.focus();
    for (let steps = 0; steps < 12; steps++) {
      await page.keyboard.press('Shift+ArrowUp');
      await painted(page);
    }
    must((await handle.getAttribute('aria-valuenow')) === '172', 'each key moved it');
    await page.keyboard.press('Enter');
    const byKeys = await amended(172);
    await handle.hover({ position: { x: 20, y: 10 } });
    const box = await handle.boundingBox();
    await page.mouse.down();
    await page.mouse.move(box.x + 20, 2, { steps: 8 });
    await until('it follows the pointer', async () => Number(await handle.getAttribute('aria-valuenow')) > 173);
    await page.mouse.up();
    return [byKeys, await amended(173)];
  },

  /** Where the focus is, after what had it is gone. */
  async givesFocusBack(page, base, id) {
    const found = [];
    const at = async (what, selector) => {
      await painted(page);
      if (!await page.evaluate((given) => document.activeElement.matches(given), selector)) found.push(`${what}: ${await page.evaluate(() => document.activeElement.outerHTML.slice(0, 120))}`);
    };
    await row(page, id).focus();
    for (const [key, where] of [['p', '#drawer-title'], ['p', `[data-order="${id}"]`], ['f', '#drawer-title'], ['c', '#drawer-title'], ['Escape', `[data-order="${id}"]`]]) {
      await page.keyboard.press(key);
      await at(key, where);
    }
    await page.keyboard.press('p');
    must((await page.locator('#drawer-title').evaluate((title) => getComputedStyle(title).outlineStyle)) === 'solid', 'the focus is seen');
    await page.locator('.drawer').getByRole('button', { name: 'Close' }).press('Enter');
    await at('close', `[data-order="${id}"]`);
    await page.locator('.happened [data-row]').first().press('Enter');
    await page.locator('.timeline').waitFor();
    await at('an event', '.detail h2');
    await page.getByRole('button', { name: 'Close the order' }).press('Enter');
    await at('a closed order', `[data-order="${id}"]`);
    await page.getByRole('tab', { name: /Requests/ }).click();
    const asked = page.locator('.request-row').nth(1);
    const number = await asked.getAttribute('data-request');
    await asked.press('Enter');
    await page.locator('.path-full').waitFor();
    await at('a request', '.detail h2');
    await page.keyboard.press('Escape');
    await at('a closed request', `[data-request="${number}"]`);
    await page.getByRole('button', { name: /^Clock \d\d:/ }).waitFor();
    return found;
  },

  /** What is chosen stays while its request is under way, whatever is told meanwhile. */
  async choosesAhead(page, base, other) {
    let goesOn = null;
    await page.route(/\/sandbox\/(faults|prices)$/, async (route) => {
      await new Promise((resolve) => { goesOn = resolve; });
      return route.continue();
    });
    /** Whether it is so, once a price was told that draws the page anew. */
    const meanwhile = async (price, isSo) => {
      await until('it is sent', () => goesOn);
      await ask(base, 'PUT', '/sandbox/prices', { [other]: price });
      await page.waitForTimeout(300);
      const found = await isSo();
      goesOn();
      goesOn = null;
      return found;
    };
    const open = await drawer(page, 'faults');
    const swaps = open.getByLabel('fail swaps');
    await swaps.fill('3');
    await swaps.press('Tab');
    const counted = await meanwhile('0.5', async () => (await swaps.inputValue()) === '3');
    const box = open.getByLabel('chain down');
    await box.click();
    const ticked = await meanwhile('0.51', () => box.isChecked());
    await until('it is down', async () => (await ask(base, 'GET', '/sandbox')).faults.rpcDown);
    await until('the page knows it', async () => (await page.locator('[data-drawer="faults"] .badge').textContent()) === '2' && box.isChecked());
    await ask(base, 'PUT', '/sandbox/faults', {});
    await until('it is up', async () => !(await box.isChecked()));
    const slider = (await drawer(page, 'prices')).getByRole('slider', { name: 'Move the price of SOL' });
    const before = Number(await slider.inputValue());
    await slider.press('ArrowRight');
    return [counted, ticked, await meanwhile('0.52', async () => Number(await slider.inputValue()) > before)];
  },

  async escapes(page, base, id) {
    const handle = grip(page, `${id}:0`);
    const before = await handle.getAttribute('aria-valuenow');
    await handle.focus();
    await page.keyboard.press('ArrowUp');
    await until('the arrow moves it', async () => (await handle.getAttribute('aria-valuenow')) !== before);
    await page.keyboard.press('Escape');
    await until('restored', async () => (await handle.getAttribute('aria-valuenow')) === before);
    return (await orderOf(base, id)).timeline.length;
  },

  /** Nothing but keys: to the line, three steps up, Enter; then Delete. */
  async keys(page, base, id) {
    await grip(page, `${id}:0`).waitFor();
    for (let presses = 0; presses < 60; presses++) {
      await page.keyboard.press('Tab');
      if (await page.evaluate((key) => document.activeElement?.dataset.line === key, `${id}:0`)) break;
    }
    const before = Number(await grip(page, `${id}:0`).getAttribute('aria-valuenow'));
    for (let steps = 0; steps < 3; steps++) await page.keyboard.press('ArrowUp');
    await page.keyboard.press('Enter');
    const amended = await until('amended', async () => {
      const at = Number((await orderOf(base, id)).legs[0].triggerPriceUsd);
      return at > before && at;
    });
    await until('the line is focused still', () => page.evaluate((key) => document.activeElement?.dataset.line === key, `${id}:0`));
    await page.keyboard.press('Delete');
    await until('cancelled', async () => (await orderOf(base, id)).rawState === 'ready_to_cancel');
    await until('its line is gone', async () => (await grip(page, `${id}:0`).count()) === 0);
    await page.keyboard.press('p');
    await page.locator('.drawer').getByRole('heading', { name: 'Prices' }).waitFor();
    must(await page.evaluate(() => document.activeElement?.id === 'drawer-title'), 'the drawer has the focus');
    await page.keyboard.press('Escape');
    await until('the drawer is closed', async () => (await page.locator('.drawer').count()) === 0);
    must(await page.evaluate(() => document.activeElement?.dataset.drawer === 'prices'), 'the focus is where it came from');
    return { before, amended };
  },

  async cancelsByPointer(page, base, id) {
    await page.locator('.handle', { has: grip(page, `${id}:0`) }).getByRole('button').click();
    await until('cancelled', async () => (await orderOf(base, id)).rawState === 'ready_to_cancel');
    return (await orderOf(base, id)).timeline.at(-1).reason;
  },

  /** An order that fills while one looks at it. */
  async shows(page, base, id, mint) {
    await row(page, id).click();
    await page.locator('.why-not').getByText('triggers at').waitFor();
    const why = await page.locator('.why-not').textContent();
    await page.locator('.leg input').fill('155');
    await page.getByRole('button', { name: 'Amend entry, price in dollars' }).waitFor();
    await page.locator('.leg').getByRole('button', { name: 'Amend' }).click();
    await page.locator('.timeline').getByText('order amended').waitFor();
    await page.evaluate(() => navigator.clipboard.writeText(''));
    await page.getByRole('button', { name: 'Copy as pytest' }).click();
    const copied = await until('copied', () => page.evaluate(() => navigator.clipboard.readText()));
    await ask(base, 'PUT', '/sandbox/prices', { [mint]: '156' });
    await page.locator('.timeline').getByText('fill landed').waitFor();
    await page.locator('.detail .state', { hasText: 'filled' }).waitFor();
    await page.getByRole('tab', { name: /Requests/ }).click();
    const request = page.locator('.request-row', { hasText: '/orders/price' }).first();
    const ends = await request.locator('bdi').evaluate((path) => path.getBoundingClientRect().right <= path.parentElement.getBoundingClientRect().right + 1);
    must(ends, 'what is cut off is the beginning of the path');
    await request.click();
    await page.locator('.requests, .detail').getByText('(hidden)').first().waitFor();
    await page.getByRole('button', { name: 'Copy as curl' }).click();
    const curl = await until('curl', async () => {
      const text = await page.evaluate(() => navigator.clipboard.readText());
      return text.startsWith('curl') && text;
    });
    return { why, copied, curl };
  },

  async controls(page, base, mint, wallet) {
    const sandbox = () => ask(base, 'GET', '/sandbox');
    const priceOf = async () => (await sandbox()).tokens.find((each) => each.mint === mint).price;
    const field = page.getByLabel(/^Price of SOL: type/);
    await field.fill('151.5');
    await field.press('Enter');
    await until('typed', async () => (await priceOf()) === '151.5');

    let open = await drawer(page, 'prices');
    await open.getByRole('button', { name: 'SOL 1 percent' }).click();
    await until('nudged', async () => Number(await priceOf()) > 152.9);
    const slider = open.getByRole('slider', { name: 'Move the price of SOL' });
    const box = await slider.boundingBox();
    await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width * 0.45, box.y + box.height / 2, { steps: 5 });
    await page.mouse.up();
    await until('dragged', async () => Number(await priceOf()) < 152);

    open = await drawer(page, 'clock');
    await open.getByRole('button', { name: 'Freeze' }).click();
    await until('frozen', async () => (await sandbox()).clock.mode === 'frozen');
    const at = (await sandbox()).now;
    await open.getByRole('button', { name: '+1 h' }).click();
    await until('advanced', async () => (await sandbox()).now === at + 3_600_000);
    await open.getByLabel('Seconds to move the clock forward').fill('1.5');
    await open.getByRole('button', { name: 'seconds forward' }).click();
    await until('advanced again', async () => (await sandbox()).now === at + 3_601_500);
    await open.getByRole('button', { name: 'Run' }).click();
    await until('running', async () => (await sandbox()).clock.mode === 'running');

    open = await drawer(page, 'faults');
    await open.getByLabel('rate limit').fill('2');
    await ask(base, 'PUT', '/sandbox/prices', { [mint]: '149.25' });
    await until('told of a price', async () => (await field.inputValue()) === '149.25');
    await open.getByLabel('rate limit').press('Enter');
    const state = open.locator('.fault', { hasText: 'rate limit' }).locator('.fault-state');
    const states = [];
    for (const [wanted, next] of [['armed', true], ['1 of 2', true], ['spent', false]]) {
      await until(wanted, async () => (await state.textContent()) === wanted);
      states.push(wanted);
      if (next) await fetch(`${base}/trigger/v2/orders/history`);
    }
    await open.getByLabel('chain down').check();
    await until('down', async () => (await sandbox()).faults.rpcDown);
    await page.locator('[data-drawer="faults"] .badge').waitFor();
    await open.getByLabel('histories lag').check();
    await page.keyboard.press('f'); // A box takes no letters.
    await open.waitFor({ state: 'detached' });
    await drawer(page, 'faults');
    await until('weak', async () => String((await sandbox()).faults.strict) === 'laggingHistory');
    await open.getByRole('button', { name: 'Clear all' }).click();
    await until('cleared', async () => !(await sandbox()).faults.rpcDown && !(await sandbox()).faults.strict);

    open = await drawer(page, 'liquidity');
    const sets = async (most) => {
      await open.getByLabel('SOL that one fill takes at most').fill(most);
      await open.locator('li', { hasText: 'SOL' }).getByRole('button', { name: 'Set' }).click();
    };
    await open.getByLabel('Impact on SOL in basis points').fill('25');
    for (const most of ['a few', '0.0000000001', '1.2.3']) {
      await sets(most);
      await page.locator('.toasts .bad', { hasText: `Liquidity not set: '${most}' is no amount with at most 9 decimals` }).waitFor();
    }
    await sets('0.5');
    const liquidity = await until('set', async () => (await ask(base, 'GET', '/sandbox/liquidity'))[mint]);

    open = await drawer(page, 'wallets');
    await open.getByLabel('Wallet to fund').fill(wallet);
    await open.getByLabel('Amount to fund').fill('2.5');
    await open.getByRole('button', { name: 'Fund' }).click();
    const lamports = await until('funded', async () => {
      const { result } = await ask(base, 'POST', '/rpc', { jsonrpc: '2.0', id: 1, method: 'getBalance', params: [wallet] });
      return result.value;
    });
    await ask(base, 'PUT', '/sandbox/liquidity', { USDC: { maxInput: '7000000' } });
    open = await drawer(page, 'liquidity');
    await ask(base, 'PUT', '/sandbox/liquidity', { USDT: { maxInput: '9000000' } });
    await until('what another one set', async () => (await open.getByLabel('USDT that one fill takes at most').inputValue()) === '9');

    open = await drawer(page, 'books');
    await open.getByLabel('Market').waitFor();
    await open.getByRole('button', { name: 'Start a market maker' }).click();
    await open.locator('.trades li').first().waitFor();
    await open.getByRole('button', { name: 'Show in the chart' }).click();
    await page.locator('.ticker span.price').waitFor();
    await until('quotes on the chart', async () => (await page.locator('.handle.t-bid').count()) > 2);
    must((await page.locator('.order-row').count()) === 0, 'its quotes are not among the orders');
    await open.getByRole('button', { name: 'Stop the market maker' }).click();
    await until('no quote is left', async () => (await page.locator('.handle').count()) === 0);
    await page.keyboard.press('Escape');
    await page.getByRole('button', { name: 'Light' }).click();
    must((await page.locator('html').getAttribute('data-theme')) === 'light', 'the switch switches');
    return { states, liquidity, lamports };
  },

  /** Prices that move by themselves: a table to its end, and a walk until it is stopped. */
  async plays(page, base, mint) {
    const priceOf = async () => (await ask(base, 'GET', '/sandbox')).tokens.find((each) => each.mint === mint).price;
    const playing = async () => (await ask(base, 'GET', '/sandbox/playback')).playbacks;
    const open = await drawer(page, 'prices');
    await open.getByRole('button', { name: 'CSV' }).click();
    await open.getByLabel('Lines of milliseconds and dollars').fill('ms,price\n0,150\n300,151\n600,152.5\n');
    await open.getByLabel('times faster').fill('3');
    await open.getByRole('button', { name: 'Play', exact: true }).click();
    await until('its last row', async () => (await priceOf()) === '152.5');
    await until('it has ended', async () => (await playing()).length === 0);
    await open.getByRole('button', { name: 'Random walk' }).click();
    for (const [field, value] of [['seed', '7'], ['at most, bps', '10'], ['every, ms', '20']]) await open.getByLabel(field).fill(value);
    await open.getByRole('button', { name: 'Play', exact: true }).click();
    await open.locator('.playing', { hasText: 'walk 7, ± 10 bps each 20 ms, 3 times faster' }).waitFor();
    const walks = await playing();
    await until('it moves', async () => (await priceOf()) !== '152.5');
    await open.getByRole('button', { name: 'Stop the price of SOL' }).click();
    await until('it is stopped', async () => (await playing()).length === 0);
    await until('nothing plays', async () => (await open.locator('.playing').count()) === 0);
    return { walks, points: (await ask(base, 'GET', `/sandbox/prices?mint=${mint}&limit=5000`)).prices.map(({ price }) => price).slice(0, 4) };
  },

  /** A price comes by the stream before the history was answered. How many steps of the history the chart draws then. */
  async overtakes(page, base, mint) {
    const set = (price) => ask(base, 'PUT', '/sandbox/prices', { [mint]: price });
    for (let step = 0; step < 30; step += 1) await set(step % 2 ? '145' : '155');
    let answered = false;
    await page.route(/\/sandbox\/prices\?/, async (route) => {
      await set('151');
      await until('the page knows it', async () => (await page.locator('.ticker .price').inputValue()) === '151.00');
      await route.continue();
      answered = true;
    });
    await page.reload();
    await until('the history', () => answered);
    let steps = 0;
    await until('all steps', async () => (steps = await tallSteps(page)) >= 20).catch(() => 0);
    return steps;
  },

  /** Trades of one instant, which come while the chart shows their market. How many steps it draws of them. */
  async tradesAtOnce(page, base) {
    const quotes = (everyMs) => ask(base, 'POST', '/sandbox/tanx/market-maker', { market: 'btcusdc', price: '100', moveBps: 2000, levels: 1, everyMs });
    await ask(base, 'POST', '/sandbox/clock', { mode: 'frozen' });
    await quotes(600_000);
    await page.getByLabel('What the chart shows').selectOption({ label: 'BTCUSDC' });
    await page.locator('.ticker span.price').waitFor();
    await quotes(10);
    return until('steps', async () => (await tallSteps(page)) || null).catch(() => 0);
  },

  /** How many lines a stop order has, once more orders came after it than are listed; what the list of the books offers then. */
  async staysListed(page, base, id) {
    const quotes = (everyMs) => ask(base, 'POST', '/sandbox/tanx/market-maker', { market: 'btcusdc', price: '100', levels: 2, everyMs });
    await quotes(600_000);
    await page.getByLabel('What the chart shows').selectOption({ label: 'BTCUSDC' });
    const stop = grip(page, `${id}:1`);
    await stop.waitFor();
    await quotes(10);
    await until('many orders', async () => (await ask(base, 'GET', '/sandbox/orders?family=book&limit=1')).orders[0].id > id + 200);
    await page.getByLabel('Family').selectOption('book');
    const counted = await until('more than are listed', async () => {
      const text = await page.locator('#orders-title .count').textContent();
      return text.endsWith('+') && text;
    });
    await page.getByLabel('Find an order').fill('nothing of this name');
    return [await stop.count(), await page.locator('.orders .empty').innerText(), counted];
  },

  /** Orders that no operator amends: on the chain they are only looked at, those of a book can be cancelled. */
  async onlyLooks(page, base, { limit, recurring, book }) {
    const line = grip(page, `${limit}:0`);
    await line.waitFor();
    must((await line.getAttribute('role')) === 'button', 'it is no slider');
    const at = await line.locator('b').textContent();
    await line.focus();
    for (const key of ['ArrowUp', 'Delete']) await page.keyboard.press(key);
    await page.keyboard.press('Enter');
    await page.locator('.fixed-why').waitFor();
    const why = await page.locator('.why-not').textContent();
    const offered = await page.locator('.detail .row button').allTextContents();
    must((await page.locator('.handle', { has: line }).getByRole('button').count()) === 1, 'no button beside the line cancels it');
    must((await orderOf(base, limit)).state === 'open', 'it is open still');
    await page.locator('.rounds button').first().click();
    await page.locator(`.detail[aria-label="Order ${recurring}"]`).waitFor();
    await page.getByLabel('What the chart shows').selectOption({ label: 'BTCUSDC' });
    const bid = grip(page, `${book}:0`);
    await bid.waitFor();
    const name = await bid.textContent();
    await page.getByLabel(`Cancel order ${book}`).click();
    await until('cancelled', async () => (await orderOf(base, book)).state === 'cancel');
    await until('its line is gone', async () => (await bid.count()) === 0);
    return { at, why, offered, name };
  },

  /** An order on the chain that expires while it is looked at. */
  async expires(page, base, id) {
    await page.locator('.order-row', { hasText: id.slice(-4) }).click();
    const why = page.locator('.why-not');
    await why.getByText('asks for').waitFor();
    await ask(base, 'POST', '/sandbox/clock/advance', { seconds: 120 });
    await why.getByText('it expired').waitFor();
    return why.textContent();
  },

  /** Each order as a test. */
  async copies(page, base, ids) {
    const texts = [];
    await page.getByRole('button', { name: 'All', exact: true }).click();
    for (const id of ids) {
      await page.getByLabel('Family').selectOption(typeof id === 'number' ? 'book' : '');
      await page.getByLabel('Find an order').fill(String(id));
      await page.locator('.order-row').first().click();
      await page.locator(`.detail[aria-label="Order ${id}"]`).waitFor();
      await page.evaluate(() => navigator.clipboard.writeText(''));
      await page.getByRole('button', { name: 'Copy as pytest' }).click();
      texts.push(await until('copied', () => page.evaluate(() => navigator.clipboard.readText())));
    }
    return texts;
  },

  /** A closed order on the chain that the venue's index does not know is shown without its terms: the page remembers what it saw, and copies nothing that it does not know. */
  async closes(page, base, id) {
    const { family, wallet, inputMint, outputMint, timeline } = await orderOf(base, id);
    const closed = JSON.stringify({ id, family, wallet, inputMint, outputMint, timeline, state: 'cancelled', waitsFor: null, waiting: null });
    await page.getByRole('button', { name: 'All', exact: true }).click();
    const own = page.locator('.order-row', { hasText: id.slice(-4) });
    const size = await own.locator('.size').textContent();
    await page.route(`**/sandbox/orders/${id}`, (route) => route.fulfill({ contentType: 'application/json', body: closed }));
    await page.route(/\/sandbox\/orders\?family=limit/, (route) => route.fulfill({ contentType: 'application/json', body: '{"orders":[]}' }));
    await own.click();
    await page.locator('.detail .state', { hasText: 'cancelled' }).waitFor();
    must((await own.locator('.size').textContent()) === size, 'it is of the size that it was of');
    await page.getByRole('button', { name: 'Copy as pytest' }).waitFor();
    await page.reload();
    await page.locator('.happened').getByText('order created').click();
    await page.locator('.timeline').waitFor();
    return [size, await page.locator('.detail .row button').allTextContents()];
  },

  /** A venue, which shows itself to its operator's key, and lets nothing be changed. */
  async venue(page, base, key, order, mint) {
    const gate = page.getByLabel('API key with the scope admin');
    await gate.fill('an unknown key');
    await page.keyboard.press('Enter');
    const refused = await until('refused', () => page.getByRole('alert').textContent());
    await gate.fill('“ck_quoted”');
    await page.keyboard.press('Enter');
    await page.getByRole('alert').getByText('Paste it without quotes.').waitFor();
    await page.route('**/admin/venue', (request) => request.fulfill({ status: 404, contentType: 'text/html', body: '<html><h1>404 Not Found</h1></html>' }));
    await gate.fill(key);
    await page.keyboard.press('Enter');
    await page.getByRole('alert').getByText('is closed on the way here').waitFor();
    await page.unroute('**/admin/venue');
    const found = await violations(page, 'the gate');
    await gate.fill(key);
    await page.keyboard.press('Enter');
    await page.getByText('live', { exact: true }).waitFor();
    await row(page, order).click();
    await page.locator('.timeline').getByText('deposit landed').waitFor();
    const why = await page.locator('.why-not').textContent();
    const buttons = await page.getByRole('button').evaluateAll((all) => all.map((each) => each.textContent || each.getAttribute('aria-label')));
    const fields = await page.locator('input, textarea').evaluateAll((all) => all.map((each) => each.getAttribute('aria-label')));
    must((await page.locator('[role=slider]').count()) === 0, 'no line can be moved');
    await grip(page, `${order}:0`).focus();
    for (const pressed of ['ArrowUp', 'Enter', 'Delete']) await page.keyboard.press(pressed);
    await fetch(`${base}/admin/prices`, { method: 'PUT', headers: { 'x-api-key': key, 'content-type': 'application/json' }, body: JSON.stringify({ [mint]: '153.25' }) });
    await page.locator('.ticker').getByText('153.25').waitFor();
    await page.locator('.missing').getByText('JUP').waitFor();
    await fetch(`${base}/admin/prices`, { method: 'PUT', headers: { 'x-api-key': key, 'content-type': 'application/json' }, body: JSON.stringify({ JUPyiwrYJFskUPiHa7hkeR8VUtAeFoSYbKedZNsDvCN: '0.5' }) });
    await page.locator('.missing').getByText('JUP').waitFor({ state: 'detached', timeout: 12_000 });
    for (const scheme of ['dark', 'light']) for (const width of [1400, 400]) {
      await page.setViewportSize({ width, height: 880 });
      await page.emulateMedia({ colorScheme: scheme, reducedMotion: 'reduce' });
      for (const name of ['prices', 'books']) {
        await page.locator(`[data-drawer="${name}"]`).click();
        await page.locator('.drawer h2').waitFor();
        found.push(...await violations(page, `${name}, ${scheme}, ${width}`, name === 'prices' ? 'html' : '.drawer'));
        await page.keyboard.press('Escape');
      }
    }
    await page.reload();
    await page.getByText('live', { exact: true }).waitFor();
    const kept = await page.evaluate(() => [Object.values(sessionStorage).length, Object.keys(localStorage).filter((name) => name.includes('key')).length]);
    await page.getByRole('button', { name: 'Lock' }).click();
    await gate.waitFor();
    must((await page.evaluate(() => sessionStorage.length)) === 0, 'the key is gone');
    return { refused, why, buttons, fields, kept, found };
  },

  async races(page, base, times) {
    const open = await drawer(page, 'race');
    const results = [];
    for (let left = times; left > 0; left--) {
      await open.getByRole('button', { name: 'Race a cancel' }).click();
      await until('judged', async () => (await open.locator('[role=status]').textContent()).includes(`of ${results.length + 1},`));
      const verdict = await open.locator('.verdict').innerText();
      await open.getByRole('button', { name: 'Show the order' }).click();
      const id = await page.locator('.detail').getAttribute('aria-label');
      results.push({ verdict, order: await orderOf(base, id.split(' ')[1]) });
    }
    return results;
  },

  /** A fill is under way when the cancel comes, and fails. */
  async racesAFailure(page, base) {
    const open = await drawer(page, 'race');
    for (let races = 1; races < 12; races++) {
      await ask(base, 'PUT', '/sandbox/faults', { failSwaps: 1, landDelayMs: 300 });
      await open.getByRole('button', { name: 'Race a cancel' }).click();
      await until('judged', async () => (await open.locator('[role=status]').textContent()).includes(` of ${races}, the fill `));
      const verdict = await open.locator('.verdict').innerText();
      if (verdict.includes('fill failed')) return verdict;
    }
    throw new Error('no fill was under way');
  },

  /** The same, and when the cancel is asked for again, the fill was made again meanwhile. */
  async racesARetry(page, base) {
    const open = await drawer(page, 'race');
    const asked = [];
    await page.route(/\/orders\/price\/cancel\//, async (route) => {
      const id = route.request().url().split('/').at(-1);
      if (asked.includes(id)) await until('filled', async () => (await orderOf(base, id)).state === 'filled');
      asked.push(id);
      return route.continue();
    });
    for (let races = 1; races < 12; races++) {
      await ask(base, 'PUT', '/sandbox/faults', { failSwaps: 1, landDelayMs: 300 });
      await open.getByRole('button', { name: 'Race a cancel' }).click();
      await until('judged', async () => (await open.locator('[role=status]').textContent()).includes(` of ${races}, the fill `));
      if (asked.length > races) return { verdict: await open.locator('.verdict').innerText(), timeline: (await orderOf(base, asked.at(-1))).timeline };
    }
    throw new Error('no fill was under way');
  },

  /** As through a proxy: what the page says for orders, and what it does not. */
  async isRefused(page) {
    await page.setExtraHTTPHeaders({ 'x-forwarded-for': '203.0.113.7' });
    await page.reload();
    const said = await page.locator('.orders [role=alert]').innerText();
    must((await page.getByText('No orders yet').count()) === 0, 'it does not say that there are none');
    await page.setExtraHTTPHeaders({});
    await page.getByText('live', { exact: true }).waitFor();
    await page.getByRole('heading', { name: 'No orders yet' }).waitFor();
    return said;
  },

  /** The venue is killed under the page, and started again by `command`. Its process stays, for the test to stop. */
  async reconnects(page, base, pid, command) {
    await page.getByText('live', { exact: true }).waitFor();
    await page.locator('.order-row').first().waitFor();
    const before = await page.locator('.order-row').count();
    process.kill(pid, 'SIGKILL');
    await page.getByText('not connected').waitFor();
    await page.getByLabel(/^Price of SOL: type/).fill('151');
    await page.keyboard.press('Enter');
    await page.locator('.toasts .bad', { hasText: 'Price not set: the venue does not answer' }).waitFor();
    const again = spawn(command[0], command.slice(1), { stdio: 'ignore', detached: true });
    again.unref();
    await page.getByText('live', { exact: true }).waitFor({ timeout: 2 * CALL_MS_MAX });
    await page.locator('.order-row').first().waitFor();
    await until('it takes a price', async () => (await ask(base, 'PUT', '/sandbox/prices', { SOL: '152.75' })).tokens);
    await until('the new price', async () => (await page.getByLabel(/^Price of SOL: type/).inputValue()) === '152.75');
    return { pid: again.pid, before, after: await page.locator('.order-row').count() };
  },

  /** Chromium itself ends, as one that has no memory left. */
  async dies(page) {
    const session = await page.context().browser().newBrowserCDPSession();
    await session.send('Browser.crash');
    await page.waitForTimeout(CALL_MS_MAX);
  },

  async scrolls(page) {
    const list = page.getByRole('region', { name: 'Orders', exact: true });
    await list.waitFor();
    const counts = [];
    for (const to of [0, 0.5, 1]) {
      await list.evaluate((element, share) => { element.scrollTop = element.scrollHeight * share; }, to);
      await page.waitForTimeout(100);
      counts.push(await page.locator('.order-row').count());
    }
    return { counts, total: await page.locator('#orders-title .count').textContent(), handles: await page.locator('.grip').count() };
  },

  /** The token of the chart is not there any more after a reset, nor what was set, asked and raced before it. */
  async outlivesAReset(page, base) {
    const mint = (await ask(base, 'POST', '/sandbox/tokens', { symbol: 'GONE', decimals: 6, price: '2' })).tokens.at(-1).mint;
    await page.getByLabel('What the chart shows').selectOption({ label: 'GONE' });
    await ask(base, 'PUT', '/sandbox/liquidity', { SOL: { maxInput: '2000000000' } });
    await page.getByRole('tab', { name: /Requests/ }).click();
    await ask(base, 'GET', '/trigger/v2/vault');
    await page.locator('.request-row').click();
    await page.locator('.detail pre').first().waitFor();
    const most = (await drawer(page, 'liquidity')).getByLabel('SOL that one fill takes at most');
    await until('what is set', async () => (await most.inputValue()) === '2');
    await ask(base, 'POST', '/sandbox/reset', {});
    await page.getByRole('heading', { name: 'No orders yet' }).waitFor();
    await page.locator('.chart-panel[aria-label="Price of SOL and its orders"]').waitFor();
    await until('its price', async () => (await page.getByLabel(/^Price of SOL: type/).inputValue()) === '150.00');
    await until('nothing is set', async () => (await most.inputValue()) === '');
    await page.getByText('No request yet.').waitFor();
    return mint;
  },

  /** What bots ask, and what prices do, while the page waits for the orders: none is missing after it, and none is there twice. */
  async hearsWhileItLoads(page, base) {
    let loading;
    const come = new Promise((resolve) => { loading = resolve; });
    let goOn;
    await page.route(/\/sandbox\/orders\?family=trigger/, async (route) => { loading(); await new Promise((resolve) => { goOn = resolve; }); await route.continue(); }, { times: 1 });
    await page.reload();
    await come;
    const own = page.locator('#tab-requests .count');
    const before = (await ask(base, 'GET', '/sandbox/requests?limit=1000')).requests.length;
    for (let number = 0; number < 5; number++) await ask(base, 'GET', `/trigger/v2/vault?number=${number}`);
    await until('they are heard', async () => Number(await own.textContent()) >= 5);
    goOn();
    await page.getByRole('heading', { name: 'No orders yet' }).waitFor();
    await page.waitForTimeout(300);
    return [before + 5, Number(await own.textContent())];
  },

  /** On a phone, where the list is below the chart. */
  async showsBelow(page, base, id) {
    await page.setViewportSize({ width: 390, height: 700 });
    const controls = await page.locator('.head nav button, .head a').evaluateAll((all) => all.filter((each) => {
      const { width, right } = each.getBoundingClientRect();
      return width === 0 || right > innerWidth;
    }).map((each) => each.textContent));
    await page.locator('.orders').evaluate((list) => list.scrollIntoView({ block: 'end' }));
    const before = await page.evaluate(() => scrollY);
    const listed = (await row(page, id).innerText()).split('\n');
    const cut = await row(page, id).evaluate((whole) => [...whole.children].filter((each) => {
      const [inner, outer] = [each.getBoundingClientRect(), whole.getBoundingClientRect()];
      return each.scrollWidth > each.clientWidth || inner.bottom > outer.bottom || inner.right > outer.right;
    }).map((each) => each.textContent));
    await row(page, id).click();
    await page.locator('.timeline').waitFor();
    const shown = await page.locator('.detail h2').boundingBox();
    await page.getByRole('button', { name: 'Close the order' }).click();
    await page.locator('.detail').waitFor({ state: 'detached' });
    const after = await page.evaluate(() => scrollY);
    await page.evaluate(() => scrollTo(0, 0));
    const chart = await page.locator('.chart').boundingBox();
    const session = await page.context().newCDPSession(page);
    const touches = (type, y) => session.send('Input.dispatchTouchEvent', { type, touchPoints: y === null ? [] : [{ x: chart.x + 60, y }] });
    await touches('touchStart', chart.y + 220);
    for (let y = chart.y + 210; y > chart.y + 20; y -= 10) await touches('touchMove', y);
    await touches('touchEnd', null);
    await until('the page scrolls by a finger on the chart', () => page.evaluate(() => scrollY > 50));
    return { controls, listed, cut, before, shown: shown.y, after };
  },

  /** Of what happens: the events whose words lie over each other, or over the next one. */
  async overlaps(page) {
    const events = page.locator('.happened li');
    await events.first().waitFor();
    const found = await events.evaluateAll((all) => all.map((each) => [each.querySelector('b'), each.querySelector('p'), each].map((part) => part.getBoundingClientRect())));
    return { lines: Math.max(...found.map(([, told]) => told.height)), over: found.filter(([name, told, whole]) => told.top < name.bottom - 1 || told.bottom > whole.bottom).length };
  },

  /** The terms of an order, as they are told. */
  async termsOf(page, base, id) {
    await page.getByRole('button', { name: 'All', exact: true }).click();
    await row(page, id).click();
    await page.locator(`.detail[aria-label="Order ${id}"] .timeline`).waitFor();
    return page.locator('.detail dd').allTextContents();
  },

  /** Amounts and prices to their last digit, wherever they are, in windows of any width. */
  async figures(page, base, id, symbol, mint) {
    await row(page, id).click();
    await page.locator('.timeline').waitFor();
    const shown = {
      row: await row(page, id).locator('.size, .at').allTextContents(),
      line: await grip(page, `${id}:0`).locator('b').textContent(),
      why: await page.locator('.why-not').textContent(),
      terms: await page.locator('.detail dd').allTextContents(),
    };
    await page.getByLabel('What the chart shows').selectOption({ label: symbol });
    const field = page.getByLabel(/: type another/);
    await until('its price', async () => (await field.inputValue()) !== '150.00');
    shown.price = await field.inputValue();
    for (const width of [320, 360, 821, 1021, 1100, 1400]) {
      await page.setViewportSize({ width, height: 880 });
      must(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `it is no wider than a window of ${width} pixels`);
      must(await page.locator('.link-state').evaluate((state) => state.getBoundingClientRect().right <= innerWidth), `nothing is cut off at ${width} pixels`);
    }
    must(await field.evaluate((own) => own.scrollWidth <= own.clientWidth + 1), 'the price is whole');
    const axis = page.locator('.chart-canvas td').last();
    const [left, right] = [(await axis.boundingBox()).x, await page.locator('.handle').first().evaluate((handle) => handle.getBoundingClientRect().right)];
    must(right <= left, 'no handle lies on the scale');
    let open = await drawer(page, 'liquidity');
    const most = open.getByLabel('SOL that one fill takes at most');
    await until('what is set', async () => (await most.inputValue()) !== '');
    shown.most = await most.inputValue();
    await open.getByLabel('Impact on SOL in basis points').fill('7');
    await page.keyboard.press('Enter');
    shown.liquidity = await until('the impact', async () => { const { [mint]: own } = await ask(base, 'GET', '/sandbox/liquidity'); return own.impactBps === 7 && own; });
    await open.getByLabel('Impact on SOL in basis points').fill('10001');
    await page.keyboard.press('Enter');
    await page.locator('.toasts .bad', { hasText: 'Liquidity not set: SOL.impactBps: 10001 is not between 0 and 10000' }).waitFor();
    open = await drawer(page, 'faults');
    const swaps = open.getByLabel('fail swaps');
    await swaps.fill('1.5');
    await swaps.press('Enter');
    await page.locator('.toasts .bad', { hasText: 'Fault not set' }).waitFor();
    await until('what is so', async () => (await swaps.inputValue()) === '0');
    await page.keyboard.press('Escape');
    return shown;
  },

  /** Each field is sent, and typed into again before its answer is there. What the fields show when it is, and the faults that are set so. */
  async typesAhead(page, base, id) {
    let held = null;
    await page.route(/\/sandbox\/(prices|liquidity|faults|orders\/[^/?]+)$/, async (route) => {
      if (!['PUT', 'PATCH'].includes(route.request().method())) return route.continue();
      const response = await route.fetch();
      held = () => route.fulfill({ response });
    });
    const answered = async () => {
      const answers = await until('an answer', () => held);
      held = null;
      return answers();
    };
    const ahead = async (field, first, second) => {
      await field.fill(first);
      await field.press('Enter');
      await until('an answer', () => held);
      await field.fill(second);
      const response = page.waitForResponse((each) => ['PUT', 'PATCH'].includes(each.request().method()));
      await answered();
      await (await response).finished();
      await painted(page);
      return field.inputValue();
    };
    await row(page, id).click();
    const shown = [
      await ahead(page.getByRole('textbox', { name: 'Take profit, price in dollars' }), '170', '171'),
      await ahead(page.locator('.ticker .price'), '151', '152'),
    ];
    let open = await drawer(page, 'prices');
    shown.push(await ahead(open.getByLabel('Price of SOL in dollars'), '153', '154'));
    open = await drawer(page, 'liquidity');
    await until('what is set', async () => (await open.getByLabel('Impact on SOL in basis points').inputValue()) === '0');
    shown.push(await ahead(open.getByLabel('Impact on SOL in basis points'), '7', '8'));
    open = await drawer(page, 'faults');
    shown.push(await ahead(open.getByLabel('fail swaps'), '1', '2'));
    await open.getByLabel('drop transactions').fill('3'); // Which sends the two fail swaps, too.
    await open.getByLabel('rate limit').fill('4');
    await open.getByLabel('forgets what it built').click();
    await open.getByLabel('histories lag').click();
    for (let sent = 0; sent < 5; sent += 1) await answered();
    await page.unrouteAll();
    const faults = await until('all of them', async () => { const { faults: own } = await ask(base, 'GET', '/sandbox'); return own.strict.length === 2 && own; });
    return [shown, faults];
  },

  /** Answers that come after those to later questions, and what is done before them: what the page shows then. */
  async answersCross(page, base, id, other, mint) {
    const holds = (glob, method = 'GET') => holding(page, glob, method);
    const nudged = async () => Number((await ask(base, 'GET', '/sandbox')).tokens.find((each) => each.mint === mint).price);
    const shown = {};

    const [state, ticker] = [await holds('**/sandbox'), page.getByLabel(/^Price of SOL: type/)];
    await ask(base, 'POST', '/sandbox/clock/advance', { seconds: 1 });
    await state.held();
    await ask(base, 'PUT', '/sandbox/prices', { [mint]: '155' });
    await until('told', async () => (await ticker.inputValue()) === '155.00');
    await state.answers();
    shown.price = await ticker.inputValue();

    let open = await drawer(page, 'prices');
    const prices = await holds('**/sandbox/prices', 'PUT');
    await open.getByRole('button', { name: 'SOL 1 percent' }).click();
    await prices.held();
    await open.getByRole('button', { name: 'SOL 1 percent' }).click();
    await prices.answers();
    shown.nudged = await until('nudged twice', async () => (await nudged()) > 157 && nudged());

    open = await drawer(page, 'faults');
    await open.getByLabel('rate limit').fill('2');
    await open.getByLabel('rate limit').press('Enter');
    const limits = open.locator('.fault', { hasText: 'rate limit' }).locator('.fault-state');
    await until('armed', async () => (await limits.textContent()) === 'armed');
    const counted = await holds('**/sandbox');
    await fetch(`${base}/trigger/v2/orders/history`);
    await counted.held();
    await open.getByLabel('histories lag').click();
    shown.faults = await until('lags', async () => { const { faults } = await ask(base, 'GET', '/sandbox'); return faults.strict && faults.rateLimit; });
    await counted.answers();

    await ask(base, 'PUT', '/sandbox/liquidity', { [mint]: { maxInput: '2000000000' } });
    let liquidity = await holds('**/sandbox/liquidity');
    open = await drawer(page, 'liquidity');
    const most = open.getByLabel('SOL that one fill takes at most');
    await liquidity.held();
    shown.unknown = await most.count();
    await liquidity.answers();
    await until('what is set', async () => (await most.inputValue()) === '2');
    const [setting, again] = [await holds('**/sandbox/liquidity', 'PUT'), page.waitForResponse((each) => each.url().endsWith('/liquidity') && each.request().method() === 'PUT')];
    await most.fill('3');
    await most.press('Enter');
    await setting.held();
    liquidity = await holds('**/sandbox/liquidity');
    await setting.answers();
    await (await again).finished();
    await liquidity.held();
    shown.most = await most.inputValue();
    await liquidity.answers();
    await page.keyboard.press('Escape');

    shown.focus = await page.evaluate(async () => {
      const press = (key) => document.body.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true }));
      press('p');
      await new Promise((resolve) => { setTimeout(resolve); });
      const found = [document.activeElement?.id];
      press('Escape');
      await new Promise((resolve) => { setTimeout(resolve); });
      return [...found, document.querySelectorAll('.drawer').length];
    });

    await page.getByRole('tab', { name: /Requests/ }).click();
    const rows = page.locator('.request-row', { hasText: '/orders/price' });
    const request = await holds('**/sandbox/requests/*');
    await rows.first().click();
    await request.held();
    await page.locator('.request-row', { hasText: '/deposit/craft' }).first().click();
    await page.locator('.path-full', { hasText: 'craft' }).waitFor();
    await request.answers();
    shown.request = await page.locator('.path-full').innerText();

    const order = await holds(`**/sandbox/orders/${id}`);
    await row(page, id).click();
    await order.held();
    await ask(base, 'DELETE', `/sandbox/orders/${id}`);
    await page.locator('.detail .state', { hasText: 'pending withdraw' }).waitFor();
    await order.answers();
    shown.order = [await page.locator('.detail .state').textContent(), await row(page, id).locator('.state').textContent()];

    const [patch, handle] = [await holds('**/sandbox/orders/*', 'PATCH'), grip(page, `${other}:0`)];
    await handle.focus();
    for (const key of ['ArrowUp', 'Enter']) await page.keyboard.press(key);
    await patch.held();
    for (const key of ['ArrowUp', 'ArrowUp']) await page.keyboard.press(key);
    await patch.answers();
    shown.moved = Number(await handle.getAttribute('aria-valuenow'));
    await page.keyboard.press('Escape');

    await page.getByRole('button', { name: 'Close the order' }).click();
    const before = await holds(`**/sandbox/orders/${id}`);
    await row(page, id).click();
    await before.held();
    await ask(base, 'POST', '/sandbox/reset', {});
    await page.getByRole('heading', { name: 'No orders yet' }).waitFor();
    await before.answers();
    shown.rows = await page.locator('.order-row').count();
    return shown;
  },

  /** A fill is told before the page knows its order. Whether the chart shows it before, and that it does afterwards. */
  async marksLater(page, base, id, mint) {
    const isMarked = async () => (await columnsOf(page, '--down')).some((points) => points > 0);
    await page.route(/orders\?family=trigger/, (route) => route.fulfill({ contentType: 'application/json', body: '{"orders":[]}' }));
    await page.reload();
    await page.getByText('live', { exact: true }).waitFor();
    await page.locator('.side-body > *').first().waitFor();
    const order = await holding(page, `**/sandbox/orders/${id}`, 'GET');
    await ask(base, 'PUT', '/sandbox/prices', { [mint]: '161' });
    await order.held();
    await page.locator('.happened').getByText('fill landed').waitFor();
    await page.waitForTimeout(500);
    const early = await isMarked();
    await order.answers();
    await until('marked', isMarked);
    return early;
  },

  /** An order that is cancelled after the list of orders came, and before the page is loaded; quotes that are there before it is known whose they are. */
  async loadsSlowly(page, base, id) {
    await ask(base, 'POST', '/sandbox/tanx/market-maker', { market: 'btcusdc', price: '60000', everyMs: 60_000 });
    await until('quotes', async () => (await ask(base, 'GET', '/sandbox/orders?family=book&state=wait')).orders.length === 10);
    const [prices, makers] = [await holding(page, /\/sandbox\/prices\?/, 'GET'), await holding(page, '**/market-maker', 'GET')];
    const listed = page.waitForResponse(/family=book&state=pending/);
    await page.reload();
    await (await listed).finished();
    await makers.held();
    await painted(page);
    const early = await page.locator('.order-row').count();
    await makers.answers();
    await prices.held();
    await row(page, id).locator('.state', { hasText: 'open' }).waitFor();
    const rows = await page.locator('.order-row').count();
    await ask(base, 'DELETE', `/sandbox/orders/${id}`);
    await page.waitForTimeout(500); // The page is told of it, which it shows nothing of yet.
    await prices.answers();
    await page.locator('.happened').waitFor();
    const state = await until('cancelled', async () => {
      const text = await row(page, id).locator('.state').textContent();
      return text === 'pending withdraw' && text;
    });
    return [early, rows, state];
  },

  /** What the list is of, and how much of it there is. */
  async counts(page, base, withdrawing) {
    const text = () => page.locator('.orders .empty').innerText();
    const waiting = page.getByRole('button', { name: /^Waiting/ });
    await row(page, withdrawing).waitFor();
    const counts = [await waiting.locator('.count').textContent(), await page.locator('.order-row').count()];
    await page.getByLabel('Find an order').fill('nothing of this name');
    const found = await text();
    await page.getByRole('button', { name: /^Show all/ }).click();
    return [...counts, found, await page.locator('.order-row').count(), await page.getByLabel('Find an order').inputValue()];
  },

  /** Of the orders of the books, among which a market maker's quotes are. */
  async countsQuotes(page, base) {
    const counts = () => page.locator('.orders .count').allTextContents();
    await ask(base, 'POST', '/sandbox/tanx/market-maker', { market: 'btcusdc', price: '60000', everyMs: 60_000 });
    await until('quotes', async () => (await ask(base, 'GET', '/sandbox/orders?family=book&state=wait')).orders.length === 10);
    await page.reload();
    await page.getByRole('heading', { name: 'No orders yet' }).waitFor();
    const before = await counts();
    await page.getByLabel('Family').selectOption('book');
    await page.locator('.order-row').first().waitFor();
    const shown = [await counts(), await page.locator('.order-row').count(), await page.locator('.order-row .at').first().textContent()];
    await ask(base, 'DELETE', '/sandbox/tanx/market-maker');
    return [before, ...shown];
  },

  /** An order that was chosen already is shown again; one that cannot be shown leaves no page that loads for ever. */
  async showsAgain(page, base, id) {
    await row(page, id).click();
    await page.locator('.timeline').waitFor();
    await page.getByRole('tab', { name: /Requests/ }).click();
    await page.locator('.request-row', { hasText: '/orders/price' }).first().click();
    await page.getByRole('button', { name: /^Show order/ }).click();
    await page.locator('.timeline').waitFor();
    await page.getByRole('button', { name: 'Close the order' }).click();
    const said = [];
    for (const [status, words] of [[503, 'loads its orders'], [404, 'no such order']]) {
      await page.route(`**/sandbox/orders/${id}`, (route) => route.fulfill({ status, contentType: 'application/json', body: '{"error":"the venue loads its orders"}' }));
      await row(page, id).click();
      said.push(await page.locator('.toasts .bad', { hasText: words }).textContent());
      await page.getByRole('heading', { name: 'What happens' }).waitFor();
      await page.unroute(`**/sandbox/orders/${id}`);
    }
    await row(page, id).click();
    await page.locator('.timeline').waitFor();
    return said;
  },

  /** A page that is not seen holds no connection, and comes back with what it missed. */
  async hides(page, base, mint) {
    const turns = (to) => page.evaluate((state) => {
      Object.defineProperty(document, 'visibilityState', { value: state, configurable: true });
      document.dispatchEvent(new Event('visibilitychange'));
    }, to);
    const ended = page.waitForEvent('requestfailed', (request) => request.url().includes('/sandbox/events'));
    await turns('hidden');
    await ended;
    await page.getByText('connecting', { exact: true }).waitFor();
    await ask(base, 'PUT', '/sandbox/prices', { [mint]: '154.5' });
    await ask(base, 'GET', '/trigger/v2/vault');
    await turns('visible');
    await page.getByText('live', { exact: true }).waitFor();
    await until('the price', async () => (await page.getByLabel(/^Price of SOL: type/).inputValue()) === '154.50');
    return until('the request', async () => Number(await page.locator('#tab-requests .count').textContent()));
  },

  /** The venue does not hang up, but answers no more, as behind a cut line. */
  async seesACutLine(page, base) {
    await page.clock.install();
    await page.reload();
    await page.getByText('live', { exact: true }).waitFor();
    await page.getByRole('heading', { name: 'No orders yet' }).waitFor();
    // Else the time that a busy machine takes counts, too; which may be past what it is to be paused at.
    let ahead = 500;
    await until('paused', async () => page.clock.pauseAt(await page.evaluate((ms) => Date.now() + ms, ahead *= 2)).then(() => true, () => false));
    const held = [];
    await page.route('**/sandbox', (route) => { held.push(route); });
    // In small steps: it looks once in 15 seconds, gives up 10 later, and would have begun anew by the end of one large step.
    await until('it looks', async () => {
      if (!held.length) await page.clock.runFor(250);
      return held.length > 0;
    });
    const lost = page.getByText('not connected', { exact: true });
    for (let steps = 0; steps < 60 && !(await lost.isVisible()); steps += 1) await page.clock.runFor(250);
    await lost.waitFor();
    await page.unroute('**/sandbox');
    await page.clock.runFor(2_000);
    await page.getByText('live', { exact: true }).waitFor();
    return held.length;
  },

  /** More orders than the venue shows at once. */
  async hasMore(page, base) {
    const [order] = (await ask(base, 'GET', '/sandbox/orders')).orders;
    const many = JSON.stringify({ orders: Array.from({ length: 2_000 }, (_, number) => ({ ...order, id: `${order.id}${number}` })) });
    await page.route(/\/sandbox\/orders\?family=trigger/, (route) => route.fulfill({ contentType: 'application/json', body: many }));
    await page.reload();
    await page.locator('.order-row').first().waitFor();
    return page.locator('.orders .count').allTextContents();
  },

  /** An order that is not listed is asked for by its id, and those of a wallet by that. */
  async seeks(page, base, id, wallet, stranger) {
    const box = page.getByRole('searchbox', { name: 'Find an order' });
    const rows = page.locator('.order-row');
    const seen = [];
    await page.route(/\/sandbox\/orders\?family=trigger/, (route) => route.fulfill({ contentType: 'application/json', body: '{"orders":[]}' }));
    for (const text of [id, wallet]) {
      await page.reload();
      await page.getByRole('button', { name: 'All', exact: true }).click();
      await box.fill(text);
      await page.getByText('None of these.').waitFor();
      if (text === id) await box.press('Enter');
      else await page.getByRole('button', { name: 'Ask the venue for it' }).click();
      await rows.first().waitFor();
      if (text === id) await page.locator('.detail').waitFor();
      seen.push([await rows.count(), await rows.first().locator('.state').textContent(), await page.locator('.detail').count()]);
      if (text === wallet) {
        await ask(base, 'POST', '/sandbox/clock/advance', { seconds: 1 });
        await page.waitForTimeout(500);
        seen.push([await rows.count()]);
      }
    }
    await box.fill(stranger);
    await page.getByRole('button', { name: 'Ask the venue for it' }).click();
    await page.getByText('No order has this id, and no order is of this wallet').waitFor();
    return seen;
  },

  /** How many formats of numbers are made while a price moves, which takes longest of all that a page does then; how often the price is shown, and in how many frames. */
  async keepsUp(page, base, mint) {
    await page.evaluate(() => {
      Object.assign(globalThis, { made: 0, shown: 0, frames: 0 });
      const counts = () => { globalThis.frames += 1; requestAnimationFrame(counts); };
      counts();
      const { get, set } = Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value');
      Object.defineProperty(HTMLInputElement.prototype, 'value', { get, set(value) { if (this.matches('.ticker *')) globalThis.shown += 1; set.call(this, value); } });
      const own = Number.prototype.toLocaleString;
      Number.prototype.toLocaleString = function toLocaleString(...given) { globalThis.made += 1; return own.apply(this, given); };
      Intl.NumberFormat = new Proxy(Intl.NumberFormat, { construct: (made, given) => { globalThis.made += 1; return new made(...given); } });
    });
    const rows = Array.from({ length: 200 }, (_, number) => `${number},${150 + number / 100}`).join('\n');
    await ask(base, 'POST', '/sandbox/playback', { mint, csv: rows });
    await until('the last price', async () => (await page.getByLabel(/^Price of SOL: type/).inputValue()) === '151.99');
    return page.evaluate(() => ({ made: globalThis.made, shown: globalThis.shown, frames: globalThis.frames }));
  },

  /** For the documentation. */
  async pictures(page, base, directory, order) {
    const takes = async (name, scheme, width, height) => {
      await page.setViewportSize({ width, height });
      await page.emulateMedia({ colorScheme: scheme });
      await page.waitForTimeout(700);
      await page.screenshot({ path: join(directory, `console-${name}.png`) });
    };
    await page.getByRole('button', { name: 'All', exact: true }).click();
    await row(page, order).click();
    await page.locator('.timeline').waitFor();
    await takes('dark', 'dark', 1400, 880);
    await page.getByRole('button', { name: /^Waiting/ }).click();
    await page.locator('.order-row', { hasText: 'otoco' }).click();
    await page.locator('.why-not').waitFor();
    await takes('light', 'light', 1400, 880);
    await page.getByRole('button', { name: 'Close the order' }).click();
    await takes('phone-light', 'light', 400, 860);
    await takes('phone-dark', 'dark', 400, 860);
    await page.setViewportSize({ width: 1400, height: 880 });
    const open = await drawer(page, 'race');
    for (let races = 1; races < 12; races++) {
      await open.getByRole('button', { name: 'Race a cancel' }).click();
      await until('judged', async () => (await open.locator('[role=status]').textContent()).includes(`of ${races},`));
      if (await open.getByRole('heading', { name: 'The fill won' }).count()) break;
    }
    await takes('race', 'dark', 1400, 880);
    await drawer(page, 'prices');
    await page.getByRole('button', { name: 'Play', exact: true }).click();
    await page.waitForTimeout(1500);
    await takes('play', 'light', 1400, 880);
    return [];
  },

  /** After the others: the venue has the orders of their scene. */
  async pictureOfAVenue(page, base, directory, key) {
    await page.setViewportSize({ width: 1400, height: 880 });
    await page.emulateMedia({ colorScheme: 'light' });
    await page.getByLabel('API key with the scope admin').fill(key);
    await page.keyboard.press('Enter');
    await page.locator('.order-row', { hasText: 'limit' }).first().click();
    await page.locator('.timeline').waitFor();
    await page.waitForTimeout(700);
    await page.screenshot({ path: join(directory, 'console-venue.png') });
    return [];
  },

  /** How many errors the page of each API shows. */
  async showsApis(page, base) {
    const shown = {};
    await page.locator('#apis a').first().waitFor();
    for (const link of await page.locator('#apis a').all()) shown[await openApi(page, base, link)] = await page.locator('.errors-wrapper').count();
    return shown;
  },

  /** These operations are tried out, in this order. */
  async triesOut(page, base, operations) {
    const opens = (link) => openApi(page, base, link);
    const tries = async ([api, method, path, example]) => {
      await opens(page.locator(`#apis a[href="#${api}"]`));
      const block = page.locator(`.opblock-${method}`, { has: page.locator(`[data-path="${path}"]`) });
      await block.locator('.opblock-summary-control').click();
      const execute = block.getByRole('button', { name: 'Execute', exact: true });
      const answer = block.locator('.live-responses-table tbody');
      if (example) await block.locator('.examples-select select').first().selectOption({ label: example });
      await execute.click();
      await answer.waitFor();
      return answer.innerText();
    };
    const refused = await tries(operations[0]);
    const unknown = await page.locator('#values [role=status]').innerText();
    await page.getByRole('button', { name: 'Clear', exact: true }).click();
    await page.locator('.live-responses-table').waitFor({ state: 'detached' });
    await page.locator('.opblock-summary-control[aria-expanded="true"]').click();
    await page.getByRole('button', { name: 'New wallet' }).click();
    await until('a token', async () => page.locator('input[name="TOKEN"]').inputValue());
    const wallet = await page.locator('input[name="WALLET"]').inputValue();
    await page.locator('#values [role=status]', { hasText: `Wallet ${wallet} has 20 SOL` }).waitFor();
    const statuses = [];
    for (const operation of operations) {
      statuses.push((await tries(operation)).slice(0, 3));
      await page.locator('.opblock-summary-control[aria-expanded="true"]').click();
    }
    const signed = () => page.locator('input[name="SIGNED_DEPOSIT"]').inputValue();
    await opens(page.locator('#apis a').first());
    must(await signed(), 'the deposit was signed');
    await page.reload();
    await page.locator('#values [role=status]', { hasText: 'press New wallet again' }).waitFor();
    must((await tries(['trigger-v2', 'post', '/trigger/v2/deposit/craft'])).startsWith('200'), 'the token is known still');
    await until('the older signature is gone', async () => (await signed()) === '');
    await page.setViewportSize({ width: 390, height: 844 });
    await page.goto(`${base}/docs/curl`);
    await page.evaluate(() => { for (const each of document.querySelectorAll('details')) each.open = true; });
    must(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), 'the page of commands is no wider than a phone');
    return { refused: refused.slice(0, 3), unknown, statuses };
  },

  /** At `/docs`, where answers come late: what is shown, whether it stays as it was, and what is learnt of two that were asked at once. */
  async docsCross(page, base) {
    const link = (name) => page.locator(`#apis a[href="#${name}"]`);
    const shown = (title) => page.locator('.info .title', { hasText: title }).waitFor();
    const block = (method, path) => page.locator(`.opblock-${method}`, { has: page.locator(`[data-path="${path}"]`) });
    await shown('Trigger v2');
    await page.locator('.opblock-summary-control').first().click();
    await link('trigger-v2').click();
    await painted(page);
    const late = await holding(page, '**/openapi/trigger-v1.json', 'GET');
    await link('trigger-v1').click();
    await late.held();
    const opened = await page.locator('.opblock.is-open').count();
    await link('sandbox').click();
    await block('post', '/sandbox/snapshots').waitFor();
    await late.answers();
    const kept = await block('post', '/sandbox/snapshots').count();

    const snapshot = await holding(page, '**/sandbox/snapshots', 'POST');
    const executes = async (each) => {
      await each.locator('.opblock-summary-control').click();
      await each.getByRole('button', { name: 'Execute', exact: true }).click();
    };
    await executes(block('post', '/sandbox/snapshots'));
    await snapshot.held();
    await executes(block('get', '/sandbox/audit'));
    await block('get', '/sandbox/audit').locator('.live-responses-table').waitFor();
    await snapshot.answers();
    await block('post', '/sandbox/snapshots').locator('.live-responses-table').waitFor();
    return [opened, kept, await page.locator('input[name="SNAPSHOT"]').inputValue()];
  },

  async axe(page, base, id, scheme, width) {
    await page.locator('.order-row').first().waitFor();
    for (const each of [320, 821, 1021, width]) {
      await page.setViewportSize({ width: each, height: 880 });
      must(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `it is no wider than a window of ${each} pixels`);
    }
    await page.emulateMedia({ colorScheme: scheme, reducedMotion: 'reduce' });
    await page.waitForTimeout(150);
    const found = await violations(page, 'the first screen');
    await row(page, id).first().click();
    await page.locator('.timeline').waitFor();
    found.push(...await violations(page, 'an order'));
    for (const name of ['race', 'prices', 'clock', 'faults', 'liquidity', 'wallets', 'books']) {
      await page.locator(`[data-drawer="${name}"]`).click();
      await page.locator('.drawer h2').waitFor();
      await page.locator('.drawer').getByText('Loading…').waitFor({ state: 'detached' });
      found.push(...await violations(page, name, name === 'race' ? 'html' : '.drawer'), ...await twins(page, '.drawer'));
      await page.keyboard.press('Escape');
    }
    await page.getByRole('tab', { name: /Requests/ }).click();
    await page.locator('.request-row').first().click();
    await page.locator('.detail pre').first().waitFor();
    found.push(...await violations(page, 'a request'));
    return found;
  },
};

// A reset refuses what was asked just before it, and a venue that has just started what it has not loaded yet.
const REFUSALS = { teaches: 'status of (404|503)', answersCross: 'status of (404|503)', outlivesAReset: 'status of 503', seeks: 'status of 40', racesAFailure: 'status of 400', racesARetry: 'status of 400', showsAgain: 'status of', reconnects: 'net::ERR_|status of 503', figures: 'status of 400', races: 'status of 400', isRefused: 'status of 403', pictures: 'status of 40', venue: 'status of 40[14]', triesOut: 'status of 40' };

async function asks(context, { page: url, call, given }) {
  const base = new URL(url).origin;
  const page = await context.newPage();
  const sent = [];
  const complaints = [];
  page.on('request', (request) => sent.push({ method: request.method(), url: request.url(), headers: request.headers() }));
  page.on('console', (line) => complaints.push(`${line.type()}: ${line.text()} (${line.location().url})`));
  page.on('pageerror', (problem) => complaints.push(problem.message));
  await page.goto(url, { timeout: CALL_MS_MAX });
  if (url === `${base}/` && !['venue', 'pictureOfAVenue'].includes(call)) {
    await page.getByText('live', { exact: true }).waitFor();
    await page.locator('.side-body > *').first().waitFor(); // All is loaded.
  }
  const value = await scenarios[call](page, base, ...given);
  const strange = complaints.filter((each) => !(REFUSALS[call] && new RegExp(REFUSALS[call]).test(each)));
  must(strange.length === 0, `the page complains: ${strange.join('; ')}`);
  return { value, sent };
}

const launches = () => playwright.launch({ executablePath, env: { ...process.env, FONTCONFIG_FILE: configuration } });
await serves(launches, asks, { viewport: { width: 1400, height: 900 }, colorScheme: 'dark', locale: 'en-US', permissions: ['clipboard-read', 'clipboard-write'] });

// The bot's tests, for `countermand exec -- npm test`.
import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { Keypair } from '@solana/web3.js';
import { Bot } from './bot.mjs';

const { COUNTERMAND_URL: url, COUNTERMAND_RPC_URL: rpc, COUNTERMAND_WS_URL: ws } = process.env;
const LAMPORTS = 1_000_000_000;
const DOLLAR = 1_000_000;
const DAY_S = 86_400;
let bot;

async function sandbox(method, path, body) {
  const answer = await fetch(`${url}/sandbox${path}`, {
    method, headers: { 'content-type': 'application/json' }, body: body && JSON.stringify(body),
  });
  assert.equal(answer.status, 200, await answer.clone().text());
  return answer.json();
}

const price = (dollars) => sandbox('PUT', '/prices', { SOL: String(dollars) });
const settle = () => sandbox('POST', '/settle', {});

beforeEach(async () => {
  await sandbox('POST', '/reset', {});
  const keypair = Keypair.generate();
  bot = new Bot(url, rpc, ws, keypair);
  await sandbox('POST', '/airdrop', { wallet: bot.address, mint: 'SOL', amount: String(20 * LAMPORTS) });
  await sandbox('POST', '/airdrop', { wallet: bot.address, mint: 'USDC', amount: String(500 * DOLLAR) });
});

test('a pair is partly filled and cancelled', async () => {
  await bot.signIn();
  const order = await bot.placeOco(5 * LAMPORTS, 180, 120);
  assert.deepEqual((await bot.orders('active')).map(({ id, orderState }) => [id, orderState]), [[order, 'open']]);
  await sandbox('PUT', '/liquidity', { SOL: { maxInput: String(2 * LAMPORTS) } });
  await sandbox('PUT', '/faults', { landDelayMs: 1_000 });
  await price(119);
  await price(150);
  await settle();
  await sandbox('PUT', '/faults', {});
  const [half] = await bot.orders('active');
  assert.equal(half.remainingInputAmount, String(3 * LAMPORTS));
  const { txSignature } = await bot.withdraw(order);
  assert.ok(txSignature);
  const [past] = await bot.orders('past');
  assert.equal(past.orderState, 'cancelled');
  assert.deepEqual(past.events.map(({ type }) => type), ['withdrawal', 'cancelled', 'fill', 'deposit']);
  assert.ok((await sandbox('GET', '/audit')).ok);
});

test('a limit order is filled by the keeper', async () => {
  const order = await bot.placeLimit(LAMPORTS, 160 * DOLLAR);
  assert.deepEqual((await bot.limits('active')).map(({ orderKey }) => orderKey), [order]);
  await price(165);
  await settle();
  assert.deepEqual(await bot.limits('active'), []);
  const [row] = await bot.limits('history');
  assert.deepEqual([row.orderKey, row.status, row.trades.length], [order, 'Completed', 1]);
  assert.ok((await bot.usdc()) >= 659 * DOLLAR);
});

test('a DCA runs its cycles', async () => {
  const order = await bot.placeDca(200 * DOLLAR, 2, DAY_S);
  await settle();
  const [running] = await bot.recurring('active');
  assert.deepEqual([running.orderKey, running.rawInUsed], [order, String(100 * DOLLAR)]);
  await sandbox('POST', '/clock/advance', { seconds: DAY_S + 60 });
  await settle();
  const [over] = await bot.recurring('history');
  assert.deepEqual([over.rawInUsed, over.userClosed, over.trades.length], [String(200 * DOLLAR), false, 2]);
});

test('a swap gives what was quoted', async () => {
  const least = await bot.swap(LAMPORTS);
  assert.ok((await bot.usdc()) - 500 * DOLLAR >= least);
});

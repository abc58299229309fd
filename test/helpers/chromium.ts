import { spawnSync } from 'node:child_process';
import { chromium, type Browser } from 'playwright-core';

const PROGRAMS = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];

/** The browser to test with: CHROMIUM_PATH (which `npm test` sets), or one on the PATH that starts; else undefined. */
export function findChromium(): string | undefined {
  const given = process.env['CHROMIUM_PATH'];
  const candidates = given === undefined || given === '' ? PROGRAMS : [given];
  return candidates.find((program) => spawnSync(program, ['--version'], { timeout: 20_000 }).status === 0);
}

/** What a test passes as tap's `skip`: false where there is a browser, else the reason that the report shows. */
export function skipWithoutChromium(): false | string {
  return findChromium() === undefined ? 'no Chromium on this machine' : false;
}

/**
 * A headless browser that makes no connections of its own. The caller closes it.
 * @param args further switches
 */
export async function launchChromium(...args: readonly string[]): Promise<Browser> {
  const executablePath = findChromium();
  if (executablePath === undefined) throw new Error('no Chromium on this machine');
  return chromium.launch({
    executablePath: absolutePath(executablePath),
    headless: true,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      ...args,
    ],
  });
}

function absolutePath(program: string): string {
  if (program.includes('/')) return program;
  return spawnSync('sh', ['-c', 'command -v "$0"', program], { encoding: 'utf8' }).stdout.trim();
}

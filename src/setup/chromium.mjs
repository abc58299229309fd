// The browser that the page's tests drive. Without one they are skipped, by name; nothing else needs it.
import { installPackage } from './packages.mjs';
import { capture, findProgram, isExecutable, say } from './shell.mjs';

const PROGRAMS = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
const APPLICATIONS = [
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
];

/** The path of a Chromium that works, or undefined. Installs one where that needs no question. */
export function ensureChromium() {
  const present = findChromium();
  if (present !== undefined) return present;
  const problem = installPackage({ apt: 'chromium' });
  const installed = findChromium();
  if (installed === undefined) {
    say(`no Chromium for the browser tests (${problem ?? 'the one installed does not start'}); they will be skipped.`);
    say('to run them, install Chromium or Chrome, or name one with CHROMIUM_PATH.');
  } else {
    say(`installed ${installed}`);
  }
  return installed;
}

function findChromium() {
  const given = process.env.CHROMIUM_PATH;
  if (given !== undefined && given !== '') return isExecutable(given) ? given : undefined;
  const found = [findProgram(PROGRAMS), ...APPLICATIONS].filter((file) => file !== undefined && isExecutable(file));
  // Some distributions ship a stub that only says to install something else.
  return found.find((file) => capture(file, ['--version']).ok);
}

// Installs a program with the system's package manager, but only where that asks no question.
import { existsSync } from 'node:fs';
import { capture, findProgram, say } from './shell.mjs';

const INSTALL_TIMEOUT_MS = 15 * 60_000;

/**
 * Tries to install a package (`{apt, brew}`: its name for each manager; leave one out where it has none).
 * Returns undefined on success, else why it was not possible, as half a sentence for the message.
 */
export function installPackage({ apt, brew }) {
  const aptGet = findProgram(['apt-get']);
  if (apt !== undefined && aptGet !== undefined) return installWithApt(aptGet, apt);
  const brewProgram = findProgram(['brew']);
  if (brew !== undefined && brewProgram !== undefined) {
    say(`installing ${brew} with brew …`);
    return failure(
      capture(brewProgram, ['install', '--quiet', brew], {
        timeout: INSTALL_TIMEOUT_MS,
        env: { ...process.env, HOMEBREW_NO_AUTO_UPDATE: '1', NONINTERACTIVE: '1' },
      }),
    );
  }
  return 'there is no package manager here that could install it unasked';
}

function installWithApt(aptGet, name) {
  const privileged = rootPrefix();
  if (privileged === undefined) return 'installing it needs root, and sudo would ask for a password';
  const apt = (...args) => {
    const [program, ...rest] = [...privileged, 'env', 'DEBIAN_FRONTEND=noninteractive', aptGet, '-q', '-y', ...args];
    return capture(program, rest, { timeout: INSTALL_TIMEOUT_MS });
  };
  say(`installing ${name} with apt-get …`);
  // A failed update is no verdict: one dead third-party list is enough for it, and the package may still be found.
  apt('update');
  return failure(apt('install', '--no-install-recommends', name));
}

/**
 * Debian starts a service as soon as its package is there. We want the program only: the service that our own
 * installation brought is stopped and kept from starting at boot. Never called for a package that was there before.
 */
export function silenceService(name) {
  const privileged = rootPrefix();
  if (privileged === undefined) return;
  const commands = existsSync('/run/systemd/system')
    ? [['systemctl', 'disable', '--now', name]]
    : [
        ['service', name, 'stop'],
        ['update-rc.d', name, 'disable'],
      ];
  for (const command of commands) {
    const [program, ...args] = [...privileged, ...command];
    capture(program, args);
  }
}

/** What to put before a command to run it as root without a question; undefined when that is not possible. */
function rootPrefix() {
  if (process.getuid?.() === 0) return [];
  const sudo = findProgram(['sudo']);
  if (sudo !== undefined && capture(sudo, ['-n', 'true']).ok) return [sudo, '-n'];
  return undefined;
}

function failure({ ok, output }) {
  if (ok) return undefined;
  const lines = output.trim().split('\n');
  return `the package manager failed (${lines.findLast((line) => /^E:|error/i.test(line)) ?? lines.at(-1) ?? 'no output'})`;
}

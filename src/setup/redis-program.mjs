// Finds a Redis server program, or installs one.
import { installPackage, silenceService } from './packages.mjs';
import { capture, findProgram, say, SetupError } from './shell.mjs';

const PROGRAMS = ['redis-server', 'valkey-server'];

/** Streams, functions of expiry and `SET … GET` that the engine and BullMQ use arrived with 6.2. */
const VERSION_MIN = [6, 2];

/** The path of a usable `redis-server` or `valkey-server`; installs it where that needs no question. */
export function ensureRedisProgram() {
  const present = findRedisProgram();
  if (present !== undefined) return present;
  const problem = installPackage({ apt: 'redis-server', brew: 'redis' });
  if (problem === undefined) silenceService('redis-server');
  const installed = findRedisProgram();
  if (installed === undefined) {
    throw new SetupError(
      `Rivulet needs Redis ${VERSION_MIN.join('.')} or newer (or Valkey), and ${problem ?? 'the one installed does not do'}.\n` +
        '  Do one of these, then run the command again:\n' +
        '  - install redis-server or valkey-server so that it is on the PATH;\n' +
        '  - set REDIS_URL to a Redis that is already running, e.g. REDIS_URL=redis://127.0.0.1:6379',
    );
  }
  say(`installed ${installed}`);
  return installed;
}

/** The first server program on the PATH that is new enough. */
export function findRedisProgram(path = process.env.PATH ?? '') {
  for (const name of PROGRAMS) {
    const program = findProgram([name], path);
    if (program === undefined) continue;
    const version = parseVersion(capture(program, ['--version']).output);
    if (version !== undefined && isAtLeast(version, VERSION_MIN)) return program;
    say(
      `${program} is not used: ${version === undefined ? 'it does not tell its version' : `version ${version.join('.')} is too old`}`,
    );
  }
  return undefined;
}

/** `Redis server v=7.0.15 sha=…` and `Valkey server v=8.0.1 …` → [major, minor]. */
function parseVersion(text) {
  const match = /\bv=(\d+)\.(\d+)/.exec(text);
  return match === null ? undefined : [Number(match[1]), Number(match[2])];
}

function isAtLeast([major, minor], [majorMin, minorMin]) {
  return major > majorMin || (major === majorMin && minor >= minorMin);
}

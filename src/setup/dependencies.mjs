// Node's version and the npm packages.
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { findProgram, isExecutable, ROOT, run, say, SetupError } from './shell.mjs';

/** Installs the locked packages when one is missing or of another version. Needs no network when all are there. */
export async function ensureDependencies() {
  if (areInstalled()) return;
  say('installing the npm packages …');
  const [program, ...args] = npmCommand();
  // `--include=dev`: the compiler is a development package, and NODE_ENV=production would leave it out.
  const quiet = ['--include=dev', '--no-audit', '--no-fund', '--loglevel=error'];
  const code = await run(program, [...args, 'ci', ...quiet], { stdio: ['ignore', 2, 2] });
  if (code !== 0) throw new SetupError('npm could not install the packages (see above). Is the registry reachable?');
}

/**
 * Compares the lock file with the record that npm keeps of what it installed. A stamp of our own would also
 * reinstall after a developer's own `npm install`, and would know nothing of a package removed since.
 */
function areInstalled() {
  const installed = readPackages(join(ROOT, 'node_modules', '.package-lock.json'));
  if (installed === undefined) return false;
  const locked = readPackages(join(ROOT, 'package-lock.json'));
  if (locked === undefined) throw new SetupError('package-lock.json is missing or unreadable; restore it with git');
  return Object.entries(locked).every(([path, wanted]) => {
    const found = installed[path];
    if (path === '' || wanted.link === true) return true;
    // npm leaves out the optional packages of other platforms.
    if (found === undefined) return wanted.optional === true;
    return found.version === wanted.version && existsSync(join(ROOT, path));
  });
}

function readPackages(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8')).packages;
  } catch {
    return undefined;
  }
}

/** The npm that belongs to the Node we run on, so that packages are built for it and `engines` is checked against it. */
function npmCommand() {
  const running = process.env.npm_execpath;
  if (running?.endsWith('npm-cli.js') === true && existsSync(running)) return [process.execPath, running];
  const beside = join(dirname(process.execPath), '..', 'lib', 'node_modules', 'npm', 'bin', 'npm-cli.js');
  if (existsSync(beside)) return [process.execPath, beside];
  const npm = join(dirname(process.execPath), 'npm');
  if (isExecutable(npm)) return [npm];
  const onPath = findProgram(['npm']);
  if (onPath === undefined) throw new SetupError('npm was not found; it comes with Node.js (https://nodejs.org)');
  return [onPath];
}

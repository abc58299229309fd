// From the sources to dist/: type-check and compile, copy what is not TypeScript, drop what lost its source.
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { ROOT, run, say, SetupError } from './shell.mjs';

const SOURCE_FOLDERS = ['src', 'test', 'bench'];
const DIST = join(ROOT, 'dist');
const STAMP = join(DIST, '.built');
const SETTINGS = ['tsconfig.json', 'package-lock.json'];

/** Builds, unless the sources are the ones that dist/ was built from. */
export async function ensureBuild() {
  const sources = SOURCE_FOLDERS.flatMap((folder) => listFiles(folder)).filter(
    (file) => !file.startsWith('src/setup/'),
  );
  const stamp = fingerprint([...SETTINGS, ...sources]);
  if (existsSync(STAMP) && readFileSync(STAMP, 'utf8') === stamp) return;
  say('building …');
  const isCompiled = (file) => file.endsWith('.ts');
  const assets = sources.filter((file) => !isCompiled(file));
  prune(sources.filter(isCompiled), assets);
  for (const file of assets) {
    mkdirSync(dirname(join(DIST, file)), { recursive: true });
    copyFileSync(join(ROOT, file), join(DIST, file));
  }
  const code = await run(
    process.execPath,
    [join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc'), '-p', 'tsconfig.json'],
    {
      stdio: ['ignore', 2, 2],
    },
  );
  if (code !== 0) throw new SetupError('the build failed (see above)');
  writeFileSync(STAMP, stamp);
}

/** Names, sizes and times of the files in one hash: a file that was added, changed, renamed or removed alters it. */
function fingerprint(files) {
  const hash = createHash('sha256');
  for (const file of files) {
    const { size, mtimeMs } = statSync(join(ROOT, file));
    hash.update(`${file}\0${size}\0${mtimeMs}\n`);
  }
  return hash.digest('hex');
}

/** Removes compiled files and copies whose source is gone: a deleted test must not run on. */
function prune(compiled, assets) {
  const kept = new Set(assets);
  for (const file of compiled) {
    const stem = file.slice(0, -'.ts'.length);
    kept.add(`${stem}.js`).add(`${stem}.js.map`);
  }
  for (const file of SOURCE_FOLDERS.flatMap((folder) => listFiles(folder, DIST))) {
    if (!kept.has(file)) rmSync(join(DIST, file));
  }
}

/** The files below a folder, as sorted paths with forward slashes relative to `base`. */
export function listFiles(folder, base = ROOT) {
  if (!existsSync(join(base, folder))) return [];
  return readdirSync(join(base, folder), { withFileTypes: true })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const path = `${folder}/${entry.name}`;
      if (entry.isDirectory()) return listFiles(path, base);
      return entry.isFile() ? [path] : [];
    });
}

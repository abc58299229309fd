// What every command begins with: the packages and the build, by one process at a time.
import { join } from 'node:path';
import { ensureBuild } from './build.mjs';
import { ensureDependencies } from './dependencies.mjs';
import { whileLocked } from './lock.mjs';
import { ROOT, say } from './shell.mjs';

/** Installs the packages that are missing and builds what changed. */
export function prepare() {
  const body = async () => {
    await ensureDependencies();
    await ensureBuild();
    return 0;
  };
  return whileLocked(join(ROOT, '.data', 'setup.lock'), body, () => say('another set-up runs here; waiting for it …'));
}

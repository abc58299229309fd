// `npm run train`, `replay`, `bench`: the same preparation, then one compiled entry in the foreground.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { prepare } from './prepare.mjs';
import { bringUpRedis } from './redis.mjs';
import { ensureRedisProgram } from './redis-program.mjs';
import { ROOT, run, SetupError } from './shell.mjs';

/** `[--redis | --ensure-redis] ENTRY [ARGUMENT…]`; returns the entry's exit code. */
export async function runEntry(args) {
  const options = args.slice(
    0,
    args.findIndex((arg) => !arg.startsWith('--')),
  );
  const [entry, ...rest] = args.slice(options.length);
  const unknown = options.find((option) => option !== '--redis' && option !== '--ensure-redis');
  if (unknown !== undefined) throw new SetupError(`run does not know the option ${unknown}`);
  if (entry === undefined) throw new SetupError('run needs the compiled file to run, e.g. dist/bench/bench.js');
  await prepare();
  if (!existsSync(join(ROOT, entry))) throw new SetupError(`there is no ${entry} after the build`);
  const env = { ...process.env };
  if (options.includes('--ensure-redis')) env.REDIS_SERVER ??= ensureRedisProgram();
  const redis = options.includes('--redis') ? await bringUpRedis({ onLost() {} }) : undefined;
  if (redis !== undefined) env.REDIS_URL = redis.url;
  try {
    return await run(process.execPath, ['--enable-source-maps', entry, ...rest], { env });
  } finally {
    await redis?.stop();
  }
}

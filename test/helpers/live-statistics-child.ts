import { randomUUID } from 'node:crypto';
import { DEFAULT_STATISTICS } from '../../src/candidates/statistics-settings.js';
import { LiveStatisticsProcess } from '../../src/jobs/live-statistics-process.js';
import { Lease } from '../../src/redis/lease.js';
import { commandsTo, keys, silent } from './streams.js';

/** A worker that counts statistics and nothing else: to be killed. `node live-statistics-child.js URL ARCHIVE`. */
const [, , url, archiveDir] = process.argv;
if (url === undefined || archiveDir === undefined) throw new Error('URL and ARCHIVE are needed.');
const redis = await commandsTo(url);
new LiveStatisticsProcess({
  task: { archiveDir, redisUrl: url, keyPrefix: keys.prefix },
  settings: async () => DEFAULT_STATISTICS, lease: new Lease(redis, keys.lock('statistics'), randomUUID()), log: silent,
}).start();
process.once('disconnect', () => { process.exit(0); });

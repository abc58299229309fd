import { once } from 'node:events';
import { Redis } from 'ioredis';
import { startCampaignWorker } from './campaigns.js';

/**
 * A worker for campaigns that kills itself: `node campaign-child.js URL N`, right before its N-th command to Redis from the
 * first work on (N even) or when that was answered (N odd); N = 0: never. It begins when it is told to, says `ready`, and ends with its parent.
 */
const [, , url, text] = process.argv;
if (url === undefined || text === undefined) throw new Error('URL and N are needed.');
const killAt = Number(text);
let isReady = false;
let count = 0;

// eslint-disable-next-line @typescript-eslint/unbound-method
const send = Redis.prototype.sendCommand;
Redis.prototype.sendCommand = function counted(this: Redis, ...args: Parameters<typeof send>): ReturnType<typeof send> {
  const isCounted = isReady && killAt > 0 && ++count === killAt;
  if (isCounted && killAt % 2 === 0) process.kill(process.pid, 'SIGKILL');
  const answer = send.apply(this, args);
  if (isCounted) void Promise.resolve(answer).finally(() => { process.kill(process.pid, 'SIGKILL'); });
  return answer;
};

process.once('disconnect', () => { process.exit(0); });
await once(process, 'message');
await startCampaignWorker(url, { afterMs: 300, cooldownMs: 0, isHasty: true });
isReady = true;
process.send?.('ready');

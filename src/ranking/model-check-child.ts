import { performance } from 'node:perf_hooks';
import { asAppError } from '../errors.js';
import type { CheckReply, CheckRequest } from './model-check.js';
import { loadModel } from './model.js';

/** The process behind `checkModel`: answers one request, then is killed by whoever asked. */
process.once('message', (request: CheckRequest) => {
  check(request).then(reply, (error: unknown) => {
    const { code, message } = asAppError(error);
    reply({ code, message });
  });
});
process.once('disconnect', () => { process.exit(0); });

async function check({ folder, features, sample }: CheckRequest): Promise<CheckReply> {
  const model = await loadModel(folder, features);
  if (sample === undefined) return { sampleMs: 0 };
  const startedAt = performance.now();
  await model.score(sample.user, sample.items, sample.count);
  return { sampleMs: performance.now() - startedAt };
}

function reply(message: CheckReply): void {
  process.send?.(message);
}

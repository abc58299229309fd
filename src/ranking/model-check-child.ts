import { performance } from 'node:perf_hooks';
import { asAppError } from '../errors.js';
import type { CheckReply, CheckRequest } from './model-check.js';
import { loadModel, type Model } from './model.js';

/** The process behind `ModelProcess`: one request after another, until it is killed or its parent is gone. */
let model: Model | undefined;

process.on('message', (request: CheckRequest) => {
  serve(request).then(reply, (error: unknown) => {
    const { code, message } = asAppError(error);
    reply({ code, message });
  });
});
process.once('disconnect', () => { process.exit(0); });

async function serve(request: CheckRequest): Promise<CheckReply> {
  const startedAt = performance.now();
  if (request.kind === 'load') model = await loadModel(request.folder, request.features);
  else await model!.score(request.sample.user, request.sample.items, request.sample.count);
  return { elapsedMs: performance.now() - startedAt };
}

function reply(message: CheckReply): void {
  process.send?.(message);
}

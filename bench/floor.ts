import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import Fastify from 'fastify';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { readManifest } from '../src/ranking/manifest.js';
import { connectRedis, untilReady } from '../src/redis/client.js';
import { makeKeys } from '../src/redis/keys.js';
import { CANDIDATES } from './sizes.js';

/**
 * The floor, a process of its own: a bare Fastify route that reads one profile from Redis and runs the model once over as
 * many candidates as the engine does, and nothing else. Its client and its session are set up as the engine's; the
 * input tensors are made once.
 * Arguments: address of Redis, folder of the model, key prefix. Tells its parent `{url}`; answers a message with `{cpuSeconds}`.
 */
async function main([redisUrl = '', modelDir = '', prefix = '']: string[]): Promise<void> {
  const redis = connectRedis(redisUrl, 'commands', { timeoutMs: 10_000, name: 'floor' });
  await untilReady(redis, 10_000);
  const keys = makeKeys(prefix);
  const session = await InferenceSession.create(await readFile(join(modelDir, 'model.onnx')), {
    intraOpNumThreads: 1, interOpNumThreads: 1, executionMode: 'sequential', graphOptimizationLevel: 'all', logSeverityLevel: 3,
  });
  const { userFeatures: { length: users }, itemFeatures: { length: columns } } = await readManifest(modelDir);
  const feeds = {
    user: new Tensor('float32', new Float32Array(users).fill(0.5), [1, users]),
    items: new Tensor('float32', new Float32Array(CANDIDATES * columns).fill(0.5), [CANDIDATES, columns]),
  };
  const app = Fastify();
  app.post('/floor', async (request) => {
    const { userId } = request.body as { userId: string };
    const profile = await redis.getBuffer(keys.profile(`u:${userId}`));
    const { score } = await session.run(feeds);
    return { profileBytes: profile?.length ?? 0, score: (score!.data as Float32Array)[0] };
  });
  const url = await app.listen({ host: '127.0.0.1', port: 0 });
  process.on('message', () => {
    const { user, system } = process.cpuUsage();
    process.send?.({ cpuSeconds: (user + system) / 1e6 });
  });
  process.on('disconnect', () => { process.exit(0); });
  process.send?.({ url });
}

main(process.argv.slice(2)).catch((error: unknown) => {
  process.stderr.write(`${String(error instanceof Error ? error.stack : error)}\n`);
  process.exit(1);
});

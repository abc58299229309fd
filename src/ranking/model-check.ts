import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { AppError, type ErrorCode } from '../errors.js';
import type { FeatureNames } from './model.js';

export const MODEL_CHECK_LIMITS = {
  /** Start of the process, load, golden cases, warm-up and sample together, ms. */
  timeoutMs: 10_000,
} as const;

/** Real features to try a model on. */
export interface ModelSample {
  readonly user: Float32Array;
  readonly items: Float32Array;
  readonly count: number;
}

export interface CheckRequest {
  readonly folder: string;
  readonly features: FeatureNames;
  readonly sample: ModelSample | undefined;
}
export type CheckReply = { readonly sampleMs: number } | { readonly code: ErrorCode; readonly message: string };

/**
 * Loads a model in a process of its own, where one that stalls or crashes harms nobody and can be killed.
 * @returns the time its run of the sample took, ms; 0 without a sample
 * @throws AppError `model_refused`
 */
export async function checkModel(request: CheckRequest, timeoutMs: number = MODEL_CHECK_LIMITS.timeoutMs): Promise<number> {
  const path = fileURLToPath(new URL('./model-check-child.js', import.meta.url));
  const child = fork(path, [], { serialization: 'advanced', stdio: ['ignore', 'ignore', 'inherit', 'ipc'], execArgv: [] });
  const refuse = (why: string, cause?: unknown): AppError => new AppError('model_refused', `Model refused: ${request.folder}: ${why}.`, { cause });
  try {
    const reply = await new Promise<CheckReply>((resolve, reject) => {
      const timer = setTimeout(() => { reject(refuse(`its check did not end within ${timeoutMs} ms`)); }, timeoutMs);
      child.once('message', (message) => { resolve(message as CheckReply); });
      child.once('error', (error) => { reject(refuse('its check could not be started', error)); });
      child.once('exit', (code, signal) => { reject(refuse(`its check ended with ${signal ?? `exit code ${code}`}`)); });
      child.once('close', () => { clearTimeout(timer); });
      child.send(request, (error) => { if (error !== null) reject(refuse('its check could not be asked', error)); });
    });
    if ('code' in reply) throw new AppError(reply.code, reply.message);
    return reply.sampleMs;
  } finally {
    child.kill('SIGKILL');
  }
}

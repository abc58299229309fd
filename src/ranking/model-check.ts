import { fork, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { AppError, type ErrorCode } from '../errors.js';
import type { FeatureNames } from './model.js';

export const MODEL_CHECK_LIMITS = {
  /** Start of the process, load, golden cases and warm-up together, ms. */
  loadMs: 10_000,
} as const;

/** Real features to try a model on. */
export interface ModelSample {
  readonly user: Float32Array;
  readonly items: Float32Array;
  readonly count: number;
}

export type CheckRequest =
  | { readonly kind: 'load'; readonly folder: string; readonly features: FeatureNames }
  | { readonly kind: 'score'; readonly sample: ModelSample };
/** Time the request took, ms, or why it failed. */
export type CheckReply = { readonly elapsedMs: number } | { readonly code: ErrorCode; readonly message: string };

/** A model in a process of its own, where one that stalls or crashes harms nobody and can be killed. */
export class ModelProcess {
  readonly #folder: string;
  readonly #child: ChildProcess;

  constructor(folder: string) {
    this.#folder = folder;
    const path = fileURLToPath(new URL('./model-check-child.js', import.meta.url));
    this.#child = fork(path, [], { serialization: 'advanced', stdio: ['ignore', 'ignore', 'inherit', 'ipc'], execArgv: [] });
    // What goes wrong shows in `#ask`; without a listener it would end this process.
    this.#child.on('error', () => { /* see above */ });
    this.#child.unref();
    this.#child.channel?.unref();
  }

  /** @throws AppError `model_refused` */
  async load(features: FeatureNames, timeoutMs: number = MODEL_CHECK_LIMITS.loadMs): Promise<void> {
    await this.#ask({ kind: 'load', folder: this.#folder, features }, timeoutMs);
  }

  /** @returns how long the run took, ms */
  score(sample: ModelSample, timeoutMs: number): Promise<number> {
    return this.#ask({ kind: 'score', sample }, timeoutMs);
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  async #ask(request: CheckRequest, timeoutMs: number): Promise<number> {
    const child = this.#child;
    const settled = new AbortController();
    try {
      const reply = await new Promise<CheckReply>((resolve, reject) => {
        const refuse = (why: string, cause?: unknown): void => {
          reject(new AppError('model_refused', `Model refused: ${this.#folder}: its trial (${request.kind}) ${why}.`, { cause }));
        };
        const onMessage = (message: unknown): void => { resolve(message as CheckReply); };
        const onError = (error: Error): void => { refuse('could not be made', error); };
        const onExit = (code: number | null, signal: string | null): void => { refuse(`ended with ${signal ?? `exit code ${code}`}`); };
        const timer = setTimeout(() => { refuse(`took longer than ${timeoutMs} ms`); }, timeoutMs);
        child.on('message', onMessage).on('error', onError).on('exit', onExit);
        settled.signal.addEventListener('abort', () => {
          clearTimeout(timer);
          child.off('message', onMessage).off('error', onError).off('exit', onExit);
        });
        if (child.connected) child.send(request, (error) => { if (error !== null) onError(error); });
        else refuse('found its process gone');
      });
      if ('code' in reply) throw new AppError(reply.code, reply.message);
      return reply.elapsedMs;
    } finally {
      settled.abort();
    }
  }
}

/**
 * Proves a model without touching this process.
 * @throws AppError `model_refused`
 */
export async function checkModel(folder: string, features: FeatureNames): Promise<void> {
  const trial = new ModelProcess(folder);
  try {
    await trial.load(features);
  } finally {
    trial.kill();
  }
}

import { InferenceSession, type Tensor } from 'onnxruntime-node';
import { refused } from './manifest.js';

/** One thread and no pool: at 200 rows a second thread gains nothing and spins a core. */
const OPTIONS: InferenceSession.SessionOptions = {
  intraOpNumThreads: 1, interOpNumThreads: 1, executionMode: 'sequential', graphOptimizationLevel: 'all',
  logSeverityLevel: 3,
};

/** A graph that onnxruntime runs, and that is freed only once its last run has ended. */
export class Session {
  readonly #session: InferenceSession;
  #running = 0;
  #idle: (() => void) | undefined;

  private constructor(session: InferenceSession) {
    this.#session = session;
  }

  /**
   * @param where file the graph was read from
   * @param isTrial it may well not fit: that is no error to be written to the log
   * @throws AppError `model_refused`
   */
  static async open(where: string, onnx: Uint8Array, isTrial = false): Promise<Session> {
    try {
      return new Session(await InferenceSession.create(onnx, isTrial ? { ...OPTIONS, logSeverityLevel: 4 } : OPTIONS));
    } catch (error) {
      throw refused(where, 'an ONNX model onnxruntime can load', firstLine(error), error);
    }
  }

  get inputNames(): readonly string[] {
    return this.#session.inputNames;
  }

  /** Inputs like `items float32[N,28]`, sorted; any length known only at run time reads as N. */
  get inputs(): string[] {
    return this.#session.inputMetadata.map(describe).sort();
  }

  get outputs(): string[] {
    return this.#session.outputMetadata.map(describe);
  }

  /** @returns the numbers of one output */
  async run(feeds: Readonly<Record<string, Tensor>>, output: string): Promise<Float32Array> {
    this.#running += 1;
    try {
      const outputs = await this.#session.run(feeds);
      return outputs[output]!.data as Float32Array;
    } finally {
      this.#running -= 1;
      if (this.#running === 0) this.#idle?.();
    }
  }

  /** Frees the native session once the runs under way have ended; it must not be used afterwards. */
  async retire(): Promise<void> {
    if (this.#running > 0) await new Promise<void>((resolve) => { this.#idle = resolve; });
    await this.#session.release();
  }
}

function describe(value: InferenceSession.ValueMetadata): string {
  if (!value.isTensor) return `${value.name} (not a tensor)`;
  return `${value.name} ${value.type}[${value.shape.map((length) => (typeof length === 'string' ? 'N' : length)).join()}]`;
}

export const firstLine = (error: unknown): string => (error instanceof Error ? error.message : String(error)).split('\n', 1)[0]!;

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { OnProgress } from '../progress.js';
import { trainModel, type TrainedModel } from '../pipeline.js';
import type { Split, Task } from '../task.js';
import { readTask } from './datasets/read-task.js';
import { judgeBaselines } from './judge-baselines.js';
import { Judge, type Judgement } from './judge.js';
import { methodReport, SERVED, type EvaluationReport, type MethodReport } from './report.js';
import { serve, type Served } from './serve.js';
import { judgeSources } from './sources.js';
import { viewsOf, type View } from './views.js';

export interface EvaluateOptions {
  /** Folder of tables. */
  readonly dataset: string;
  /** Where the model is kept; a temporary folder when not given. */
  readonly model?: string | undefined;
  readonly seed: number;
  /** Whether to serve also with statistics that have seen the validation event, as a live store would. */
  readonly refit: boolean;
  readonly onProgress: OnProgress;
  /** Told of lines that are no record. */
  readonly onSkipped: (file: string, line: number, why: string) => void;
}

/** A folder of tables → a model trained from scratch on what its protocol allows → its answers to the test, judged. */
export async function evaluate(options: EvaluateOptions): Promise<EvaluationReport> {
  const { seed, onProgress } = options;
  const startedAt = performance.now();
  let skippedLines = 0;
  const task = await readTask(options.dataset, { onSkipped: (...what) => {
    skippedLines += 1;
    options.onSkipped(...what);
  } });
  const folder = options.model ?? await mkdtemp(join(tmpdir(), 'rivulet-model-'));
  try {
    const trained = await trainModel(task, { out: folder, seed, clock: Date.now, onProgress });
    const trainSeconds = secondsSince(startedAt);
    const measured = await new Evaluation(task, trained, seed, onProgress).run(options.refit);
    return {
      dataset: task.name, protocol: task.protocol, seed, model: `${trained.manifest.name}@${trained.manifest.version}`,
      data: {
        items: task.items.length, shoppers: task.interactions.shoppers, events: task.interactions.item.length,
        questions: task.test.questions.length, skippedLines,
      },
      ...measured, trainSeconds,
      peakRssBytes: process.resourceUsage().maxRSS * 1024, seconds: secondsSince(startedAt),
    };
  } finally {
    if (options.model === undefined) await rm(folder, { recursive: true, force: true });
  }
}

type Measured = Pick<EvaluationReport, 'metrics' | 'baselines' | 'methods' | 'sources' | 'calibration' | 'segments' | 'latency'>;

/** Serves the test's questions in all variants and judges the answers beside the baselines'. */
class Evaluation {
  readonly #judge: Judge;
  readonly #views: readonly View[];

  constructor(readonly task: Task, readonly trained: TrainedModel, readonly seed: number, readonly onProgress: OnProgress) {
    this.#judge = new Judge(task, task.test, seed);
    this.#views = viewsOf(task, task.test);
  }

  async run(refit: boolean): Promise<Measured> {
    const { task, seed } = this;
    const served = await this.#serve(SERVED, task.test, true);
    const methods: Record<string, MethodReport> = { [SERVED]: served.report };
    methods['without exploration'] = (await this.#serve('no exploration', task.test, false)).report;
    if (refit && task.protocol === 'leave-one-out') {
      const known = Uint32Array.from(task.test.known, (count, shopper) => Math.min(count + 1, historyLimit(task, shopper)));
      methods['refit with validation event'] = (await this.#serve('refit', { ...task.test, known }, true)).report;
    }
    const sources = await judgeSources({ store: this.trained.store, split: task.test, judge: this.#judge, seed });
    const names: string[] = [];
    for (const { name, seconds, judgements } of judgeBaselines({ task, split: task.test, views: this.#views, judge: this.#judge, seed })) {
      methods[name] = methodReport(this.#views, judgements, seconds);
      names.push(name);
      this.onProgress({ stage: 'baselines', done: names.length, total: names.length, note: name });
    }
    const { judgement: { segments }, first: { calibration, latency } } = served;
    return {
      metrics: served.report.metrics, baselines: Object.fromEntries(names.map((name) => [name, methods[name]!.metrics])),
      methods, sources, calibration, segments, latency,
    };
  }

  async #serve(stage: string, split: Split, explore: boolean): Promise<{ report: MethodReport; judgement: Judgement; first: Served }> {
    const startedAt = performance.now();
    const total = this.#views.reduce((sum, { questions }) => sum + questions.length, 0);
    let done = 0;
    const served: Served[] = [];
    const judgements: Judgement[] = [];
    for (const asked of this.#views) {
      const answered = await serve({
        store: this.trained.store, known: split.known, folder: this.trained.folder, seed: this.seed, explore,
        onQuestion: () => { this.onProgress({ stage, done: ++done, total, note: '' }); },
      }, asked);
      served.push(answered);
      judgements.push(this.#judge.judge(asked.questions, answered.answers));
    }
    return { report: methodReport(this.#views, judgements, secondsSince(startedAt)), judgement: judgements[0]!, first: served[0]! };
  }
}

/** Events of a shopper before the one that is asked for. */
const historyLimit = ({ interactions: { offsets } }: Task, shopper: number): number => Math.max(0, offsets[shopper + 1]! - offsets[shopper]! - 1);

const secondsSince = (startedAt: number): number => (performance.now() - startedAt) / 1000;

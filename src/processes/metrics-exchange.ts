import type { ChildProcess } from 'node:child_process';
import { LATE, within } from '../util/deadline.js';
import type { FromPrimary, MetricsJson, ToPrimary } from './messages.js';

const EXCHANGE_LIMITS = {
  /** A process that does not answer within this is left out, ms. */
  readMs: 1000,
} as const;

/** In the primary: any process may ask for the metrics of all. */
export class MetricsExchange {
  readonly #processes = new Set<ChildProcess>();
  readonly #waiting = new Map<number, (metrics: MetricsJson) => void>();
  #ids = 0;

  join(child: ChildProcess): void {
    this.#processes.add(child);
    child.once('exit', () => { this.#processes.delete(child); });
    child.on('message', (message: ToPrimary) => {
      if (message.type === 'ask_metrics') void this.#answer(child, message.id);
      else if (message.type === 'metrics') this.#waiting.get(message.id)?.(message.metrics);
    });
  }

  async #answer(asker: ChildProcess, id: number): Promise<void> {
    const answers = await Promise.all([...this.#processes].map((child) => this.#read(child)));
    tell(asker, { type: 'all_metrics', id, metrics: answers.filter((one) => one !== LATE) });
  }

  async #read(child: ChildProcess): Promise<MetricsJson | typeof LATE> {
    const id = this.#ids++;
    const answer = within(new Promise<MetricsJson>((resolve) => { this.#waiting.set(id, resolve); }), EXCHANGE_LIMITS.readMs);
    tell(child, { type: 'read_metrics', id });
    const metrics = await answer;
    this.#waiting.delete(id);
    return metrics;
  }
}

function tell(child: ChildProcess, message: FromPrimary): void {
  if (child.connected) child.send(message, () => { /* it is gone: nobody waits */ });
}

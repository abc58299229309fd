import type { Registry } from 'prom-client';
import { LATE, within } from '../util/deadline.js';
import type { FromPrimary, MetricsJson, ToPrimary } from './messages.js';

const LINK_LIMITS = {
  /** Time to gather the metrics of all processes, ms; longer than the primary gives each. */
  metricsMs: 2000,
} as const;

/** A process's end of the line to the one that started it. */
export class PrimaryLink {
  readonly #waiting = new Map<number, (metrics: readonly MetricsJson[]) => void>();
  #registry: Registry | undefined;
  #ids = 0;

  /** @param onRetire another process has taken this one's place */
  constructor(onRetire: () => void) {
    process.on('message', (message: FromPrimary) => {
      if (message.type === 'retire') onRetire();
      else if (message.type === 'read_metrics') void this.#answer(message.id);
      else this.#waiting.get(message.id)?.(message.metrics);
    });
  }

  ready(url?: string): void {
    tell({ type: 'ready', ...(url === undefined ? {} : { url }) });
  }

  /** Lets others read what this process counts. */
  share(registry: Registry): void {
    this.#registry = registry;
  }

  /** What all processes count, each by itself; those that do not answer in time are left out. */
  async metricsOfAll(): Promise<readonly MetricsJson[]> {
    const id = this.#ids++;
    const answer = within(new Promise<readonly MetricsJson[]>((resolve) => { this.#waiting.set(id, resolve); }), LINK_LIMITS.metricsMs);
    tell({ type: 'ask_metrics', id });
    const metrics = await answer;
    this.#waiting.delete(id);
    return metrics === LATE ? [] : metrics;
  }

  async #answer(id: number): Promise<void> {
    const metrics = await this.#registry?.getMetricsAsJSON() ?? [];
    tell({ type: 'metrics', id, metrics });
  }
}

function tell(message: ToPrimary): void {
  if (process.connected) process.send?.(message, undefined, undefined, () => { /* the primary is gone, and so are we soon */ });
}

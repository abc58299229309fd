import { openLog } from './log.js';
import { Sender, type SendReport } from './sender.js';

export interface ReplayOptions {
  readonly path: string;
  readonly url: string;
  readonly apiKey?: string | undefined;
  readonly concurrency: number;
  /** Events at most. */
  readonly limit?: number | undefined;
  readonly onProgress?: (progress: ReplayProgress) => void;
}

export interface ReplayProgress {
  readonly bytesRead: number;
  readonly bytes: number;
  readonly sent: number;
}

export interface ReplayReport extends SendReport {
  readonly items: number;
  readonly events: number;
  /** Lines that are no event. */
  readonly skipped: number;
  /** Of the events alone, without the items before them. */
  readonly seconds: number;
}

/** Streams a log into a running engine: its items first, then its events. */
export async function runReplay({ path, url, apiKey, concurrency, limit = Infinity, onProgress }: ReplayOptions): Promise<ReplayReport> {
  const log = await openLog(path);
  let bytesRead = 0;
  let sent = 0;
  let skipped = 0;
  let events = 0;
  const tell = (): void => onProgress?.({ bytesRead, bytes: log.bytes, sent });
  const sender = new Sender({ url: url.replace(/\/$/u, ''), apiKey, concurrency, onSent: (count) => {
    sent += count;
    tell();
  } });
  const items = await log.items();
  await sender.putItems(items);
  const startedAt = performance.now();
  const listener = {
    onBytes: (count: number) => { bytesRead += count; },
    onSkipped: () => { skipped += 1; },
  };
  for await (const event of log.events(listener)) {
    if (events === limit) break;
    events += 1;
    await sender.push(event);
  }
  await sender.finish();
  return { ...sender.report, items: items.length, events, skipped, seconds: (performance.now() - startedAt) / 1000 };
}

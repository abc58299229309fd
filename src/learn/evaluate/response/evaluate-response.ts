import { basename, resolve } from 'node:path';
import type { OnProgress } from '../../progress.js';
import { COMPLETE_JOURNEY, HILLSTROM, pathsOf } from '../datasets/response-sets.js';
import type { TableListener } from '../datasets/table.js';
import { tablesOf } from '../datasets/tables.js';
import { judgeCampaigns } from './campaigns.js';
import { judgeMailing } from './mailing.js';
import type { ResponseReport } from './report.js';

export interface EvaluateResponseOptions extends TableListener {
  readonly dataset: string;
  readonly seed: number;
  readonly onProgress: OnProgress;
}

/**
 * Judges the response model on a folder of tables about who responded to what.
 * @returns undefined for a folder of another kind
 * @throws AppError `invalid_request`
 */
export async function evaluateResponse({ dataset, seed, onProgress, onSkipped }: EvaluateResponseOptions): Promise<ResponseReport | undefined> {
  const startedAt = performance.now();
  const tables = await tablesOf(dataset, 'CSV tables');
  const options = { name: basename(resolve(dataset)), seed, onProgress };
  const campaigns = pathsOf(COMPLETE_JOURNEY, tables);
  const mailing = pathsOf(HILLSTROM, tables);
  if (campaigns === undefined && mailing === undefined) return undefined;
  const judged = campaigns !== undefined ? await judgeCampaigns(campaigns, { onSkipped }, options) : await judgeMailing(mailing!.customers, { onSkipped }, options);
  return { ...judged, peakRssBytes: process.resourceUsage().maxRSS * 1024, seconds: (performance.now() - startedAt) / 1000 };
}

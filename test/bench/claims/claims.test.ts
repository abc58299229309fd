import t from 'tap';
import { runCampaign } from '../../../bench/claims/campaign.js';
import { planOf } from '../../../bench/claims/fault-plan.js';
import { runMillion } from '../../../bench/claims/million.js';
import type { FaultResult } from '../../../bench/claims/fault-run.js';

/** The short form of `npm run bench:claims`: the promises of claims, on the compiled engine and a real Redis. */

const SILENT = (): void => { /* Nothing to say. */ };
const found = ({ violations }: FaultResult): readonly string[] => violations.map(({ rule, what }) => `${rule}: ${what}`);

await t.test('a seed is a plan', async (t) => {
  t.same(planOf(7, 2), planOf(7, 2));
  t.not(planOf(7, 2).beginsMs, planOf(17, 2).beginsMs);
  t.equal(new Set(Array.from({ length: 10 }, (_, seed) => planOf(seed, 2).fault)).size, 10, 'ten in a row have each fault once');
});

await t.test('64 clients over two processes use up offers: none too many, none twice, none lost', { timeout: 200_000 }, async (t) => {
  const { counts, violations } = await runMillion({ claims: 1000, clients: 64, offersPerSegment: 4, offerCount: 300 }, 1, SILENT);
  t.same(violations, []);
  t.ok(counts.made >= 1000, `${counts.made} claims`);
  t.equal(counts.unresolved, 0, 'whoever asked again was told');
  for (const reason of ['offer_exhausted', 'cap_reached', 'key_reused']) t.ok((counts.refused[reason] ?? 0) > 0, reason);
});

await t.test('faults: Redis killed, replies lost, connections cut, a replica promoted', { timeout: 300_000 }, async (t) => {
  for (const result of await runCampaign([2, 5, 7, 9])) {
    t.same(found(result), [], `seed ${result.plan.seed}: ${result.plan.fault}`);
    t.ok(result.counts.made > 0 && result.counts.unknown > 0, `${result.counts.made} claims, ${result.counts.unknown} answers without certainty`);
  }
});

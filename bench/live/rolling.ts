import { pause } from '../../src/util/pause.js';
import { until } from '../../test/helpers/streams.js';
import { Audience, type Ladder } from './audience.js';
import { spreadOf, wavesOf } from './reconnects.js';
import { scenario, type Outcome, type Tools } from './scenario.js';

const SIZE = { viewers: 2000, apis: 2, items: 2000, histories: 2000, letterRate: 100, ladders: 3 };
type Size = typeof SIZE;

const ROLLING = {
  /** The whole restart takes less than this, ms. */
  restartMs: 180_000,
  /** Between two ladders, ms. */
  ladderEveryMs: 3000,
  /** While nobody comes back for so long the next process has not begun to leave, ms. */
  quietMs: 1000,
  /** Close code of a process that leaves. */
  leaving: 1012,
  peakByMeanMax: 2,
} as const;

export const rolling = scenario('a rolling restart of all processes while ladders are played', SIZE, async (size: Size, tools: Tools): Promise<Outcome> => {
  const audience = await Audience.gather(size, tools);
  try {
    const ladders: Ladder[] = [];
    for (let index = 0; index < size.ladders; index++) ladders.push(await audience.prepareLadder(`ladder${index}`));
    const { engine, apiPids: before } = audience.fleet;
    engine.proc.kill('SIGUSR2');
    tools.say(`replacing ${before.length} processes`);
    const restarted = until('all processes are new', () => /"msg":"restarted"/u.test(engine.output()), ROLLING.restartMs);
    for (const ladder of ladders) {
      await audience.playLadder(ladder);
      await pause(ROLLING.ladderEveryMs);
    }
    await restarted;
    const { broken, counts } = await audience.settle(ladders);
    const after = audience.fleet.apiPids;
    if (after.length !== size.apis || after.some((pid) => before.includes(pid))) broken.push(`of the processes ${before.join(', ')} there are now ${after.join(', ')}`);
    const awry = audience.absences.filter(({ code }) => code !== ROLLING.leaving).map(({ code }) => code);
    if (awry.length > 0) broken.push(`${awry.length} sockets were closed with another code than ${ROLLING.leaving}: ${[...new Set(awry)].join(', ')}`);
    // The engine is to spread connections: how soon each is served then is up to a machine that starts processes and plays ladders beside it.
    const waves = wavesOf(audience.tries, ROLLING.quietMs).map(spreadOf);
    const whole = spreadOf(audience.tries);
    const served = wavesOf(audience.absences.map(({ backAt }) => backAt).toSorted((a, b) => a - b), ROLLING.quietMs).map(spreadOf);
    const awayMsMax = audience.absences.reduce((most, { leftAt, backAt }) => Math.max(most, backAt - leftAt), 0);
    const steep = waves.filter(({ peakByMean }) => peakByMean > ROLLING.peakByMeanMax);
    return {
      measured: { waves, whole, served, awayMsMax, cues: audience.host.cueIds.length, ladders: counts },
      rows: [
        ['reconnects', 'count', 'in s', 'peak ÷ mean'],
        ...Object.entries({ connecting: waves, served, [`all connecting, longest away ${(awayMsMax / 1000).toFixed(2)} s`]: [whole] }).flatMap(([what, spreads]) =>
          spreads.map(({ count, seconds, peakByMean }, index) => [spreads.length > 1 ? `${what}, wave ${index + 1}` : what, String(count), seconds.toFixed(1), peakByMean.toFixed(2)])),
      ],
      broken,
      missed: steep.map(({ peakByMean }) => `reconnects: peak ${peakByMean.toFixed(2)} × the mean, of ${ROLLING.peakByMeanMax}`),
    };
  } finally {
    await audience.end();
  }
});

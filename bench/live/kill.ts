import { Audience } from './audience.js';
import { scenario, type Outcome, type Tools } from './scenario.js';

const SIZE = { viewers: 2000, apis: 2, items: 2000, histories: 2000, letterRate: 100 };
type Size = typeof SIZE;

const KILL = {
  /** One in so many viewers has an offer of the ladder when the process dies. */
  servedShare: 10,
  /** All are back within this, ms. */
  backMs: 10_000,
} as const;

export const kill = scenario('kill -9 of an api process while a ladder is played', SIZE, async (size: Size, tools: Tools): Promise<Outcome> => {
  const audience = await Audience.gather(size, tools);
  try {
    const ladder = await audience.prepareLadder('ladder');
    const [victim = 0] = audience.fleet.apiPids;
    await audience.playLadder(ladder, size.viewers / KILL.servedShare);
    const [killedAt, served] = [performance.now(), ladder.served.length];
    process.kill(victim, 'SIGKILL');
    tools.say(`killed one of ${size.apis} processes when ${served} viewers had an offer`);
    const { broken, counts: [counts] } = await audience.settle([ladder]);
    const back = audience.absences.filter(({ leftAt }) => leftAt >= killedAt).map(({ backAt }) => backAt - killedAt).toSorted((a, b) => a - b);
    const [half = NaN, last = NaN] = [back[Math.floor(back.length / 2)], back.at(-1)];
    if (back.length === 0) broken.push('nobody was cut off');
    const { recovered } = audience.swarm.resumes;
    const cues = audience.host.cueIds.length;
    return {
      measured: { served, cut: back.length, backMs: { half, last }, recovered, cues, ladder: counts },
      rows: [
        ['viewers', 'served before', 'cut off', 'half back, s', 'all back, s', 'channels resumed', 'cues', 'claimed', 'default'],
        [size.viewers, served, back.length, (half / 1000).toFixed(2), (last / 1000).toFixed(2), recovered, cues, counts?.claimed, counts?.byDefault].map(String),
      ],
      broken,
      missed: last > KILL.backMs ? [`all back after ${Math.round(last)} ms, of ${KILL.backMs}`] : [],
    };
  } finally {
    await audience.end();
  }
});

import { seededRandom } from '../../src/util/random.js';
import { until } from '../../test/helpers/streams.js';
import { Audience, type Ladder } from './audience.js';
import { scenario, type Outcome, type Tools } from './scenario.js';

const SIZE = { viewers: 2000, apis: 2, items: 2000, histories: 2000, letterRate: 100, rounds: 3 };
type Size = typeof SIZE;

const KILL = {
  /** All are back within this, ms. */
  backMs: 10_000,
  /** A dead process has been replaced by then, or never, ms. */
  replacedMs: 60_000,
} as const;

/** What a kill came to. Times are ms from it. */
interface Round {
  /** Viewers who had an offer of the ladder. */
  readonly served: number;
  readonly cut: number;
  /** Connections that they began until all were back. */
  readonly tries: number;
  readonly halfBackMs: number;
  readonly allBackMs: number;
}

export const kill = scenario('kill -9 of an api process while a ladder is played', SIZE, async (size: Size, tools: Tools): Promise<Outcome> => {
  const audience = await Audience.gather(size, tools);
  try {
    const random = seededRandom(tools.seed);
    const ladders: Ladder[] = [];
    for (let index = 0; index < size.rounds; index++) ladders.push(await audience.prepareLadder(`ladder${index}`));
    const rounds: Round[] = [];
    for (const ladder of ladders) {
      await until('all processes are there', async () => await audience.readyProcesses() === size.apis, KILL.replacedMs);
      rounds.push(await killOne(audience, ladder, Math.ceil(random() * size.viewers / 2)));
      tools.say(`killed one of ${size.apis} processes: ${JSON.stringify(rounds.at(-1))}`);
    }
    const { broken, counts } = await audience.settle(ladders);
    if (rounds.some(({ cut }) => cut === 0)) broken.push('nobody was cut off');
    const late = rounds.filter(({ allBackMs }) => allBackMs > KILL.backMs);
    return {
      measured: { rounds, resumed: audience.swarm.resumes.recovered, cues: audience.host.cueIds.length, ladders: counts },
      rows: [
        ['kill', 'had an offer', 'cut off', 'tries', 'half back, s', 'all back, s', 'claimed', 'default', 'sold out'],
        ...rounds.map(({ served, cut, tries, halfBackMs, allBackMs }, index) => [
          index + 1, served, cut, tries, (halfBackMs / 1000).toFixed(2), (allBackMs / 1000).toFixed(2), counts[index]?.claimed, counts[index]?.byDefault, counts[index]?.soldOut,
        ].map(String)),
      ],
      broken,
      missed: late.map(({ allBackMs }) => `all back after ${Math.round(allBackMs)} ms, of ${KILL.backMs}`),
    };
  } finally {
    await audience.end();
  }
});

/** Kills the oldest process, which has the most viewers, when so many have their offer, and waits for all to be back. */
async function killOne(audience: Audience, ladder: Ladder, untilServed: number): Promise<Round> {
  const [victim = 0] = audience.fleet.apiPids;
  await audience.playLadder(ladder, untilServed);
  const [killedAt, served] = [performance.now(), ladder.has.size];
  process.kill(victim, 'SIGKILL');
  await audience.untilAllServed(ladder);
  const back = audience.absences.filter(({ leftAt }) => leftAt >= killedAt).map(({ backAt }) => backAt - killedAt).toSorted((a, b) => a - b);
  return { served, cut: back.length, tries: audience.tries.filter((at) => at >= killedAt).length, halfBackMs: back[Math.floor(back.length / 2)] ?? 0, allBackMs: back.at(-1) ?? 0 };
}

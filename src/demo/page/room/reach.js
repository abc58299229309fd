import { $, h, readable, svg } from '../dom.js';

const SHOWN_MAX = 4;
const [WIDTH, HEIGHT, LEFT] = [320, 130, 34];
/** The curve of a cue begins with it and is shown for at least so long, ms. */
const SPAN_MS_MIN = 2000;

/** Of each of the latest cues: how many viewers had it, by the time since it was given. */
export function drawReach(cues) {
  const shown = cues.filter(({ reach }) => reach.reached > 0).slice(-SHOWN_MAX).toReversed();
  if (shown.length === 0) return;
  const span = Math.max(SPAN_MS_MIN, ...shown.map(({ reach }) => reach.buckets.at(-1)?.ms ?? 0));
  const most = Math.max(1, ...shown.map(({ reach }) => reach.reached));
  const x = (ms) => LEFT + (ms / span) * (WIDTH - LEFT - 4);
  const y = (count) => HEIGHT - 18 - (count / most) * (HEIGHT - 30);
  $('#reach').replaceChildren(
    svg('svg', { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: 'chart', role: 'img', 'aria-label': 'Viewers reached over time, by cue' },
      svg('line', { x1: LEFT, x2: WIDTH - 4, y1: HEIGHT - 18, y2: HEIGHT - 18, class: 'axis' }),
      svg('text', { x: 0, y: y(most) + 4 }, String(most)), svg('text', { x: 0, y: y(0) }, '0'),
      svg('text', { x: LEFT, y: HEIGHT - 4 }, '0'), svg('text', { x: WIDTH - 4, y: HEIGHT - 4, 'text-anchor': 'end' }, `${(span / 1000).toFixed(1)} s`),
      ...shown.map(({ reach }, i) => svg('polyline', { class: `n${i}`, points: curve(reach, span).map(([ms, count]) => `${x(ms).toFixed(1)},${y(count).toFixed(1)}`).join(' ') }))),
    h('ul', { class: 'legend' }, ...shown.map(({ cue, reach }, i) => h('li', { class: `n${i}`, data: { reachOf: cue.number } },
      h('span', {}, `${cue.number}. ${readable(cue.kind)}`), h('b', {}, String(reach.reached)),
      reach.default > 0 && h('span', {}, `${reach.default} default`), reach.soldOut > 0 && h('span', {}, `${reach.soldOut} too late`)))));
}

/** Steps of the running total. */
function curve({ buckets }, span) {
  const points = [[0, 0]];
  let total = 0;
  for (const { ms, count } of buckets) {
    points.push([ms, total], [ms, total += count]);
  }
  points.push([span, total]);
  return points;
}

/** Small SVG charts as text: no library, no script. Colours are classes, so that a style sheet can follow light and dark. */

export interface Bar {
  readonly label: string;
  readonly value: number;
  readonly interval?: readonly [number, number] | undefined;
  readonly isOurs: boolean;
}

const WIDTH = 640;
const ROW = 26;
const LABEL = 190;
const VALUE = 60;

/** Horizontal bars with whiskers for the intervals. */
export function barChart(title: string, bars: readonly Bar[]): string {
  const most = Math.max(1e-9, ...bars.map(({ value, interval }) => Math.max(value, interval?.[1] ?? 0)));
  const x = (value: number): number => LABEL + value / most * (WIDTH - LABEL - VALUE);
  const rows = bars.map(({ label, value, interval, isOurs }, i) => {
    const y = i * ROW + 4;
    const middle = y + (ROW - 8) / 2;
    const whisker = interval === undefined ? '' : `<path class="whisker" d="M${px(x(interval[0]))} ${middle}H${px(x(interval[1]))}"/>`;
    return `<text x="${LABEL - 8}" y="${middle}" class="label">${escape(label)}</text>`
      + `<rect class="${isOurs ? 'ours' : 'theirs'}" x="${LABEL}" y="${y}" width="${px(x(value) - LABEL)}" height="${ROW - 8}" rx="2"/>${whisker}`
      + `<text x="${px(x(Math.max(value, interval?.[1] ?? 0)) + 8)}" y="${middle}" class="value">${number(value)}</text>`;
  });
  return figure(title, WIDTH, bars.length * ROW, rows.join(''));
}

export interface Line {
  readonly label: string;
  readonly points: readonly (readonly [x: number, y: number])[];
  readonly isOurs: boolean;
}

interface LineChartOptions {
  readonly title: string;
  readonly xLabel: string;
  readonly lines: readonly Line[];
  /** Marks on the x axis; they are placed evenly. */
  readonly ticks: readonly number[];
  /** Whether to draw y = x, which a well calibrated score follows. */
  readonly diagonal?: boolean;
}

const PLOT = { left: 56, right: 150, top: 12, bottom: 40, height: 300 } as const;

/** Lines over evenly placed ticks, each with its name at its end. */
export function lineChart({ title, xLabel, lines, ticks, diagonal = false }: LineChartOptions): string {
  const width = WIDTH - PLOT.left - PLOT.right;
  const height = PLOT.height - PLOT.top - PLOT.bottom;
  const most = diagonal ? 1 : Math.max(1e-9, ...lines.flatMap(({ points }) => points.map(([, y]) => y)));
  const x = (value: number): number => PLOT.left + place(value, ticks) * width;
  const y = (value: number): number => PLOT.top + (1 - value / most) * height;
  const grid = [0, 0.25, 0.5, 0.75, 1].map((part) =>
    `<path class="grid" d="M${PLOT.left} ${px(y(part * most))}h${width}"/><text class="value end" x="${PLOT.left - 6}" y="${px(y(part * most))}">${number(part * most)}</text>`);
  const marks = ticks.map((tick) => `<text class="value middle" x="${px(x(tick))}" y="${PLOT.top + height + 16}">${tick}</text>`);
  const drawn = lines.map(({ points, isOurs }, i) =>
    `<path class="line ${isOurs ? 'ours' : `series${i % 6}`}" d="M${points.map(([at, value]) => `${px(x(at))} ${px(y(value))}`).join('L')}"/>`);
  const names = spread(lines.map(({ points }) => y(points.at(-1)?.[1] ?? 0))).map((at, i) =>
    `<text class="name ${lines[i]!.isOurs ? 'ours' : `series${i % 6}`}" x="${WIDTH - PLOT.right + 8}" y="${px(at)}">${escape(lines[i]!.label)}</text>`);
  const diagonalPath = diagonal ? `<path class="whisker dashed" d="M${px(x(0))} ${px(y(0))}L${px(x(1))} ${px(y(1))}"/>` : '';
  const axis = `<text class="value middle" x="${px(PLOT.left + width / 2)}" y="${PLOT.height - 6}">${escape(xLabel)}</text>`;
  return figure(title, WIDTH, PLOT.height, [...grid, ...marks, diagonalPath, ...drawn, ...names, axis].join(''));
}

/** Where a value stands among evenly placed ticks, 0 … 1. */
function place(value: number, ticks: readonly number[]): number {
  const after = ticks.findIndex((tick) => tick >= value);
  if (after <= 0) return after === 0 ? 0 : 1;
  const before = ticks[after - 1]!;
  return (after - 1 + (value - before) / (ticks[after]! - before)) / (ticks.length - 1);
}

/** Moves names down until none covers another. */
function spread(at: readonly number[]): number[] {
  const order = at.map((y, i) => ({ y, i })).sort((a, b) => a.y - b.y);
  const places = [...at];
  let free = -Infinity;
  for (const { y, i } of order) {
    places[i] = Math.max(y, free);
    free = places[i]! + 14;
  }
  return places;
}

const figure = (title: string, width: number, height: number, content: string): string =>
  `<figure><figcaption>${escape(title)}</figcaption><svg viewBox="0 -6 ${width} ${height + 12}" role="img" aria-label="${escape(title)}">${content}</svg></figure>`;

export const escape = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');

const px = (value: number): string => value.toFixed(1);
const number = (value: number): string => value.toFixed(value < 0.1 ? 4 : 3);

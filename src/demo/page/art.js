import { glyphOf } from './glyphs.js';
import { svg } from './dom.js';

/** Hue, saturation, lightness of the colour names in item attributes. */
const COLORS = {
  ecru: [42, 30, 70], navy: [222, 42, 34], olive: [78, 28, 40], rust: [18, 58, 46], charcoal: [220, 8, 34], sky: [203, 50, 62],
  blush: [350, 46, 74], black: [230, 10, 22], oak: [34, 42, 56], sand: [38, 38, 68], sage: [120, 16, 56], terracotta: [14, 50, 54],
  slate: [210, 14, 46], white: [40, 14, 84], walnut: [22, 34, 36], graphite: [220, 8, 38], silver: [215, 10, 68], midnight: [232, 38, 28],
  coral: [10, 68, 64], rose: [345, 48, 66], amber: [36, 72, 54], nude: [24, 36, 70], plum: [312, 30, 40], moss: [92, 28, 38],
  stone: [36, 10, 58], ember: [14, 66, 50], lake: [196, 42, 44], sunshine: [46, 78, 60], mint: [158, 36, 62], berry: [334, 46, 48],
  natural: [36, 36, 66], ink: [228, 36, 30], cream: [44, 44, 76], forest: [150, 32, 30], clay: [18, 38, 52],
};

/** A stable number for a text: the look of an item depends on its id alone. */
function numberOf(text) {
  let hash = 2166136261;
  for (const char of text) hash = Math.imul(hash ^ char.codePointAt(0), 16777619);
  return hash >>> 0;
}

const hsl = (hue, saturation, lightness) => `hsl(${hue} ${saturation}% ${lightness}%)`;

/** A picture of an item, drawn from its id, category and colour: nothing is downloaded. */
export function artOf(item) {
  const seed = numberOf(item.id);
  const backdrop = (numberOf(item.category[0]) % 24) * 15;
  const [hue, saturation, lightness] = COLORS[item.attributes?.color] ?? [seed % 360, 34, 52];
  const tones = {
    a: hsl(hue, saturation, lightness),
    b: hsl(hue, saturation + 4, Math.max(14, lightness - 18)),
    c: hsl(hue, Math.max(10, saturation - 14), Math.min(93, lightness + 24)),
  };
  const turn = (seed >>> 8) % 60;
  const picture = svg('svg', { viewBox: '0 0 100 100', class: 'art', 'aria-hidden': 'true', focusable: 'false', preserveAspectRatio: 'xMidYMid slice' },
    svg('rect', { width: 100, height: 100, fill: hsl(backdrop, 26, 91) }),
    svg('circle', { cx: 20 + turn, cy: 24 + (turn % 40), r: 44 + (seed % 14), fill: hsl((backdrop + 18) % 360, 34, 86) }),
    svg('ellipse', { cx: 50, cy: 84, rx: 28, ry: 3.4, fill: hsl(backdrop, 20, 74) }),
    svg('g', { transform: `translate(${15 - (seed % 3)} 15) scale(0.7)${seed % 5 === 0 ? ' translate(100 0) scale(-1 1)' : ''}`, 'fill-rule': 'evenodd' },
      ...glyphOf(item.category).map(([tone, d]) => svg('path', { d, fill: tones[tone] }))));
  if (item.kind === 'video') {
    picture.append(svg('circle', { cx: 50, cy: 50, r: 15, fill: '#ffffffdd' }), svg('path', { d: 'M46 42 59 50 46 58Z', fill: '#1c2b2a' }));
  }
  return picture;
}

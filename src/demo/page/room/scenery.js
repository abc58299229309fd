import { svg } from '../dom.js';

/** The studio in which the host stands: drawn, nothing is downloaded. */
export function drawScenery(stage) {
  const beam = (x, hue) => svg('path', { class: 'beam', d: `M${x} -20 L${x - 120} 380 L${x + 120} 380Z`, fill: `hsl(${hue} 60% 60% / 0.13)` });
  stage.replaceChildren(
    svg('rect', { width: 640, height: 360, fill: '#1b2a2b' }),
    svg('rect', { y: 262, width: 640, height: 98, fill: '#142020' }),
    beam(120, 170), beam(320, 24), beam(520, 260),
    svg('ellipse', { cx: 330, cy: 300, rx: 210, ry: 26, fill: '#ffffff0d' }),
    // The table with what is for sale, and the host behind it.
    svg('circle', { cx: 330, cy: 132, r: 36, fill: '#e2b48f' }),
    svg('path', { d: 'M290 130c-4-52 84-56 80 2-8-20-26-28-40-28s-34 8-40 26Z', fill: '#3b2a26' }),
    svg('path', { d: 'M258 262c0-62 30-88 72-88s72 26 72 88Z', fill: '#1f6f66' }),
    svg('path', { d: 'M318 122h4M340 122h4', stroke: '#2a1c18', 'stroke-width': 5, 'stroke-linecap': 'round' }),
    svg('path', { d: 'M322 146q8 8 18 0', stroke: '#8d4b3a', 'stroke-width': 3, fill: 'none', 'stroke-linecap': 'round' }),
    svg('rect', { x: 196, y: 240, width: 268, height: 20, rx: 8, fill: '#b98f63' }),
    svg('rect', { x: 212, y: 260, width: 236, height: 62, fill: '#8d6a47' }),
    svg('rect', { x: 226, y: 206, width: 30, height: 34, rx: 4, fill: '#d08a5c' }),
    svg('circle', { cx: 420, cy: 224, r: 17, fill: '#cfd9c4' }));
}

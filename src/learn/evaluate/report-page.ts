import { escape } from './charts.js';

const STYLE = `
:root { color-scheme: light dark; --text: light-dark(#1c2330, #e6e9ef); --soft: light-dark(#667085, #98a2b3); --back: light-dark(#fff, #12161d);
  --panel: light-dark(#f6f7f9, #1a2029); --rule: light-dark(#dfe3e8, #2c3440); --ours: light-dark(#0b6e4f, #3ecf9a); --theirs: light-dark(#a9b4c2, #4b596b);
  --s0: light-dark(#b45309, #f5a742); --s1: light-dark(#1d4ed8, #7aa2ff); --s2: light-dark(#a21caf, #e58af0); --s3: light-dark(#be123c, #ff7d92);
  --s4: light-dark(#4d7c0f, #a3d65c); --s5: light-dark(#475569, #a6b3c6); }
body { margin: 0 auto; max-width: 1360px; padding: 24px; font: 15px/1.5 system-ui, sans-serif; color: var(--text); background: var(--back); }
h1 { font-size: 24px; margin: 0 } h2 { font-size: 18px; margin: 32px 0 8px } p { color: var(--soft); margin: 4px 0 16px; max-width: 80ch }
.tiles { display: flex; flex-wrap: wrap; gap: 12px } .tiles div { background: var(--panel); border-radius: 8px; padding: 10px 18px }
.tiles b { display: block; font-size: 22px } .tiles span { color: var(--soft) }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 560px), 1fr)); gap: 16px }
figure { margin: 0; background: var(--panel); border-radius: 8px; padding: 14px } figcaption { font-weight: 600; margin-bottom: 6px } svg { width: 100%; display: block }
svg text { font-size: 13px; fill: var(--text); dominant-baseline: middle } .label, .end { text-anchor: end } .middle { text-anchor: middle } svg .value { fill: var(--soft); font-size: 12px }
rect.ours { fill: var(--ours) } rect.theirs { fill: var(--theirs) } .whisker { stroke: var(--text); stroke-width: 1.5; fill: none } .dashed { stroke-dasharray: 4 4; opacity: .6 }
.grid { stroke: var(--rule) } .line { fill: none; stroke-width: 2 } .line.ours { stroke: var(--ours); stroke-width: 3 } text.name.ours { fill: var(--ours); font-weight: 600 }
${Array.from({ length: 6 }, (_, i) => `.line.series${i} { stroke: var(--s${i}) } text.name.series${i} { fill: var(--s${i}) }`).join('\n')}
.scroll { overflow-x: auto } table { border-collapse: collapse; width: 100% } th, td { padding: 5px 10px; text-align: right; border-bottom: 1px solid var(--rule); white-space: nowrap }
th:first-child, td:first-child { text-align: left } tr.ours { font-weight: 600; color: var(--ours) } small { color: var(--soft); font-weight: 400 }`;

/** A report as one file that needs nothing else. @param note beside the title  @param body HTML */
export const reportPage = (title: string, note: string, body: string): string => `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>${escape(title)}</title><style>${STYLE}</style>
<h1>${escape(title)} <small>${escape(note)}</small></h1>${body}</html>
`;

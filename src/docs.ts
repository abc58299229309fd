import { readFileSync, writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { SETTINGS } from './config.js';
import { EVENT_TYPES } from './domain/event.js';
import { ERROR_CATALOGUE } from './errors.js';
import { PORTRAIT_FIELDS, portraitField, type PortraitFieldName } from './profile/portrait-schema.js';
import { OFFER_FEATURES } from './offers/decide/offer-features.js';
import { USER_FEATURES } from './profile/vector.js';
import { ITEM_FEATURES } from './ranking/features.js';

/** `npm run docs`: writes what the code knows into the README, between its markers. A test holds the two equal. */

const SECTIONS: Readonly<Record<string, () => string>> = {
  settings: () => table(['setting', 'default', 'meaning'], Object.entries(SETTINGS).map(([name, { fallback, about }]) => [`\`${name}\``, fallback === '' ? '' : `\`${fallback}\``, about])),
  errors: () => table(['code', 'HTTP', 'socket close', 'send again?'], Object.entries(ERROR_CATALOGUE).map(([code, entry]) => [`\`${code}\``, String(entry.status), String(entry.close), entry.retryable ? 'yes' : 'no'])),
  events: () => EVENT_TYPES.map((type) => `\`${type}\``).join(', '),
  'user-features': () => names(USER_FEATURES),
  'item-features': () => names(ITEM_FEATURES),
  'offer-features': () => names(OFFER_FEATURES),
  'portrait-fields': () => table(['field', 'type', 'meaning'], (Object.keys(PORTRAIT_FIELDS) as PortraitFieldName[]).map((name) => {
    const { type, about, absent } = portraitField(name);
    return [`\`${name}\``, `\`${type}\``, absent === undefined ? about : `${about}; no value: ${absent}`];
  })),
  pytorch: () => example('pytorch_model.py'),
  lightgbm: () => example('lightgbm_model.py'),
};

/** The script that made a file which a test loads and serves, without what it writes for that test. */
const example = (name: string): string =>
  `\`\`\`python\n${readFileSync(`test/fixtures/models/${name}`, 'utf8').split('\n# What the engine must agree with.')[0]!.trimEnd()}\n\`\`\``;

/** @returns the README with every generated section made anew */
export function withGeneratedSections(readme: string): string {
  let text = readme;
  for (const [name, make] of Object.entries(SECTIONS)) {
    const begin = `<!-- generated: ${name} -->`;
    const end = '<!-- end -->';
    const from = text.indexOf(begin);
    const to = text.indexOf(end, from);
    if (from < 0 || to < 0) throw new Error(`The README has no section "${begin}" … "${end}".`);
    text = `${text.slice(0, from + begin.length)}\n${make()}\n${text.slice(to)}`;
  }
  return text;
}

const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n');

const names = (list: readonly string[]): string => `${list.length}: ${list.map((name) => `\`${name}\``).join(', ')}.`;

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  writeFileSync('README.md', withGeneratedSections(readFileSync('README.md', 'utf8')));
}

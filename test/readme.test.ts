import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { withGeneratedSections } from '../src/docs.js';

const readme = readFileSync(join(import.meta.dirname, '..', '..', 'README.md'), 'utf8');
const scripts = (JSON.parse(readFileSync(join(import.meta.dirname, '..', '..', 'package.json'), 'utf8')) as { scripts: Record<string, string> }).scripts;

await t.test('the README says what the code knows: run `npm run docs` after a change', async (t) => {
  t.equal(readme, withGeneratedSections(readme));
});

await t.test('every command the README names is there', async (t) => {
  const named = new Set([...readme.matchAll(/npm (?:run )?(start|test|train|evaluate|models|replay|bench|docs)\b/gu)].map((match) => match[1]!));
  t.ok(named.size >= 6);
  for (const name of named) t.ok(scripts[name] !== undefined, name);
});

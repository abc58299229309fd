import type { TableListener } from './table.js';

/** Corrupt lines that are shown one by one. */
const SHOWN = 10;

/** Tells whoever runs a command of lines that are no record: the first ones, and that there are more. */
export function tellSkipped(): NonNullable<TableListener['onSkipped']> {
  let skipped = 0;
  return (file, line, why) => {
    if (++skipped <= SHOWN) process.stderr.write(`${file}:${line} skipped: ${why}\n`);
    else if (skipped === SHOWN + 1) process.stderr.write('… and more\n');
  };
}

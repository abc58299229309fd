import { open, rename } from 'node:fs/promises';
import { listSlots, slotClosedAt, type ArchiveKind } from './files.js';
import { lineBatches } from './lines.js';
import type { ShopperMarks } from './marks.js';
import { readMarks } from './reader.js';

/**
 * Rewrites closed files without the lines of shoppers erased since a time: into a file beside, then renamed over, so
 * that a reader sees the one or the other, and a crash leaves the old. Done again it finds nothing to do.
 * @returns how many lines went
 */
export async function eraseFromArchive(dir: string, options: { since: number; now: number }): Promise<number> {
  // Aliases of any age say whose an anonymous event is, so all marks are read; the time only bounds what is worth a pass.
  const recent = await readMarks(dir, options.since);
  if (recent.size === 0) return 0;
  const marks = await readMarks(dir);
  let removed = 0;
  for (const kind of ['events', 'impressions', 'decisions'] as const satisfies readonly ArchiveKind[]) {
    for (const { files, from } of await listSlots(dir, kind)) {
      if (slotClosedAt(from) > options.now) continue;
      for (const file of files) removed += await rewrite(file, marks);
    }
  }
  return removed;
}

/** Two passes, because nearly every file stays as it is: look, and only if need be, copy. */
async function rewrite(path: string, marks: ShopperMarks): Promise<number> {
  let removed = 0;
  for await (const lines of lineBatches(path)) removed += lines.filter((line) => isErased(line, marks)).length;
  if (removed === 0) return 0;
  const beside = `${path}.new`;
  const handle = await open(beside, 'w');
  try {
    for await (const lines of lineBatches(path)) {
      const kept = lines.filter((line) => !isErased(line, marks));
      if (kept.length > 0) await handle.appendFile(`${kept.join('\n')}\n`);
    }
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(beside, path);
  return removed;
}

function isErased(line: string, marks: ShopperMarks): boolean {
  try {
    const { entry, event, impression, decision } = JSON.parse(line) as { entry?: string } & Partial<Record<'event' | 'impression' | 'decision', { shopper?: string }>>;
    const shopper = (event ?? impression ?? decision)?.shopper;
    return typeof shopper === 'string' && typeof entry === 'string' && marks.ownerOf(shopper, entry) === undefined;
  } catch {
    // Damaged: it may hold anyone's data, and nobody can read it.
    return true;
  }
}

import { EventArchiver } from '../../src/jobs/archive.js';
import { ArchiveWriter } from '../../src/archive/writer.js';
import { commandsTo, consume } from './streams.js';

/**
 * A worker that archives, in a process of its own, to be killed: `node archive-child.js URL FOLDER NAME [BATCHES]`.
 * With BATCHES it kills itself once it has written that many, before it acknowledges the last.
 */
const [, , url, dir, name, batches] = process.argv;
if (url === undefined || dir === undefined || name === undefined) throw new Error('URL, FOLDER and NAME are needed.');
const archiver = new EventArchiver({ writer: new ArchiveWriter(dir, name, Date.now), clock: Date.now, onErased: async () => { /* Not here. */ } });
let left = Number(batches ?? Infinity);
const write = archiver.handle.bind(archiver);
archiver.handle = async (entries) => {
  await write(entries);
  if (--left === 0) process.kill(process.pid, 'SIGKILL');
};
consume(url, await commandsTo(url), archiver, { consumer: name, claimIdleMs: 300, claimEveryMs: 100 });
process.once('disconnect', () => { process.exit(0); });
process.send?.('runs');

import { JobRegistry } from '../../src/jobs/registry.js';
import { keys, listenTo, silent } from './streams.js';

/** A worker that takes a job, says so, and never ends it: to be killed. `node job-child.js URL`. */
const [, , url] = process.argv;
if (url === undefined) throw new Error('URL is needed.');
// Who looked for stalled jobs last says when the next look may be: as often as the others'.
new JobRegistry({ connect: listenTo(url), keys, log: silent, lockMs: 1000, stalledEveryMs: 500 }).start({
  work: () => {
    process.send?.('taken');
    return new Promise(() => { /* Never. */ });
  },
});
process.once('disconnect', () => { process.exit(0); });

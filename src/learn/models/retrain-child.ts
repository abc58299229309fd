import { setPriority } from 'node:os';
import { retrain, type RetrainReply, type RetrainTask } from './retrain.js';
import { refitRanker, trainOnArchive } from './train-on-archive.js';

/** The process behind the job that retrains: does one task, replies, and is ended by whoever asked. */
const CHILD_LIMITS = {
  /** Requests come first where cores are few. */
  niceness: 19,
  /** All memory of the process, bytes: native tensors are beyond what the heap's limit sees. */
  residentMax: 4 * 2 ** 30,
  lookEveryMs: 1000,
} as const;

process.once('message', (task: RetrainTask) => {
  setPriority(CHILD_LIMITS.niceness);
  setInterval(() => {
    if (process.memoryUsage.rss() > CHILD_LIMITS.residentMax) reply({ error: `training needs more than ${CHILD_LIMITS.residentMax / 2 ** 30} GB` });
  }, CHILD_LIMITS.lookEveryMs);
  retrain(task, [trainOnArchive, refitRanker], Date.now).then(reply, (error: unknown) => { reply({ error: error instanceof Error ? error.message : String(error) }); });
});
process.once('disconnect', () => { process.exit(0); });

function reply(message: RetrainReply | { readonly error: string }): void {
  process.send?.(message);
}

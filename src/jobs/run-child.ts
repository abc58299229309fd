import { fork } from 'node:child_process';

export interface ChildLimits {
  /** A task that takes longer is ended, ms. */
  readonly timeoutMs: number;
  /** Heap of the process, MB. */
  readonly heapMb: number;
}

/** Why there is no reply. */
export interface ChildError { readonly error: string }

/**
 * Has a process of its own do one task: heavy work in ours would hold up the renewal of a job's lock, and the job would
 * run twice. Never rejects.
 * @param program a module that takes the task as its first message and replies with one
 */
export function runChild<Reply extends object>(program: URL, task: object, limits: ChildLimits, signal: AbortSignal): Promise<Reply | ChildError> {
  const child = fork(program, [], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'], execArgv: [`--max-old-space-size=${limits.heapMb}`] });
  return new Promise((resolve) => {
    const end = (reply: Reply | ChildError): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
      child.kill('SIGKILL');
      resolve(reply);
    };
    const abort = (): void => { end({ error: 'the worker stops; another takes it up' }); };
    const timer = setTimeout(() => { end({ error: `not done within ${limits.timeoutMs} ms` }); }, limits.timeoutMs);
    signal.addEventListener('abort', abort);
    child.once('message', (message) => { end(message as Reply); });
    child.once('error', (error) => { end({ error: error.message }); });
    child.once('exit', (code, by) => { end({ error: `its process ended with ${by ?? `exit code ${code}`}` }); });
    child.send(task, (error) => { if (error !== null) end({ error: error.message }); });
    if (signal.aborted) abort();
  });
}

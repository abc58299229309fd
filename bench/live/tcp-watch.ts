import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const CHILD = fileURLToPath(new URL('tcp-watch-child.js', import.meta.url));

/**
 * Looks at the system's table of connections in a process of its own: it takes tens of ms where there are many, and
 * whoever measures arrivals must not stand still for so long.
 */
export class TcpWatch {
  readonly #child: ChildProcess;

  /**
   * @param port of a listener
   * @param onLook told again and again of the ports of clients whom it holds
   */
  constructor(port: number, everyMs: number, onLook: (held: ReadonlySet<number>) => void) {
    this.#child = fork(CHILD, [String(port), String(everyMs)], { serialization: 'advanced' });
    this.#child.on('message', (held: ReadonlySet<number>) => { onLook(held); });
  }

  async stop(): Promise<void> {
    const ended = once(this.#child, 'exit');
    this.#child.disconnect();
    await ended;
  }
}

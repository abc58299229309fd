import { Cluster, type Command, type Redis } from 'ioredis';
import { isAway } from './errors.js';

/** What a node was asked and could not be: certainly not executed. The same words as a single connection's. */
const NOT_READY = "Stream isn't writeable: the cluster is not connected";

/** Event: a key's master does not do what it is asked; another may have taken over. */
export const IN_DOUBT = 'slots in doubt';

/**
 * A client of a Redis Cluster for requests: answers in time or not at all, and sends nothing twice.
 *
 * ioredis' own auto-pipelining must stay off here. It redirects a batch as a whole, and only when every command of it failed with
 * the same words, the slot's number included: after a failover whole batches came back as raw MOVED errors, and a batch with
 * one command done was never redirected. Commands are redirected one by one instead, and what is sent in one turn of the event
 * loop to one node leaves in one system call all the same.
 */
export class ClusterClient extends Cluster {
  #isGathering = false;

  override sendCommand(command: Command, stream?: Parameters<Cluster['sendCommand']>[1], node?: unknown): unknown {
    // While no node is known ioredis would queue without a limit of time.
    if (this.status !== 'ready' && command.name !== 'cluster') {
      command.reject(new Error(NOT_READY));
      return command.promise;
    }
    if (!this.#isGathering) this.#gather();
    return super.sendCommand(command, stream, node);
  }

  override handleError(...[error, ...rest]: Parameters<Cluster['handleError']>): void {
    if (isAway(error)) this.emit(IN_DOUBT);
    super.handleError(error, ...rest);
  }

  /** Holds what is written to the masters until the end of this turn. */
  #gather(): void {
    this.#isGathering = true;
    const streams = this.nodes('master').flatMap(({ stream }: Partial<Redis>) => (stream === undefined ? [] : [stream]));
    for (const stream of streams) stream.cork();
    setImmediate(() => {
      this.#isGathering = false;
      for (const stream of streams) stream.uncork();
    });
  }
}

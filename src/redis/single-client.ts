import { Redis, type Command } from 'ioredis';

/**
 * A client of one Redis for requests. What is sent in one turn of the event loop leaves in one system call, as from `ClusterClient`.
 *
 * ioredis' own auto-pipelining does that, too, but makes a pipeline object for each turn, into which it copies every script that was ever
 * defined, wraps each command in two more promises, and holds back what is sent while a batch is under way until that has come back.
 */
export class SingleClient extends Redis {
  #isGathering = false;

  override sendCommand(command: Command, stream?: Parameters<Redis['sendCommand']>[1]): unknown {
    if (!this.#isGathering && this.status === 'ready') this.#gather();
    return super.sendCommand(command, stream);
  }

  #gather(): void {
    const { stream } = this;
    this.#isGathering = true;
    stream.cork();
    setImmediate(() => {
      this.#isGathering = false;
      stream.uncork();
    });
  }
}

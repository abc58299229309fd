import { fork, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** A helper process that answers each message with one of its own. It ends by itself when this process is gone. */
export class Child<Question extends object, Answer> {
  readonly #process: ChildProcess;
  readonly #name: string;

  /** @param file compiled file beside this one, e.g. `floor.js` */
  constructor(file: string, args: readonly string[] = []) {
    this.#name = file;
    this.#process = fork(fileURLToPath(new URL(file, import.meta.url)), args, { execArgv: ['--enable-source-maps', '--max-semi-space-size=64'] });
  }

  /** @returns the next message */
  hear(): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const died = (code: number | null): void => reject(new Error(`${this.#name} ended with ${code}`));
      this.#process.once('exit', died);
      this.#process.once('message', (message) => {
        this.#process.off('exit', died);
        resolve(message as Answer);
      });
    });
  }

  ask(question: Question): Promise<Answer> {
    const answer = this.hear();
    this.#process.send(question);
    return answer;
  }

  stop(): void {
    this.#process.kill('SIGKILL');
  }
}

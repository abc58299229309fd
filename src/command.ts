import { AppError } from './errors.js';

/** Runs a command of the shell to its end. What the caller did wrong is said in a line; anything else comes with its stack. */
export function runCommand(main: () => Promise<void>): void {
  main().catch((error: unknown) => {
    const isUsage = error instanceof AppError || (error instanceof Error && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS'));
    process.stderr.write(`${isUsage ? error.message : String(error instanceof Error ? error.stack : error)}\n`);
    process.exit(1);
  });
}

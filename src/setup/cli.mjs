// The one command behind `npm start`, `npm test` and the other scripts. Plain JavaScript without dependencies:
// it runs before anything is installed. The rest is loaded after the version check, as an older Node may not parse it.

const NODE_MIN = [20, 19];
const USAGE = `usage: node src/setup/cli.mjs COMMAND
  start [--workers N]       install what is missing, bring up Redis, build, run the engine with the demo store; N api processes
  test [PART…]              type-check, lint and test; parts of paths choose test files
  build                     install what is missing and build
  run [--redis | --ensure-redis] ENTRY [ARGUMENT…]
                            build and run a compiled entry; with a Redis for it, or only its program installed`;

const [major, minor] = process.versions.node.split('.').map(Number);
if (major < NODE_MIN[0] || (major === NODE_MIN[0] && minor < NODE_MIN[1])) {
  console.error(
    `rivulet: needs Node.js ${NODE_MIN.join('.')} or newer; this is ${process.versions.node} (${process.execPath}).`,
  );
  process.exit(1);
}

const { SetupError, say } = await import('./shell.mjs');
try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  say(error.message);
  process.exitCode = 1;
}

async function main([command, ...args]) {
  if (command === 'start') {
    const [option, workers = '', ...more] = args;
    if (option === undefined) return (await import('./start.mjs')).start();
    const isCount = /^[1-9]\d?$/.test(workers);
    if (option === '--workers' && isCount && more.length === 0) return (await import('./start.mjs')).start({ workers });
  }
  if (command === 'test') return (await import('./test.mjs')).test(args);
  if (command === 'build' && args.length === 0) return (await import('./prepare.mjs')).prepare();
  if (command === 'run') return (await import('./run.mjs')).runEntry(args);
  console.error(USAGE);
  return 2;
}

import { heldBy } from './tcp-table.js';

/** The process of `TcpWatch`: tells its parent of a port's connections, and ends with it. */
const [port = NaN, everyMs = NaN] = process.argv.slice(2).map(Number);

const timer = setInterval(() => { process.send?.(heldBy(port)); }, everyMs);
process.once('disconnect', () => { clearInterval(timer); });

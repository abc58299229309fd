import { readFileSync } from 'node:fs';

/** Columns of `/proc/net/tcp`. */
const COLUMN = { local: 1, remote: 2, inode: 9 } as const;

/**
 * Who still has their end of a connection open: looked up in the system's own table (Linux), because a client that does
 * not read is not told that its peer is gone.
 * @param port of the listening peer
 * @returns the other ends' ports that the peer still holds
 */
export function heldBy(port: number): Set<number> {
  const held = new Set<number>();
  for (const line of readFileSync('/proc/net/tcp', 'latin1').split('\n').slice(1)) {
    const columns = line.trim().split(/\s+/u);
    if (columns.length <= COLUMN.inode) continue;
    // A socket that its process has closed, though the system may still send from it, has no inode any more.
    if (portOf(columns[COLUMN.local]!) === port && columns[COLUMN.inode] !== '0') held.add(portOf(columns[COLUMN.remote]!));
  }
  return held;
}

const portOf = (address: string): number => Number.parseInt(address.slice(address.indexOf(':') + 1), 16);

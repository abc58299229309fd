/** The nodes by which a Redis Cluster is found, and how to talk to all of its nodes. */
export interface ClusterAddress {
  readonly nodes: readonly { readonly host: string; readonly port: number }[];
  readonly username?: string;
  readonly password?: string;
  readonly tls: boolean;
}

const CLUSTER_URL = /^redis(s?)-cluster:\/\/(?:([^@/:]*):([^@/]*)@)?([^@/]+)\/?$/u;
const NODE = /^(?:\[([0-9a-f:.]+)\]|([^\s:[\]]+))(?::([0-9]{1,5}))?$/iu;
const DEFAULT_PORT = 6379;

export const isClusterUrl = (url: string): boolean => /^rediss?-cluster:/u.test(url);

/**
 * Reads `redis-cluster://[[user]:password@]host[:port][,host[:port]…]`; with `rediss-cluster://` by TLS. User and password are
 * percent-encoded, as in any address.
 * @returns undefined for what is no such address
 */
export function parseClusterUrl(url: string): ClusterAddress | undefined {
  const [, tls, username = '', password = '', list = ''] = CLUSTER_URL.exec(url) ?? [];
  const nodes = list.split(',').map((text) => {
    const [, six, name, port] = NODE.exec(text) ?? [];
    return { host: six ?? name ?? '', port: Number(port ?? DEFAULT_PORT) };
  });
  if (tls === undefined || nodes.some(({ host, port }) => host === '' || port < 1 || port > 65_535)) return undefined;
  try {
    return {
      nodes, tls: tls === 's',
      ...(username === '' ? {} : { username: decodeURIComponent(username) }),
      ...(password === '' ? {} : { password: decodeURIComponent(password) }),
    };
  } catch {
    return undefined;
  }
}

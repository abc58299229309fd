import t from 'tap';
import { isClusterUrl, parseClusterUrl } from '../../src/util/cluster-url.js';

await t.test('an address of a cluster names nodes, and how to talk to all of them', async (t) => {
  t.same(parseClusterUrl('redis-cluster://10.0.0.1:7000,10.0.0.2:7001'), { nodes: [{ host: '10.0.0.1', port: 7000 }, { host: '10.0.0.2', port: 7001 }], tls: false });
  t.same(parseClusterUrl('rediss-cluster://ann:a%2Cb%40c:d@cache.example/'), { nodes: [{ host: 'cache.example', port: 6379 }], tls: true, username: 'ann', password: 'a,b@c:d' });
  t.same(parseClusterUrl('redis-cluster://:secret@[::1]:7000'), { nodes: [{ host: '::1', port: 7000 }], tls: false, password: 'secret' });
  t.notOk(isClusterUrl('redis://127.0.0.1:6379'));
});

await t.test('anything else is none', async (t) => {
  for (const url of ['redis://a:1', 'redis-cluster://', 'redis-cluster://a:1,', 'redis-cluster://a:0', 'redis-cluster://a:70000', 'redis-cluster://a:1/2', 'redis-cluster://a b:1', 'redis-cluster://secret@a:1', 'redis-cluster://%zz@a:1']) {
    t.equal(parseClusterUrl(url), undefined, url);
  }
});

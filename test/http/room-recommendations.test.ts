import t from 'tap';
import { PATIENT, startEngine } from '../helpers/engine.js';
import { until } from '../helpers/streams.js';

const engine = await startEngine({ role: 'api', env: PATIENT });
t.teardown(() => engine.stop());
const second = await startEngine({ role: 'api', redis: engine.redis, env: PATIENT });
t.teardown(() => second.stop());

interface Reply { readonly status: number; readonly body: Record<string, unknown> & { code?: string; items?: { id: string; source: string }[] } }
async function call(method: string, path: string, body?: unknown, at = engine.url): Promise<Reply> {
  const response = await fetch(at + path, {
    method, ...(body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, body: text === '' ? {} : JSON.parse(text) as Reply['body'] };
}
const recommend = (body: Record<string, unknown>, at?: string): Promise<Reply> => call('POST', '/v1/recommendations', body, at);
const ids = ({ body }: Reply): string[] => (body.items ?? []).map(({ id }) => id);
const rooms = (reply: Reply): string[] => ids(reply).filter((id) => id.startsWith('room:'));
const codeOf = ({ status, body }: Reply): string => `${status} ${body.code ?? ''}`;

const TASTES = [['shoes', 'running'], ['home', 'lamps']] as const;
const items = TASTES.flatMap(([root, leaf]) => Array.from({ length: 6 }, (_, i) => (
  { id: `${leaf}-${i}`, title: `${leaf} ${i}`, category: [root, leaf], brand: `${leaf}-brand`, price: 20 + i, stock: i === 5 ? 0 : 9 })));
await call('POST', '/v1/items', { items });
const products = ['running-0', 'lamps-0', 'running-1', 'lamps-1', 'running-5', 'unknown'];
const open = async (id: string, fields: Record<string, unknown> = {}): Promise<void> => {
  await call('POST', '/v1/rooms', { id, title: id, host: { id: `h-${id}`, name: `Host ${id}` }, category: ['shoes', 'running'], products, ...fields });
  await call('POST', `/v1/rooms/${id}/open`);
};
await until('both know the items', async () => ids(await recommend({ scene: 'home' }, second.url)).length === 10);

await t.test('scene live ranks the room\'s products that are in stock for whoever asks', async (t) => {
  await open('show');
  for (const [user, leaf] of [['ann', 'running'], ['bob', 'lamps']] as const) {
    await call('POST', '/v1/events', { events: [2, 3, 4].map((i) => ({ id: `${user}-${i}`, type: 'view_item', userId: user, itemId: `${leaf}-${i}` })) });
    for (const at of [engine.url, second.url]) {
      const reply = await recommend({ scene: 'live', roomId: 'show', userId: user }, at);
      t.same(ids(reply).toSorted(), ['lamps-0', 'lamps-1', 'running-0', 'running-1'], 'all of them, none that is sold out or unknown');
      t.same(ids(reply).slice(0, 2).toSorted(), [`${leaf}-0`, `${leaf}-1`], `${user}'s taste first`);
    }
  }
  t.equal(ids(await recommend({ scene: 'live', roomId: 'show', limit: 1 })).length, 1);
  t.equal(ids(await recommend({ scene: 'live', roomId: 'show', filter: { category: ['home'] } })).length, 2);
  await call('POST', '/v1/items', { items: [{ ...items[0], stock: 0 }] });
  await until('it is sold out', async () => !ids(await recommend({ scene: 'live', roomId: 'show', userId: 'ann' }, second.url)).includes('running-0'));
  const { body } = await call('POST', '/v1/recommendations/batch', { userId: 'bob', lists: [{ scene: 'live', roomId: 'show', limit: 1 }, { scene: 'home', limit: 3 }] });
  const lists = body['lists'] as { items: { id: string }[] }[];
  t.match(lists[0]!.items[0]!.id, /^lamps-/u);
  t.notOk(lists[1]!.items.some(({ id }) => id === lists[0]!.items[0]!.id));
});

await t.test('a room that cannot be ranked is told', async (t) => {
  await open('empty', { products: [] });
  t.same(ids(await recommend({ scene: 'live', roomId: 'empty' })), []);
  t.equal(codeOf(await recommend({ scene: 'live', roomId: 'none' })), '404 not_found');
  t.equal(codeOf(await recommend({ scene: 'home', roomId: 'show' })), '400 invalid_request');
  t.equal(codeOf(await recommend({ scene: 'live', roomId: 'show', itemIds: ['lamps-0'] })), '400 invalid_request');
  await call('POST', '/v1/rooms/empty/close');
  await until('both know', async () => codeOf(await recommend({ scene: 'live', roomId: 'empty' }, second.url)) === '409 room_not_live' && codeOf(await recommend({ scene: 'live', roomId: 'empty' })) === '409 room_not_live');
});

await t.test('scene feed has who is live now, by whom and what the viewer likes, at every process; other scenes do not', async (t) => {
  await open('club', { category: ['home', 'lamps'], access: 'invited' });
  await open('lamp-show', { category: ['home', 'lamps'] });
  await call('POST', '/v1/rooms', { id: 'later', title: 'Later', host: { id: 'h', name: 'Later' }, category: ['home'], products: [] });
  const feed = async (userId: string, at: string): Promise<string[]> => rooms(await recommend({ scene: 'feed', userId, limit: 20 }, at));
  for (const at of [engine.url, second.url]) {
    await until('both rooms are there', async () => (await feed('nobody', at)).length === 2);
    t.same((await feed('nobody', at)).toSorted(), ['room:lamp-show', 'room:show'], 'none that is announced, none that is for the invited');
    t.equal((await feed('bob', at))[0], 'room:lamp-show', 'by what he looked at');
    t.same(rooms(await recommend({ scene: 'home', userId: 'bob', limit: 100 }, at)), []);
  }
  t.match((await recommend({ scene: 'feed', userId: 'bob' })).body.items?.[1], { id: 'room:lamp-show', source: 'live_rooms' }, 'near the top');
  await call('POST', '/v1/events', { events: ['join_live', 'like'].map((type) => ({ id: `cyd-${type}`, type, userId: 'cyd', roomId: 'show', itemId: 'room:show' })) });
  t.equal((await feed('cyd', engine.url))[0], 'room:show', 'by whom she watched');
  await open('again', { host: { id: 'h-show', name: 'Host show' }, category: ['home', 'vases'] });
  await until('the new one is there', async () => (await feed('cyd', second.url)).includes('room:again'));
  await call('POST', '/v1/rooms/show/close');
  for (const at of [engine.url, second.url]) await until('it is over', async () => !(await feed('cyd', at)).includes('room:show'));
});

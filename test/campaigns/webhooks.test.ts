import { createHmac, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import t from 'tap';
import { PATIENT, startEngine } from '../helpers/engine.js';
import { LiveClient } from '../helpers/live-client.js';
import { until } from '../helpers/until.js';

/** An api with its worker, as an operator runs them; campaigns, inbox and webhooks over HTTP. */

interface Call { readonly path: string; readonly headers: IncomingMessage['headers']; readonly body: string }
const calls: Call[] = [];
/** What the endpoint refuses, the next time that it comes. */
let refused: string | undefined;
const receiver = createServer((request, response) => {
  let body = '';
  request.setEncoding('utf8').on('data', (text: string) => { body += text; }).on('end', () => {
    calls.push({ path: request.url!, headers: request.headers, body });
    if (request.url === '/moved') response.writeHead(302, { location: '/mail' }).end();
    else {
      const isRefused = refused !== undefined && body.includes(refused);
      if (isRefused) refused = undefined;
      response.writeHead(isRefused ? 500 : 204).end();
    }
  });
}).listen(0, '127.0.0.1');
await once(receiver, 'listening');
const receiverUrl = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}`;
const engine = await startEngine({ role: 'both', env: { ...PATIENT, WEBHOOK_LOOPBACK: '1' } });
t.teardown(async () => {
  await engine.stop();
  receiver.close();
  receiver.closeAllConnections();
});

const SECRET = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
const callsTo = (path: string): Call[] => calls.filter((call) => call.path === path);

async function api(method: string, path: string, body?: unknown): Promise<{ status: number; body: Record<string, unknown> }> {
  const reply = await fetch(`${engine.url}/v1${path}`, { method, ...(body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }) });
  const text = await reply.text();
  return { status: reply.status, body: text === '' ? {} : JSON.parse(text) as Record<string, unknown> };
}
const act = (userId: string, type: string): Promise<unknown> => api('POST', '/events', { events: [{ id: randomUUID(), type, userId }] });

await t.test('campaigns and webhooks are stated over HTTP, and refused where they cannot be', async (t) => {
  const listed = (await api('GET', '/campaigns')).body['campaigns'] as { id: string; status: string; isBuiltIn: boolean }[];
  t.match(listed.find(({ id }) => id === 'welcome'), { status: 'paused', isBuiltIn: true });
  t.match(await api('POST', '/campaigns/welcome/activate'), { status: 200, body: { campaign: { id: 'welcome', status: 'active', isBuiltIn: true } } });
  t.match(await api('POST', '/campaigns/welcome/pause'), { body: { campaign: { status: 'paused' } } });
  const thanks = { title: 'Thanks', trigger: { on: 'event', types: ['share'] }, steps: [{ afterS: 0, message: { title: 'Thank you' } }] };
  t.match(await api('PUT', '/campaigns/thanks', thanks), { status: 200, body: { campaign: { id: 'thanks', status: 'paused' } } });
  t.match(await api('PUT', '/campaigns/thanks', { ...thanks, audience: 'orders >' }), { status: 400, body: { code: 'invalid_expression' } });
  t.match(await api('PUT', '/campaigns/thanks', { ...thanks, steps: [{ afterS: 0, message: { title: 'About {item}' } }] }), { status: 400, body: { message: /plainTitle/u } });
  t.match(await api('PUT', '/campaigns/thanks', { ...thanks, steps: [{ afterS: 0, message: { title: '{name}', plainTitle: 'You' } }] }), { status: 400, body: { message: /names \{name\}, which is not one of/u } });
  t.match(await api('POST', '/campaigns/thanks/activate'), { body: { campaign: { status: 'active', title: 'Thanks' } } });
  t.match(await api('POST', '/campaigns/unheard_of/activate'), { status: 404 });
  t.equal((await api('DELETE', '/campaigns/welcome')).status, 204);
  t.match(await api('GET', '/campaigns/welcome'), { body: { campaign: { status: 'paused', isBuiltIn: true } } });
  t.match(await api('PUT', '/webhooks/mail', { url: `${receiverUrl}/mail`, events: ['message.kept'], secret: SECRET }), { status: 200, body: { webhook: { id: 'mail' }, secret: undefined } });
  t.match(await api('PUT', '/webhooks/all', { url: `${receiverUrl}/all` }), { body: { secret: /^whsec_/u } }, 'a secret that is made is told once');
  t.match(await api('GET', '/webhooks/all'), { body: { webhook: { id: 'all', events: ['message.pushed', 'message.kept'], secret: undefined } } });
  t.match(await api('PUT', '/webhooks/x', { url: 'https://10.0.0.1/' }), { status: 400, body: { code: 'invalid_request' } });
  t.match(await api('GET', '/webhooks/x'), { status: 404 });
});

await t.test('a message that nobody listened for is kept, and handed over signed', async (t) => {
  await until(async () => {
    await act('away', 'share');
    return callsTo('/mail').length > 0;
  }, 'the campaign to be known everywhere');
  const { messages } = (await api('GET', '/users/away/inbox')).body as { messages: { id: string; title: string }[] };
  t.match(messages[0], { title: 'Thank you', kind: 'notice', cause: 'thanks' });
  const { headers, body } = callsTo('/mail')[0]!;
  const { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': signature } = headers;
  const expected = createHmac('sha256', Buffer.alloc(32, 7)).update(`${String(id)}.${String(timestamp)}.${body}`).digest('base64');
  t.equal(signature, `v1,${expected}`);
  const told = JSON.parse(body) as { type: string; data: { userId: string; message: { id: string } } };
  t.match(told, { type: 'message.kept', data: { userId: 'away', message: { id } } });
  t.ok(messages.some((message) => message.id === id));
  t.equal((await api('POST', `/users/away/inbox/${messages[0]!.id}/read`)).status, 204);
  t.match((await api('GET', '/users/away/inbox')).body, { messages: [{ isRead: true }] });
  t.equal((await api('POST', `/users/away/inbox/${messages[0]!.id}/dismiss`)).status, 204);
  t.notOk(((await api('GET', '/users/away/inbox')).body['messages'] as { id: string }[]).some((message) => message.id === messages[0]!.id));
  t.equal((await api('POST', '/users/away/inbox/unheard-of/read')).status, 404);
});

await t.test('who listens gets it at once; the endpoint for the absent hears nothing', async (t) => {
  const client = await LiveClient.open(engine.url, { userId: 'here' });
  await client.listen();
  await client.ask({ type: 'events', events: [{ id: randomUUID(), type: 'share' }] });
  t.match((await client.next('offer')).offer, { title: 'Thank you', cause: 'thanks' });
  const isHere = ({ body }: Call): boolean => body.includes('"here"');
  await until(() => callsTo('/all').some(isHere), 'the endpoint for all');
  t.match(JSON.parse(callsTo('/all').find(isHere)!.body), { type: 'message.pushed' });
  t.notOk(callsTo('/mail').some(isHere));
  await client.close();
});

await t.test('a step hands out an offer: the one stated, or the one decided', async (t) => {
  const now = Date.now();
  const offer = {
    id: 'gift5', title: '5.00 off', terms: { kind: 'fixed', saveMinor: 500 }, window: { startsAt: now - 1000, endsAt: now + 86_400_000 },
    budget: { moneyMinor: 1_000_000, count: 1000 }, marginMinor: 50_000,
  };
  t.equal((await api('POST', '/offers', offer)).status, 201);
  t.equal((await api('POST', '/offers/gift5/activate')).status, 200);
  const step = (title: string, from: object): object => ({ afterS: 0, message: { title }, offer: from });
  for (const [id, type, steps] of [
    ['stated', 'like', [step('Take {offer}', { id: 'gift5' })]], ['decided', 'comment', [step('For you: {offer}', { decide: { scene: 'home', offerIds: ['gift5'] } })]],
  ] as const) {
    t.equal((await api('PUT', `/campaigns/${id}`, { title: id, trigger: { on: 'event', types: [type] }, steps })).status, 200);
    await api('POST', `/campaigns/${id}/activate`);
  }
  const inboxOf = async (userId: string): Promise<{ cause: string }[]> => (await api('GET', `/users/${userId}/inbox`)).body['messages'] as { cause: string }[];
  let tries = 0;
  await until(async () => {
    // A decision explores: not everybody is decided the offer.
    tries += 1;
    await act(`taker${tries}`, 'like');
    await act(`taker${tries}`, 'comment');
    return (await inboxOf(`taker${tries}`)).length === 2;
  }, 'both messages', 60_000);
  const messages = (await inboxOf(`taker${tries}`)).toSorted((a, b) => (a.cause < b.cause ? -1 : 1));
  t.match(messages, [{ cause: 'decided', offerId: 'gift5', decisionId: String, title: 'For you: 5.00 off', kind: 'coupon' }, { cause: 'stated', offerId: 'gift5', title: 'Take 5.00 off' }]);
});

await t.test('what fails is tried again with the same id and body; redirects are failures', async (t) => {
  refused = '"again"';
  await api('DELETE', '/webhooks/all');
  await api('PUT', '/webhooks/moved', { url: `${receiverUrl}/moved`, events: ['message.kept'] });
  await act('again', 'share');
  const tries = (): Call[] => callsTo('/mail').filter(({ body }) => body.includes('"again"'));
  await until(() => tries().length === 2 && callsTo('/moved').length > 0, 'the second try', 60_000);
  t.equal(tries()[0]!.headers['webhook-id'], tries()[1]!.headers['webhook-id']);
  t.equal(tries()[0]!.body, tries()[1]!.body);
  t.equal(callsTo('/mail').filter(({ headers }) => headers['webhook-id'] === tries()[0]!.headers['webhook-id']).length, 2, 'the redirect was not followed');
});

import t from 'tap';
import { readConfig, readPlaces } from '../src/config.js';
import { worthOfDeeds } from '../src/learn/ranker/lists.js';

const valuesOf = (text: string): ReturnType<typeof readPlaces>['deedValues'] => readPlaces({ DEED_WORTH: text }).deedValues;

await t.test('the worth of deeds is set as wholes and kept as steps', async (t) => {
  t.same(readPlaces({}).deedValues, { clicked: 1, carted: 1, bought: 2 });
  t.same(worthOfDeeds(valuesOf('1,5,20')), [0, 1, 5, 20]);
  t.same(worthOfDeeds(valuesOf('0,0,1')), [0, 0, 0, 1], 'only purchases count');
  for (const text of ['', '1,2', '1,2,3,4', '3,2,1', '0,0,0', '-1,1,2', 'a,b,c', '1,2,Infinity']) {
    t.throws(() => valuesOf(text), { code: 'invalid_request', message: /DEED_WORTH/u }, text);
  }
});

await t.test('an address of a cluster is read at the start, and not repeated where it is wrong: it may hold a password', async (t) => {
  const url = 'redis-cluster://ann:secret@10.0.0.1:6379,10.0.0.2:6379';
  t.equal(readConfig({ REDIS_URL: url }).redisUrl, url);
  try {
    readConfig({ REDIS_URL: `${url},` });
    t.fail('it was taken');
  } catch (error) {
    t.match(error, { code: 'invalid_request', message: /REDIS_URL.*redis-cluster:/u });
    t.notMatch(error, { message: /secret/u });
  }
});

await t.test('a key that does not fit its algorithm ends the start before anything is connected, and is not repeated', async (t) => {
  t.equal(readConfig({ REDIS_URL: 'redis://127.0.0.1', JWT_KEY: 'k'.repeat(32) }).jwt?.algorithm, 'HS256');
  for (const settings of [{ JWT_KEY: 'too-short' }, { JWT_KEY: 'too-short', JWT_ALGORITHM: 'ES256' }]) {
    t.throws(() => readConfig({ REDIS_URL: 'redis://127.0.0.1', ...settings }), { code: 'invalid_request', message: /^Setting JWT_KEY does not fit JWT_ALGORITHM (?!.*too-short)/u });
  }
});

await t.test('a setting that would be of no effect, or fail later, ends the start by its name', (t) => {
  const REDIS_URL = 'redis://127.0.0.1';
  const misfits = { LOG_LEVEL: ['loud'], DEMO: ['yes'], STORE_CURRENCY: ['jpy', 'EURO', 'QQQ'], REDIS_URL: ['127.0.0.1:6379', 'http://10.0.0.1'], CORS_ORIGINS: ['*', 'https://shop.example/', 'shop.example', 'https://*.shop.example'] };
  for (const [name, values] of Object.entries(misfits)) {
    for (const value of values) t.throws(() => readConfig({ REDIS_URL, [name]: value }), { code: 'invalid_request', message: new RegExp(`^Setting ${name} `, 'u') }, value);
  }
  t.equal(readConfig({ REDIS_URL }).storeCurrency, undefined);
  t.equal(readConfig({ REDIS_URL, STORE_CURRENCY: 'JPY' }).storeCurrency, 'JPY');
  t.equal(readConfig({ REDIS_URL, DEMO: '1', STORE_CURRENCY: 'EUR' }).storeCurrency, 'EUR');
  t.throws(() => readConfig({ REDIS_URL, DEMO: '1', STORE_CURRENCY: 'JPY' }), { message: /^Setting STORE_CURRENCY .*DEMO=0/u }, 'the demo shop has prices in euros');
  t.same(readConfig({ REDIS_URL, CORS_ORIGINS: 'https://shop.example, http://localhost:3000,capacitor://localhost' }).corsOrigins, ['https://shop.example', 'http://localhost:3000', 'capacitor://localhost']);
  t.end();
});

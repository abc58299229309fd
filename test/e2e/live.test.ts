import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { Browser, Page } from 'playwright-core';
import t, { type Test } from 'tap';
import { launchChromium, skipWithoutChromium } from '../helpers/chromium.js';
import { PATIENT, startEngine } from '../helpers/engine.js';

const WAIT_MS = 60_000;
const FILL_MS = 2 * WAIT_MS;
/** The tastes that the demo's room is for, and what its ladder has for each. */
const TASTES = { shoes: 'livesteps-1', kitchen: 'livetable-1' } as const;
/** Products a viewer looks at to be known for a taste. */
const LOOKS = 6;

interface Claims { readonly claims: readonly { readonly offerId: string; readonly code: string; readonly status: string }[] }

void t.test('the page at /live: one cue, a different offer for each taste', { skip: skipWithoutChromium(), timeout: 6 * WAIT_MS }, async (t) => {
  const engine = await startEngine({ role: 'both', env: { ...PATIENT, DEMO: '1' } });
  t.teardown(() => engine.stop());
  const browser = await launchChromium();
  t.teardown(() => browser.close());
  await untilReply(`${engine.url}/v1/offers?status=active&limit=200`, '"id":"livehello-1"');
  await untilReply(`${engine.url}/v1/rooms?status=live`, '"status":"live"');
  const faults: string[] = [];
  const open = (path: string): Promise<Page> => openPage(browser, engine.url + path, faults);
  const viewers = new Map([['shoes', await open('/live')], ['kitchen', await open('/live')]]);
  const host = await open('/live?host');
  for (const [root, page] of viewers) await lookAt(page, root);

  await host.locator('[data-cue=pin]').click();
  for (const page of viewers.values()) await page.locator('#pinned .name').waitFor({ timeout: WAIT_MS });
  await t.test('what is said and liked is seen by all', (t) => chat(t, viewers.get('shoes')!, viewers.get('kitchen')!));
  await t.test('each gets the coupon that fits', async (t) => {
    await host.locator('[data-cue=coupon_ladder]').click();
    for (const [root, page] of viewers) await getsOwn(t, page, root as keyof typeof TASTES, engine.url);
  });
  await t.test('a poll is counted', async (t) => {
    await host.locator('[data-cue=poll]').click();
    const [first, second] = [...viewers.values()];
    await first!.locator('.poll [data-option="1"]').click({ timeout: WAIT_MS });
    await second!.locator('.poll [data-option="1"] small:text-is("1")').waitFor({ timeout: WAIT_MS });
    t.equal(await second!.locator('.poll [data-option="0"] small').textContent(), '0');
  });
  await t.test('the host sees how far the cue reached', async (t) => {
    const legend = host.locator('#reach .legend li', { hasText: 'Coupon ladder' });
    await legend.locator('b:text-is("3")').waitFor({ timeout: WAIT_MS });
    await host.locator('#reach .legend li', { hasText: 'Pin' }).locator('b:text-is("3")').waitFor({ timeout: WAIT_MS });
    t.ok(await host.locator('#reach polyline').count() > 0, 'as a curve');
    await host.locator('#insights h3', { hasText: 'Mood of' }).waitFor({ timeout: WAIT_MS });
  });
  for (const [name, page] of [...viewers, ['host', host] as const]) await page.screenshot({ path: join(tmpdir(), `rivulet-live-${name}.png`), fullPage: true });
  await host.locator('[data-cue=end]').click();
  for (const page of viewers.values()) await page.locator('#room-status[data-status=closed]').waitFor({ timeout: WAIT_MS });
  t.equal(await viewers.get('shoes')!.locator('#drops .poll').count(), 0, 'with the show ends what was open in it');
  t.same(faults, [], 'nothing failed on the way');
});

/** A visitor of their own, in the room. */
async function openPage(browser: Browser, url: string, faults: string[]): Promise<Page> {
  const context = await browser.newContext({ viewport: { width: 1440, height: 1000 } });
  const page = await context.newPage();
  page.on('pageerror', (error) => faults.push(error.message));
  page.on('console', (message) => { if (message.type() === 'error') faults.push(message.text()); });
  page.on('response', (reply) => { if (reply.status() >= 400) faults.push(`${reply.status()} ${reply.url()}`); });
  await page.goto(url);
  await page.locator('#connection[data-state=live]').waitFor({ timeout: WAIT_MS });
  await page.locator('#products [data-item-id]').first().waitFor({ timeout: WAIT_MS });
  return page;
}

/** Looks at products of one category, one after another; the list is ranked anew after each. */
async function lookAt(page: Page, root: string): Promise<void> {
  const ids: string[] = await page.evaluate(`[...document.querySelectorAll('#products [data-root-category="${root}"]')].map((card) => card.dataset.itemId)`);
  for (const id of ids.slice(0, LOOKS)) {
    const answered = page.waitForResponse((reply) => reply.url().endsWith('/v1/recommendations') && (reply.request().postData() ?? '').includes('"view_item"'), { timeout: WAIT_MS });
    await page.locator(`#products [data-item-id="${id}"] button`).click();
    await (await answered).finished();
  }
}

async function chat(t: Test, from: Page, to: Page): Promise<void> {
  await from.locator('#say-text').fill('Lovely! Which sizes are there?');
  await from.locator('#say button').click();
  await from.locator('[data-action=like]').click();
  const said = to.locator('#comments li', { hasText: 'Which sizes' });
  await said.waitFor({ timeout: WAIT_MS });
  t.equal(await said.getAttribute('data-kind'), 'question');
  await to.locator('#likes:text-is("1")').waitFor({ timeout: WAIT_MS });
  await to.locator('#viewers:text-is("3")').waitFor({ timeout: WAIT_MS });
  await to.locator('#unique:text-is("3")').waitFor({ timeout: WAIT_MS });
}

async function getsOwn(t: Test, page: Page, taste: keyof typeof TASTES, url: string): Promise<void> {
  const drop = page.locator(`#drops .personal[data-offer-id="${TASTES[taste]}"]`);
  await drop.waitFor({ timeout: WAIT_MS });
  t.equal(await page.locator('#drops .personal').count(), 1, 'one of their own');
  const visitor: string = await page.evaluate('JSON.parse(localStorage.getItem("rivulet-demo-visitor")).anonymousId');
  const wallet = `${url}/v1/users/${visitor}/wallet?kind=anonymous`;
  // The frame says it first; the wallet is written by whoever follows the offer's ledger.
  await untilReply(wallet, `"offerId":"${TASTES[taste]}"`);
  const { claims } = await (await fetch(wallet)).json() as Claims;
  t.match(claims, [{ offerId: TASTES[taste], status: 'claimed', code: await drop.locator('code').textContent() }], 'claimed for them already');
  t.equal(claims.length, 1);
}

async function untilReply(url: string, has: string): Promise<void> {
  const deadline = Date.now() + FILL_MS;
  while (!(await (await fetch(url)).text()).includes(has)) {
    if (Date.now() > deadline) throw new Error(`waited in vain: no reply of ${url} has ${has}`);
    await pause(250);
  }
}

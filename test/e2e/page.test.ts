import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { Page } from 'playwright-core';
import t, { type Test } from 'tap';
import { launchChromium, skipWithoutChromium } from '../helpers/chromium.js';
import { PATIENT, startEngine } from '../helpers/engine.js';

const WAIT_MS = 60_000;
/** For the demo store to be filled. */
const FILL_MS = 2 * WAIT_MS;
/** An item of the demo store; its data and looks depend on the seed alone. */
const PROBE_ITEM = 'sku-00002';
/** The engine's own pause between the last touch of a cart and an offer, made short, s. */
const CART_ABANDONED_AFTER_S = 2;
/** The demo store's offer for newcomers, and the one that answers a cart left behind. */
const [DECIDED, SENT] = ['welcome-1', 'cart-1'];

/** Root categories of the strip's items, first to last. */
const strip = (page: Page): Promise<string[]> =>
  page.evaluate('[...document.querySelectorAll("#strip [data-root-category]")].map((card) => card.dataset.rootCategory)');
const tabs = (page: Page): Promise<string[]> =>
  page.evaluate('[...document.querySelectorAll("#tabs [data-category]")].map((tab) => tab.dataset.category).filter(Boolean)');
const shareOf = (root: string, roots: readonly string[]): number => roots.filter((name) => name === root).length / roots.length;

/** Does something that makes the page send events, and waits for the strip that answers. */
async function andReRank(page: Page, act: () => Promise<void>): Promise<void> {
  const answered = page.waitForResponse((reply) => reply.url().endsWith('/v1/recommendations') && (reply.request().postData() ?? '').includes('"events"'), { timeout: WAIT_MS });
  await act();
  await (await answered).finished();
  await page.waitForTimeout(100);
}

async function openAndClose(page: Page, place: number): Promise<void> {
  await andReRank(page, () => page.locator(`#grid > li:nth-child(${place}) button`).click());
  await page.keyboard.press('Escape');
}

void t.test('the page at /', { skip: skipWithoutChromium(), timeout: 5 * WAIT_MS }, async (t) => {
  const engine = await startEngine({ role: 'both', env: { ...PATIENT, DEMO: '1', CART_ABANDONED_AFTER_S: String(CART_ABANDONED_AFTER_S) } });
  t.teardown(() => engine.stop());
  const browser = await launchChromium();
  t.teardown(() => browser.close());
  const page = await browser.newPage({ viewport: { width: 1440, height: 1000 } });
  const faults: string[] = [];
  page.on('pageerror', (error) => faults.push(error.message));
  page.on('console', (message) => { if (message.type() === 'error') faults.push(message.text()); });
  page.on('response', (reply) => { if (reply.status() >= 400) faults.push(`${reply.status()} ${reply.url()}`); });
  await storeIsFilled(engine.url);
  await offersAreOpen(engine.url);
  await page.goto(engine.url);
  await page.locator('#tabs [data-category=""]').waitFor({ timeout: WAIT_MS });
  await page.locator('#live[data-state=live]').waitFor({ timeout: WAIT_MS });

  const before = await strip(page);
  t.ok(before.length >= 10, 'a newcomer gets a full strip');
  t.ok(new Set(before).size >= 3, `of several categories: ${before.join(' ')}`);

  const root = (await tabs(page)).reduce((least, name) => (shareOf(name, before) < shareOf(least, before) ? name : least));
  await page.locator(`#tabs [data-category="${root}"]`).click();
  await page.locator(`#grid > li:nth-child(3)[data-root-category="${root}"]`).waitFor({ timeout: WAIT_MS });
  for (const place of [1, 2, 3]) await openAndClose(page, place);
  const after = await strip(page);
  t.ok(shareOf(root, after) > shareOf(root, before), `three clicks in ${root} move its share from ${shareOf(root, before)} to ${shareOf(root, after)}`);
  await page.locator(`#portrait [data-interest="${root}"]`).waitFor({ timeout: WAIT_MS });
  t.ok(await page.locator('#features dt').count() > 0, 'features are shown');
  t.ok(await page.locator('#latency [data-call="recommend"]').count() === 1, 'latency is shown');

  await page.locator('#grid > li:not(:has(.badge.out)):has(.price:text-matches("[0-9]")) button').first().click();
  await andReRank(page, () => page.locator('[data-action=add-to-cart]').click());
  await page.screenshot({ path: join(tmpdir(), 'rivulet-page-product.png') });
  await page.keyboard.press('Escape');
  t.equal(await page.locator('#cart-count').textContent(), '1');
  await page.locator('#offers [data-offer-id]').first().waitFor({ timeout: WAIT_MS });
  t.pass('an offer arrives');
  await page.screenshot({ path: join(tmpdir(), 'rivulet-page.png') });
  await t.test('offers are claimed, counted in and redeemed', (t) => useOffers(t, page, engine.url));

  await page.locator('[data-action=start-over]').click();
  await page.waitForTimeout(1000);
  t.equal(await page.locator('#portrait [data-interest]').count(), 0, 'someone new has no portrait');
  t.equal(await page.locator('#offers [data-offer-id]').count(), 0, 'and no offers');
  t.equal(await page.locator('#wallet [data-claim-id]').count(), 0, 'an empty wallet');
  t.equal(await page.locator('#cart-count').textContent(), '0', 'and an empty cart');
  t.same(faults, [], 'nothing failed on the way');
});

/** With one thing in the cart: the decided offer and the one that was sent, from the card to the till. */
async function useOffers(t: Test, page: Page, url: string): Promise<void> {
  await page.locator(`#deals .decided[data-offer-id=${DECIDED}] .why-offer`).waitFor({ timeout: WAIT_MS });
  t.match(await page.locator('#deals .why-offer').textContent(), /No offer/u, 'why it was decided is told');
  t.match(await page.locator('#deals [data-kind=flash_sale] .stock').textContent(), /^[0-9]+ of 25 left$/u);
  await page.locator('#deals .decided [data-action=claim]').click();
  await page.locator(`#wallet [data-offer-id=${DECIDED}][data-status=claimed]`).waitFor({ timeout: WAIT_MS });
  await page.locator('#offers [data-action=claim]').first().click();
  await page.locator(`#wallet [data-offer-id=${SENT}][data-status=claimed]`).waitFor({ timeout: WAIT_MS });

  await page.locator('[data-action=open-cart]').click();
  const discount = page.locator('#totals dd.discount');
  await discount.waitFor({ timeout: WAIT_MS });
  t.equal(await discount.count(), 1, 'coupons of one group exclude each other: the better one lowers the total');
  const used = await discount.getAttribute('data-offer-id') ?? '';
  const before = await redeemedOf(url, used);
  await page.screenshot({ path: join(tmpdir(), 'rivulet-page-cart.png') });
  await page.locator('[data-action=check-out]').click();
  await page.locator(`#wallet [data-offer-id=${used}][data-status=redeemed]`).waitFor({ timeout: WAIT_MS });
  t.equal(await redeemedOf(url, used), before + 1);
  t.equal(await page.locator('#cart-count').textContent(), '0', 'the order is made');
}

interface Described { readonly offer: { readonly usage: { readonly redeemed: number } } }

async function redeemedOf(url: string, offerId: string): Promise<number> {
  const { offer } = await (await fetch(`${url}/v1/offers/${offerId}`)).json() as Described;
  return offer.usage.redeemed;
}

/** Offers open after the store is filled, the campaign's last. Pauses those that could be decided for a newcomer, but for one. */
async function offersAreOpen(url: string): Promise<void> {
  await untilReply(() => fetch(`${url}/v1/campaigns/cart_abandoned`), `"id":"${SENT}"`);
  for (const id of ['basket-1', 'delivery-1', 'friends-1', 'together-1']) {
    const reply = await fetch(`${url}/v1/offers/${id}/pause`, { method: 'POST' });
    if (!reply.ok) throw new Error(`Offer ${id} could not be paused: ${await reply.text()}`);
  }
}

/** The engine answers while the demo store is still being filled: waits until neighbours are known, which comes last. */
async function storeIsFilled(url: string): Promise<void> {
  const body = JSON.stringify({ anonymousId: 'probe', scene: 'product', itemId: PROBE_ITEM, limit: 20 });
  await untilReply(() => fetch(`${url}/v1/recommendations`, { method: 'POST', headers: { 'content-type': 'application/json' }, body }), '"source":"related"');
}

async function untilReply(ask: () => Promise<Response>, has: string): Promise<void> {
  const deadline = Date.now() + FILL_MS;
  while (!(await (await ask()).text()).includes(has)) {
    if (Date.now() > deadline) throw new Error(`the demo store was not filled in time: no reply has ${has}`);
    await pause(250);
  }
}

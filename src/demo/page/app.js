import { createApi } from './api.js';
import { renderStrip, sourceWords } from './cards.js';
import { Checkout } from './checkout.js';
import { Deals } from './deals.js';
import { showProduct, showRelated } from './dialogs.js';
import { $, h } from './dom.js';
import { connectLive } from './live.js';
import { Offers, showLiveState } from './offers.js';
import { Features, Latency } from './panel.js';
import { renderNobody, renderPortrait } from './portrait.js';
import { Session } from './session.js';
import { Shelf } from './shelf.js';
import { Wallet } from './wallet.js';

/**
 * The demo store's page. One idea carries it: every gesture is noted as an event, and the next recommendation call
 * takes the noted events along, so the list that comes back has already seen them.
 */
const STRIP_ITEMS = 12;
const RELATED_ITEMS = 8;
const TOAST_MS = 2600;
const RETRY_MS = 1500;

const latency = new Latency();
const features = new Features();
const api = createApi((call) => latency.add(call));
const session = new Session();
const shelf = new Shelf({ api, rank: rankForTab, onOpen: open });
const wallet = new Wallet({ api, invited: toast });
const deals = new Deals({
  api, wallet,
  on: {
    item: (id) => known(id),
    showItem: (item) => open(item),
    claim: (run) => claimed(run),
    shown: (offer) => promotion('view_promotion', offer),
    selected: (offer) => promotion('select_promotion', offer),
    dismissed: (offer) => {
      promotion('dismiss', offer);
      void refreshStrip();
    },
  },
});
const offers = new Offers({
  shown: (offer) => promotion('view_promotion', offer),
  selected: (offer) => {
    const item = promotion('select_promotion', offer);
    if (item === undefined) showCart();
    else open(item);
  },
  dismissed: (offer) => {
    promotion('dismiss', offer);
    void refreshStrip();
  },
  claimed: async (offer, button) => {
    const claim = await deals.claim({ id: offer.offerId }, button);
    if (claim !== undefined) promotion('select_promotion', offer);
    return claim !== undefined;
  },
});
const checkout = new Checkout({ api, session, wallet, lines: cartLines, attempt });

let scene = 'home';
let turn = 0;
/** The socket, once it is there. */
let live;
/** Source of each item shown, for the dialog's "why". */
const sources = new Map();

const known = (id) => (id === undefined ? undefined : shelf.items.get(id));

/** Notes what the visitor did with an offer or a message. @returns the item it is about */
function promotion(type, { id, itemId, terms }) {
  const item = known(itemId ?? terms?.itemId);
  session.note(type, scene, type === 'dismiss' ? undefined : item, { context: { offerId: id } });
  return item;
}

/** Runs a claim and says what came of it. */
async function claimed(run) {
  try {
    const claim = await run();
    toast(claim.status === 'held' ? 'Yours, as soon as a friend joins in' : 'In your wallet');
    return claim;
  } catch (error) {
    toast(error.message);
    return undefined;
  }
}

/** Sends what was noted and shows the list that comes back; of two calls under way only the later one's list is shown. */
async function refreshStrip() {
  const mine = ++turn;
  const { body, events } = session.request({ scene: scene === 'product' ? 'home' : scene, limit: STRIP_ITEMS });
  const reply = await attempt(() => api.recommend(body));
  if (reply === undefined) return;
  session.sent(events);
  if (mine !== turn) return;
  remember(reply.items);
  renderStrip($('#strip'), reply.items, open);
  session.note('view_item_list', scene);
  $('#strip-note').textContent = reply.degraded === undefined
    ? `Ranked by ${reply.model}, your last click included`
    : `Reduced service: ${reply.degraded.join(', ').replaceAll('_', ' ')}`;
  void deals.decide(scene).then(refreshPanel);
}

async function rankForTab(fields) {
  const reply = await attempt(() => api.recommend({ anonymousId: session.anonymousId, scene: 'search', ...fields }));
  if (reply === undefined) return [];
  remember(reply.items);
  return reply.items.map(({ id, item }) => ({ id, ...item }));
}

function remember(recommended) {
  for (const { id, item, source } of recommended) {
    shelf.items.set(id, { id, ...item });
    sources.set(id, source);
  }
}

async function refreshPanel() {
  const id = session.anonymousId;
  if (!session.isKnown) return;
  const [portrait, values, growth] = await Promise.all([
    quietly(() => api.portrait(id)), quietly(() => api.features(id)), quietly(() => api.growth(id)), quietly(() => wallet.refresh(id)),
  ]);
  if (id !== session.anonymousId) return;
  if (portrait === undefined) renderNobody();
  else renderPortrait(portrait, growth);
  features.render(values?.features ?? {});
}

/** Opens a product: the click and the view go out with the call that re-ranks the strip. */
function open(item) {
  session.note('select_item', scene, item);
  scene = 'product';
  session.note('view_item', scene, item);
  const source = sources.get(item.id);
  showProduct(item, {
    actions, isWished: session.wishlist.has(item.id),
    why: source === undefined ? undefined : `Why you see it: ${sourceWords(source)}.`,
  });
  void refreshStrip().then(() => showGoesWith(item));
}

async function showGoesWith(item) {
  const reply = await attempt(() => api.recommend({ anonymousId: session.anonymousId, scene: 'product', itemId: item.id, limit: RELATED_ITEMS }));
  if (reply === undefined || $('#product-title')?.textContent !== item.title) return;
  remember(reply.items);
  showRelated(reply.items, open);
}

const actions = {
  'add-to-cart': (item) => {
    session.cart.set(item.id, (session.cart.get(item.id) ?? 0) + 1);
    gesture('add_to_cart', item, { quantity: 1 }, 'In your cart');
  },
  buy: (item) => {
    session.note('begin_checkout', scene, undefined);
    session.cart.delete(item.id);
    gesture('purchase', item, { quantity: 1 }, 'Bought. It is on its imaginary way.');
  },
  wishlist: (item, button) => {
    if (session.wishlist.has(item.id)) return;
    session.wishlist.add(item.id);
    button.setAttribute('aria-pressed', 'true');
    button.textContent = '♥ On your wishlist';
    gesture('add_to_wishlist', item, {}, 'On your wishlist');
  },
  like: (item) => gesture('like', item, {}, 'Liked'),
  share: (item) => gesture('share', item, {}, 'Shared, let us say'),
  'not-interested': (item) => gesture('dismiss', item, {}, 'You will see less of this'),
};

function gesture(type, item, more, words) {
  session.note(type, scene, item, more);
  session.save();
  showCartCount();
  toast(words);
  void refreshStrip();
}

function cartLines() {
  return [...session.cart].flatMap(([id, quantity]) => (known(id) === undefined ? [] : [{ item: known(id), quantity }]));
}

function showCart() {
  scene = 'cart';
  void checkout.show({
    onOpen: open,
    onRemove: (item) => {
      const quantity = session.cart.get(item.id);
      session.cart.delete(item.id);
      gesture('remove_from_cart', item, { quantity }, 'Taken out');
      showCart();
    },
    onBought: (bought) => {
      session.note('begin_checkout', scene, undefined);
      for (const { item, quantity, paidMinor } of bought) session.note('purchase', scene, item, { quantity, value: paidMinor / 100 });
      session.cart.clear();
      session.save();
      showCartCount();
      $('#cart').close();
      scene = 'post_purchase';
      toast('Bought. It is on its imaginary way.');
      void refreshStrip();
    },
  });
}

function showCartCount() {
  $('#cart-count').textContent = String([...session.cart.values()].reduce((sum, quantity) => sum + quantity, 0));
}

/** Runs a call; when it fails, says so once and goes on: what was noted goes out with the next one. */
async function attempt(run) {
  try {
    const answer = await run();
    $('#status').hidden = true;
    return answer;
  } catch (error) {
    $('#status').textContent = `${error.message} Your gestures are kept and sent with the next call.`;
    $('#status').hidden = false;
    return undefined;
  }
}

/** Runs a call whose failure is an answer too: nobody knows a new visitor. */
async function quietly(run) {
  try {
    return await run();
  } catch {
    return undefined;
  }
}

function toast(words) {
  const element = h('p', { class: 'toast' }, words);
  const stack = $('#toasts');
  stack.append(element);
  // Shown anew, the popover lies above a dialog that opened meanwhile.
  stack.hidePopover();
  stack.showPopover();
  setTimeout(() => element.remove(), TOAST_MS);
}

/** Offers, as they come and as they stand when the channel is opened. */
function received({ type, state, offer }) {
  for (const pending of type === 'subscribed' ? state?.offers ?? [] : []) offers.add(pending);
  if (type !== 'offer') return;
  offers.add(offer);
  live.send({ type: 'ack', messageIds: [offer.id] });
}

/** Begins with whoever the session says is here. */
function arrive() {
  live?.close();
  scene = 'home';
  $('#visitor').textContent = session.anonymousId.slice(-6);
  showCartCount();
  offers.clear();
  wallet.clear();
  deals.begin(session.anonymousId);
  renderNobody();
  features.render({});
  live = connectLive({ anonymousId: session.anonymousId, channels: [`user:${session.anonymousId}`], onFrame: received, onState: showLiveState });
  return refreshStrip();
}

for (const dialog of document.querySelectorAll('dialog')) {
  dialog.addEventListener('close', () => { scene = 'home'; });
  dialog.addEventListener('click', (event) => { if (event.target === dialog) dialog.close(); });
}
$('[data-action=open-cart]').addEventListener('click', showCart);
$('[data-action=start-over]').addEventListener('click', () => {
  session.startOver();
  sources.clear();
  void arrive().then(() => shelf.refresh());
});

/** Right after the very first start the store is still being filled. */
async function openStore() {
  await shelf.refresh();
  await attempt(() => shelf.load());
  if (shelf.items.size > 0) return;
  $('#strip-note').textContent = 'The store is just being filled…';
  setTimeout(() => void refreshStrip().then(openStore), RETRY_MS);
}

await arrive();
await openStore();

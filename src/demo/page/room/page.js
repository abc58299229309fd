import { createApi } from '../api.js';
import { artOf } from '../art.js';
import { renderStrip } from '../cards.js';
import { $, h, money, newId } from '../dom.js';
import { connectLive } from '../live.js';
import { Session } from '../session.js';
import { Chat } from './chat.js';
import { Drops } from './drops.js';
import { Host } from './host.js';
import { drawScenery } from './scenery.js';

/**
 * The room's page. The socket carries it: the room's state comes with the subscription, then frames in order; the products are
 * ranked for the viewer anew whenever something was done that tells of their taste.
 */
const TOAST_MS = 2600;
const PRODUCTS = 30;

const api = createApi(() => {});
const session = new Session();
/** Item id → item, of the room's products. */
const items = new Map();
/** Idempotency-Key by offer: a claim that failed midway is asked for again, not made twice. */
const keys = new Map();
let room;
let ladder = [];
let likes = 0;
let live;

const chat = new Chat(`Guest ${session.anonymousId.slice(-4)}`, (interaction) => live?.send({ type: 'interact', roomId: room.id, ...interaction }));
const drops = new Drops({
  item: (id) => items.get(id),
  offer: (id) => quietly(() => api.offer(id)),
  claim: (offerId, button) => claim(offerId, button),
  vote: (cue, option) => live.send({ type: 'interact', roomId: room.id, action: 'vote', cueId: cue.id, option }),
  acknowledged: (messageId) => live.send({ type: 'ack', messageIds: [messageId] }),
});
const host = new Host({ api, room: () => room, items, ladder: () => ladder, say: toast });

/** What a frame of the room or of the viewer's own channel changes. */
const frames = {
  subscribed: ({ channel, state }) => {
    if (state === undefined) return;
    if (channel === `room:${room.id}`) show(state);
    else for (const offer of state.offers ?? []) if (offer.roomId === room.id) void drops.offer(offer);
  },
  room: (frame) => showRoom(frame.room),
  cue: ({ cue }) => {
    host.cue(cue);
    drops.cue(cue);
    if (cue.kind === 'pin') showPinned(cue.itemId ?? undefined);
    if (cue.kind === 'end') showRoom({ ...room, status: 'closed' });
  },
  comments: ({ comments }) => chat.add(comments),
  stats: (frame) => showStats(frame),
  offer: ({ offer }) => void drops.offer(offer),
  error: ({ message }) => toast(message),
};

function show({ room: current, cues, stats, comments }) {
  for (const cue of cues) {
    host.cue(cue);
    drops.cue(cue);
  }
  showRoom(current);
  if (stats !== undefined) showStats(stats);
  chat.add(comments ?? []);
}

function showRoom(current) {
  room = current;
  $('#room-title').textContent = room.title;
  $('#room-host').textContent = `with ${room.host.name}`;
  const status = $('#room-status');
  status.dataset.status = room.status;
  status.textContent = { live: 'LIVE', closed: 'over', scheduled: 'soon' }[room.status];
  showPinned(room.pinnedItemId);
  host.drawItems();
  if (room.status === 'closed') drops.over();
}

function showStats(stats) {
  for (const name of ['viewers', 'unique', 'likes']) $(`#${name}`).textContent = String(stats[name] ?? 0);
  chat.cheer(Math.max(0, (stats.likes ?? 0) - likes));
  likes = stats.likes ?? 0;
  drops.stats(stats);
}

function showPinned(itemId) {
  const item = items.get(itemId);
  const place = $('#pinned');
  if (place.dataset.itemId === (item?.id ?? '')) return;
  place.dataset.itemId = item?.id ?? '';
  place.replaceChildren(...(item === undefined ? [] : [
    h('span', { class: 'frame' }, artOf(item)),
    h('div', { class: 'text' }, h('p', { class: 'name' }, item.title), h('p', { class: 'price' }, money(item.price, item.currency)),
      h('div', { class: 'actions' }, h('button', { type: 'button', class: 'primary', 'data-action': 'add-to-cart', onclick: () => addToCart(item) }, 'Into the cart'))),
  ]));
}

/** Notes what the viewer did, and lets the engine rank the room's products by it. */
async function did(type, item, more = {}) {
  session.note(type, 'live', item, { roomId: room.id, ...more });
  const { body, events } = session.request({ scene: 'live', roomId: room.id, limit: PRODUCTS });
  const reply = await quietly(() => api.recommend(body));
  if (reply === undefined) return;
  session.sent(events);
  for (const { id, item: known } of reply.items) items.set(id, { id, ...known });
  renderStrip($('#products'), reply.items, (chosen) => void did('view_item', chosen));
  $('#products-note').textContent = `Ranked by ${reply.model}`;
}

function addToCart(item) {
  session.cart.set(item.id, (session.cart.get(item.id) ?? 0) + 1);
  session.save();
  toast('In your cart');
  void did('add_to_cart', item, { quantity: 1 });
}

async function claim(offerId, button) {
  button.disabled = true;
  const key = keys.get(offerId) ?? newId();
  keys.set(offerId, key);
  try {
    const made = await api.claim(offerId, key, { anonymousId: session.anonymousId });
    toast('In your wallet');
    return made;
  } catch (error) {
    toast(error.message);
    if (error.statusCode !== 0) keys.delete(offerId);
    return undefined;
  } finally {
    button.disabled = false;
  }
}

async function quietly(ask) {
  try {
    return await ask();
  } catch (error) {
    notice(error.message);
    return undefined;
  }
}

function notice(text) {
  $('#status').textContent = text;
  $('#status').hidden = text === '';
}

function toast(text) {
  const toasts = $('#toasts');
  const entry = h('p', { class: 'toast' }, text);
  toasts.append(entry);
  toasts.showPopover?.();
  setTimeout(() => entry.remove(), TOAST_MS);
}

/** Coupons of which each viewer gets the one that fits: the store's offers that are meant for live rooms only. */
async function loadLadder() {
  const open = await quietly(() => api.offers()) ?? [];
  ladder = open.filter(({ scenes, terms }) => scenes?.length === 1 && scenes[0] === 'live' && terms.kind !== 'flash_sale').map(({ id }) => id).slice(0, 8);
}

async function start() {
  drawScenery($('#scenery'));
  $('#visitor').textContent = session.anonymousId.slice(-6);
  const wanted = new URLSearchParams(location.search).get('room');
  const rooms = await quietly(() => api.rooms());
  if (rooms === undefined) return;
  room = rooms.find(({ id }) => id === wanted) ?? rooms[0];
  if (room === undefined) {
    notice('No room is live at the moment. Open one with POST /v1/rooms.');
    return;
  }
  await Promise.all([...room.products.map(async (id) => {
    const item = await quietly(() => api.item(id));
    if (item !== undefined) items.set(id, item);
  }), loadLadder()]);
  showRoom(room);
  live = connectLive({
    anonymousId: session.anonymousId, channels: [`user:${session.anonymousId}`, `room:${room.id}`],
    onFrame: (frame) => frames[frame.type]?.(frame),
    onState: (state) => {
      const badge = $('#connection');
      badge.dataset.state = state;
      badge.textContent = { connecting: 'connecting', live: 'live', waiting: 'reconnecting', closed: 'closed' }[state];
    },
  });
  await did('view_item_list');
  const button = $('[data-action=toggle-host]');
  const toggle = (isHost) => {
    button.setAttribute('aria-pressed', String(isHost));
    host.show(isHost);
  };
  button.addEventListener('click', () => toggle(button.getAttribute('aria-pressed') !== 'true'));
  if (new URLSearchParams(location.search).has('host')) toggle(true);
}

void start();

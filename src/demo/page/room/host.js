import { $, h, newId, readable } from '../dom.js';
import { drawReach } from './reach.js';

const REFRESH_MS = 1500;
/** Cues of which the reach is shown. */
const CUES_SHOWN = 4;
const COUPON_S = 60;
const FLASH = { share: 0.7, stock: 20, durationS: 60 };

/** The host's panel: cues at a click, what the room is about, and how far each cue reached. */
export class Host {
  #timer;
  #cues = [];

  /** @param room reads the room as it is known; @param items item id → item; @param say shows a line of text */
  constructor({ api, room, items, ladder, say }) {
    Object.assign(this, { api, room, items, ladder, say });
    for (const button of document.querySelectorAll('[data-cue]')) button.addEventListener('click', () => void this.#give(button.dataset.cue, button));
  }

  show(isShown) {
    $('#host').hidden = !isShown;
    clearInterval(this.#timer);
    if (!isShown) return;
    this.drawItems();
    void this.#refresh();
    this.#timer = setInterval(() => void this.#refresh(), REFRESH_MS);
  }

  /** The room's products, to choose from. */
  drawItems() {
    const field = $('#cue-item');
    const chosen = field.value;
    field.replaceChildren(...(this.room()?.products ?? []).map((id) => h('option', { value: id, selected: id === chosen }, this.items.get(id)?.title ?? id)));
  }

  cue(cue) {
    this.#cues = [...this.#cues.filter(({ number }) => number !== cue.number), cue].slice(-CUES_SHOWN);
  }

  async #give(kind, button) {
    const body = this.#bodyOf(kind, $('#cue-item').value);
    // One key a wish: a reply that was lost is asked for again with it.
    button.dataset.key ??= newId();
    button.disabled = true;
    try {
      const { cue } = await this.api.cue(this.room().id, button.dataset.key, body);
      delete button.dataset.key;
      this.say(`Cue ${cue.number}: ${readable(cue.kind)}`);
    } catch (error) {
      if (error.statusCode !== 0) delete button.dataset.key;
      this.say(error.message);
    }
    button.disabled = false;
  }

  #bodyOf(kind, itemId) {
    const item = this.items.get(itemId);
    const bodies = {
      pin: () => ({ kind, itemId }),
      flash_sale: () => ({ kind, itemId, priceMinor: Math.round((item?.price ?? 10) * 100 * FLASH.share), stock: FLASH.stock, durationS: FLASH.durationS }),
      coupon_ladder: () => ({ kind, offerIds: this.ladder(), durationS: COUPON_S }),
      poll: () => ({ kind, question: 'Which one shall we open next?', options: this.room().products.slice(0, 3).map((id) => (this.items.get(id)?.title ?? id).slice(0, 60)), durationS: 60 }),
      gift_goal: () => ({ kind, title: 'A rose for the band', target: 10, durationS: 120 }),
      end: () => ({ kind }),
    };
    return bodies[kind]();
  }

  async #refresh() {
    const room = this.room();
    if (room === undefined) return;
    try {
      const [insights, reaches] = await Promise.all([this.api.insights(room.id), Promise.all(this.#cues.map(({ number }) => this.api.cueOf(room.id, number)))]);
      this.#drawInsights(insights);
      drawReach(reaches);
    } catch (error) {
      $('#host-note').textContent = error.message;
    }
  }

  #drawInsights({ stats, sentiment, asked, suggestions }) {
    const mood = h('span', { class: 'bar mood', role: 'img', 'aria-label': 'Mood of the comments' });
    mood.style.setProperty('--share', String((sentiment.score + 1) / 2));
    const nameOf = (itemId) => this.items.get(itemId)?.title ?? itemId;
    const topics = [...asked.themes.map(({ theme, level }) => [theme, level]), ...asked.items.map(({ itemId, level }) => [nameOf(itemId), level]), ...asked.words.map(({ word, level }) => [word, level])];
    $('#insights').replaceChildren(
      h('h3', {}, `Mood of ${stats.comments} ${stats.comments === 1 ? 'comment' : 'comments'}`), mood,
      h('h3', {}, 'Asked about now'),
      topics.length === 0 ? h('p', { class: 'note' }, 'Nobody has asked yet.')
        : h('ul', { class: 'chips' }, ...topics.map(([topic, level]) => h('li', {}, `${topic} · ${Math.round(level)}`))));
    $('#suggestion').replaceChildren(...suggestions.slice(0, 1).map(({ kind, itemId, reason }) => h('p', { class: 'suggestion' },
      `${nameOf(itemId)}: ${reason}. Next cue: ${readable(kind).toLowerCase()}.`)));
  }
}

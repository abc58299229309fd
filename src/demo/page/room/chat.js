import { $, h } from '../dom.js';

const SHOWN_MAX = 80;
/** Hearts in the air at once. */
const HEARTS_MAX = 24;
const HEART_MS = 2600;
const BREATH_MS = 500;
const QUESTION = /[?？吗呢]\s*$|^(how|what|where|when|which|is|are|do|does|can|will)\b/iu;

/** What is said in the room, and the means to say it. */
export class Chat {
  #shown = new Set();
  #likes = 0;

  /**
   * @param name under what the viewer says
   * @param send tells the room: `({action, text?, name?, count?})`
   */
  constructor(name, send) {
    this.send = send;
    $('#say').addEventListener('submit', (event) => {
      event.preventDefault();
      const field = $('#say-text');
      const text = field.value.trim();
      if (text === '') return;
      send({ action: QUESTION.test(text) ? 'question' : 'comment', text, name });
      field.value = '';
    });
    $('[data-action=like]').addEventListener('click', () => this.#like());
    $('[data-action=gift]').addEventListener('click', () => send({ action: 'gift', count: 1 }));
  }

  /** @param comments each shown once, by its id */
  add(comments) {
    const list = $('#comments');
    const isAtEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
    for (const { id, from, text, kind } of comments) {
      if (this.#shown.has(id)) continue;
      this.#shown.add(id);
      list.append(h('li', { data: { kind, commentId: id } }, h('b', {}, from === '' ? 'Guest' : from), text ?? 'sends a rose'));
    }
    while (list.children.length > SHOWN_MAX) {
      this.#shown.delete(list.firstElementChild.dataset.commentId);
      list.firstElementChild.remove();
    }
    if (isAtEnd) list.scrollTop = list.scrollHeight;
  }

  /** Lets hearts rise for likes that came in. */
  cheer(count) {
    const hearts = $('#hearts');
    for (let i = 0; i < Math.min(count, HEARTS_MAX - hearts.children.length); i++) {
      const heart = h('span', {}, '♥');
      heart.style.setProperty('--x', String(Math.random() * 70));
      heart.style.setProperty('--drift', String(Math.random() * 60 - 30));
      heart.style.animationDelay = `${Math.random() * 600}ms`;
      hearts.append(heart);
      setTimeout(() => heart.remove(), HEART_MS + 600);
    }
  }

  /** Likes of one breath travel together. */
  #like() {
    this.cheer(1);
    this.#likes += 1;
    if (this.#likes > 1) return;
    setTimeout(() => {
      this.send({ action: 'like', count: this.#likes });
      this.#likes = 0;
    }, BREATH_MS);
  }
}

const SVG = 'http://www.w3.org/2000/svg';

/** Makes an element; `on…` are listeners, `data` is the dataset, the rest are attributes (false and undefined are left out). */
export function h(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

export function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === false) continue;
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else if (name === 'data') Object.assign(element.dataset, value);
    else element.setAttribute(name, value === true ? '' : value);
  }
  element.append(...children.filter((child) => child !== undefined && child !== null && child !== false));
  return element;
}

export const $ = (selector) => document.querySelector(selector);

/** Money as the shopper's language writes it. */
export function money(amount, currency = 'EUR') {
  return new Intl.NumberFormat(navigator.language, { style: 'currency', currency }).format(amount);
}

export const minor = (amountMinor, currency) => money(amountMinor / 100, currency);

/** A moment, as short as it may be: the time alone when it is today. */
export function moment(at) {
  const time = new Date(at);
  const isToday = time.toDateString() === new Date().toDateString();
  return time.toLocaleString(navigator.language, isToday ? { timeStyle: 'short' } : { dateStyle: 'medium' });
}

/** `coffee-beans` → `Coffee beans`. */
export function readable(name) {
  const text = name.replaceAll(/[-_/]+/g, ' ');
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** An id that works on plain http too, where `crypto.randomUUID` is missing. */
export function newId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** Shows these children in a list. One that looks as before stays where it is, with its focus; an open "why" stays open. */
export function refill(list, children, keyOf) {
  const old = new Map([...list.children].map((child) => [keyOf(child), child]));
  const next = children.map((child) => {
    const before = old.get(keyOf(child));
    child.querySelector('details')?.toggleAttribute('open', before?.querySelector('details')?.open === true);
    return before?.isEqualNode(child) === true ? before : child;
  });
  for (const child of old.values()) if (!next.includes(child)) child.remove();
  next.forEach((child, i) => {
    if (list.children[i] !== child) list.insertBefore(child, list.children[i] ?? null);
  });
}

/** Lets the children of a list glide to their new places; `change` alters the list. */
export function glide(list, change) {
  const before = new Map([...list.children].map((child) => [child, child.getBoundingClientRect()]));
  change();
  if (matchMedia('(prefers-reduced-motion: reduce)').matches) return;
  for (const child of list.children) {
    const from = before.get(child);
    if (from === undefined) {
      child.animate([{ opacity: 0, transform: 'scale(0.92)' }, { opacity: 1, transform: 'none' }], { duration: 320, easing: 'ease-out' });
      continue;
    }
    const to = child.getBoundingClientRect();
    const [dx, dy] = [from.left - to.left, from.top - to.top];
    if (dx !== 0 || dy !== 0) child.animate([{ transform: `translate(${dx}px, ${dy}px)` }, { transform: 'none' }], { duration: 420, easing: 'cubic-bezier(.2,.7,.2,1)' });
  }
}

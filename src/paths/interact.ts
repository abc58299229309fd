import type { Catalog } from '../catalog/catalog.js';
import { INTERACTION_LIMITS, type Act, type Action, type Interaction } from '../domain/interaction.js';
import type { Room } from '../domain/room.js';
import type { ShopperKey } from '../domain/shopper.js';
import { AppError } from '../errors.js';
import { cleanText } from '../pulse/clean-text.js';
import { ProductNames } from '../pulse/product-names.js';
import { isQuestion } from '../pulse/questions.js';
import { sentimentOf } from '../pulse/sentiment.js';
import { topicsOf } from '../pulse/topics.js';
import { VelocityLimiter } from '../risk/velocity.js';
import { BoundedMap } from '../util/bounded-map.js';
import type { Clock } from '../util/clock.js';
import { hash48 } from '../util/hash.js';
import { RecentSet } from '../util/recent-set.js';
import type { OpenCues } from './open-cues.js';
import { onceA, type RoomEvents } from './room-events.js';
import { findRoom, type RoomFinder } from './room-finder.js';
import type { RoomPulse } from './room-pulse.js';

export const INTERACT_LIMITS = {
  /** What one shopper may do in a minute, by a process: likes are taps. */
  perMinute: { like: 1200, comment: 20, question: 20, gift: 300, vote: 60 },
  /** Rooms whose products are kept by name. */
  roomsMax: 1000,
  /** Likes remembered as events that were made. */
  likesMax: 100_000,
} as const;

export interface InteractOptions {
  readonly rooms: RoomFinder;
  readonly cues: OpenCues;
  readonly pulse: RoomPulse;
  readonly events: RoomEvents;
  readonly catalog: Catalog;
  /** Who is flagged is answered like anybody, and counts for nothing. */
  readonly flagged: { has(shopper: ShopperKey): boolean };
  readonly clock: Clock;
  readonly newId: () => string;
}

/** What a viewer does in a room, top to bottom: is it open, is it not too much, does it count; then it is noted, and becomes an event of theirs. */
export class Interact {
  readonly #options: InteractOptions;
  readonly #limiters: Readonly<Record<Action, VelocityLimiter>>;
  readonly #names = new BoundedMap<string, { readonly version: number; readonly names: ProductNames }>(INTERACT_LIMITS.roomsMax);
  readonly #liked = new RecentSet(INTERACT_LIMITS.likesMax);

  constructor(options: InteractOptions) {
    this.#options = options;
    const limiterOf = (action: Action): VelocityLimiter =>
      new VelocityLimiter({ user: INTERACT_LIMITS.perMinute[action], device: 0, ip: 0 }, options.clock);
    const comments = limiterOf('comment');
    this.#limiters = { like: limiterOf('like'), comment: comments, question: comments, gift: limiterOf('gift'), vote: limiterOf('vote') };
  }

  /** @throws AppError `not_found`, `room_not_live`, `rate_limited`, `invalid_request`, `outside_window` (a poll that is over) */
  async interact(shopper: ShopperKey, roomId: string, act: Interaction): Promise<void> {
    const room = await findRoom(this.#options.rooms, roomId);
    if (room.status !== 'live') throw new AppError('room_not_live', `Room ${roomId} is not live yet; wait for its frame that says so.`);
    if ('itemId' in act && act.itemId !== undefined && !room.products.includes(act.itemId)) throw new AppError('invalid_request', `itemId ${act.itemId} is no product of this room.`);
    this.#admit(shopper, act);
    const isFlagged = this.#options.flagged.has(shopper);
    if (act.action === 'vote') await this.#vote(room, shopper, act, isFlagged);
    else if (act.action === 'gift') await this.#gift(room, shopper, act, isFlagged);
    else if (act.action === 'like') this.#like(room, shopper, act, isFlagged);
    else this.#say(room, shopper, act, isFlagged);
  }

  #admit(shopper: ShopperKey, act: Interaction): void {
    const count = act.action === 'like' || act.action === 'gift' ? act.count ?? 1 : 1;
    const waitS = this.#limiters[act.action].take({ user: shopper }, count);
    if (waitS !== undefined) {
      throw new AppError('rate_limited', `More than ${INTERACT_LIMITS.perMinute[act.action]} ${act.action}s in a minute; try again in ${waitS} s.`, { retryAfterS: waitS });
    }
  }

  #like(room: Room, shopper: ShopperKey, { count = 1, itemId }: Act<'like'>, isFlagged: boolean): void {
    const { pulse, events } = this.#options;
    if (!isFlagged) pulse.note(room.id, (tally) => { tally.like(count); });
    const id = onceA(room, 'like', itemId);
    const key = hash48(`${id} ${shopper}`);
    if (this.#liked.has(key)) return;
    this.#liked.add(key);
    events.push(room, shopper, { id, type: 'like', ...(itemId === undefined ? {} : { itemId }) });
  }

  #say(room: Room, shopper: ShopperKey, { action, text, name = '', itemId }: Act<'comment'> | Act<'question'>, isFlagged: boolean): void {
    const { pulse, events, clock, newId } = this.#options;
    const { textCharsMax, nameCharsMax } = INTERACTION_LIMITS;
    const clean = cleanText(text, textCharsMax);
    const from = cleanText(name, nameCharsMax);
    if (clean === undefined) throw new AppError('invalid_request', `text has more than ${textCharsMax} characters.`);
    if (from === undefined) throw new AppError('invalid_request', `name has more than ${nameCharsMax} characters.`);
    if (clean === '') throw new AppError('invalid_request', 'text has nothing in it that could be shown.');
    const kind = action === 'question' || isQuestion(clean) ? 'question' : 'comment';
    const mood = sentimentOf(clean);
    const id = newId();
    const about = itemId === undefined ? {} : { itemId };
    events.push(room, shopper, { id: `live:${id}`, type: 'comment', context: { kind, mood }, ...about });
    if (isFlagged) return;
    const topics = kind === 'question' ? topicsOf(clean, this.#namesOf(room), itemId ?? room.pinnedItemId) : [];
    pulse.note(room.id, (tally) => { tally.say({ id, kind, from, text: clean, at: clock(), ...about }, mood, topics); });
  }

  async #gift(room: Room, shopper: ShopperKey, { count = 1, value, currency }: Act<'gift'>, isFlagged: boolean): Promise<void> {
    const { cues, pulse, events, newId } = this.#options;
    const goals = (await cues.of(room.id)).flatMap((cue) => (cue.kind === 'gift_goal' ? [cue.number] : []));
    if (!isFlagged) pulse.note(room.id, (tally) => { tally.gift(count, goals); });
    events.push(room, shopper, {
      id: `live:${newId()}`, type: 'send_gift', quantity: count, ...(value === undefined ? {} : { value }), ...(currency === undefined ? {} : { currency }),
    });
  }

  /** A shopper has one vote in a poll; another one takes its place while the poll is open. */
  async #vote(room: Room, shopper: ShopperKey, { cueId, option }: Act<'vote'>, isFlagged: boolean): Promise<void> {
    const poll = (await this.#options.cues.of(room.id)).find(({ id }) => id === cueId);
    if (poll?.kind !== 'poll') throw new AppError('outside_window', `${cueId} is no poll of room ${room.id} that is open.`);
    const options = poll.options.length;
    if (option >= options) throw new AppError('invalid_request', `option ${option} is none of the ${options} options, which count from 0.`);
    if (isFlagged) return;
    // A voter is kept by a hash: who voted what is nobody's business.
    const voter = hash48(shopper).toString(36);
    if (!this.#options.pulse.note(room.id, (tally) => tally.vote(poll.number, voter, option, options))) {
      throw new AppError('overloaded', 'Too many votes wait to be counted; vote again in a few seconds.');
    }
  }

  #namesOf(room: Room): ProductNames {
    const known = this.#names.get(room.id);
    if (known?.version === room.version) return known.names;
    const { catalog } = this.#options;
    const names = new ProductNames(room.products.map((id) => ({ id, title: catalog.item(catalog.rowOf(id))?.title ?? '' })));
    this.#names.set(room.id, { version: room.version, names });
    return names;
  }
}

import fc from 'fast-check';
import t from 'tap';
import { Continuity, RESUME_WINDOW, type Breach } from '../../../bench/live/continuity.js';
import { readHead } from '../../../bench/live/frame-head.js';

const EPOCH = '1700000000000';
const LATER = '1700000500000';

/** A log as the engine keeps it, and a client of it. */
class Line {
  readonly client = new Continuity();
  readonly breaches: Breach[] = [];
  epoch = EPOCH;
  head = 0;
  /** Up to here the client was sent. */
  sent = 0;
  now = 0;
  isHere = false;

  publish(): void {
    this.head += 1;
    if (this.isHere) this.send(++this.sent);
  }

  send(offset: number): void {
    this.note(this.client.frame({ epoch: this.epoch, offset }));
  }

  leave(): void {
    this.isHere = false;
    this.client.left(this.now);
  }

  /** Subscribes anew and is told the truth. */
  come(): void {
    this.isHere = true;
    this.client.asked();
    const from = this.client.position;
    const isThere = from?.epoch === this.epoch && this.head - from.offset <= RESUME_WINDOW.frames;
    this.answer(from === undefined ? undefined : isThere, isThere ? from.offset : this.head);
    if (isThere) while (this.sent < this.head) this.send(++this.sent);
    this.sent = this.head;
  }

  answer(recovered: boolean | undefined, offset: number): void {
    this.note(this.client.subscribed({ epoch: this.epoch, offset, recovered }, this.now));
  }

  note(breach: Breach | undefined): void {
    if (breach !== undefined) this.breaches.push(breach);
  }
}

const deed = fc.oneof(
  { weight: 6, arbitrary: fc.nat(20).map((count) => (line: Line) => { for (let i = 0; i < count; i++) line.publish(); }) },
  { weight: 1, arbitrary: fc.constant((line: Line) => { for (let i = 0; i <= RESUME_WINDOW.frames; i++) line.publish(); }) },
  { weight: 4, arbitrary: fc.constant((line: Line) => { line.leave(); line.now += 100; line.come(); }) },
  { weight: 2, arbitrary: fc.constant((line: Line) => { line.leave(); }) },
  { weight: 2, arbitrary: fc.constant((line: Line) => { if (!line.isHere) line.come(); }) },
);

await t.test('an honest engine breaks no rule', async (t) => {
  fc.assert(fc.property(fc.array(deed, { maxLength: 60 }), (deeds) => {
    const line = new Line();
    line.come();
    for (const act of deeds) act(line);
    if (!line.isHere) line.come();
    t.same(line.breaches, []);
    t.same(line.client.position, { epoch: line.epoch, offset: line.head });
  }));
});

/** A client that stands at 5 and has left 50 ms ago. */
function gone(): Line {
  const line = new Line();
  line.come();
  for (let i = 0; i < 5; i++) line.publish();
  line.leave();
  line.now += 50;
  line.client.asked();
  return line;
}

const PLANTED: Readonly<Record<string, readonly [(line: Line) => void, readonly string[]]>> = {
  'a frame left out': [(line) => { line.answer(true, 5); line.send(6); line.send(8); line.send(9); }, ['gap']],
  'a frame twice': [(line) => { line.answer(true, 5); line.send(6); line.send(6); line.send(7); }, ['duplicate']],
  'frames that were there before': [(line) => { line.answer(true, 5); line.send(4); line.send(5); line.send(6); }, ['duplicate', 'duplicate']],
  'two frames in the wrong order': [(line) => { line.answer(true, 5); line.send(7); line.send(6); }, ['gap', 'duplicate']],
  'another log without a word': [(line) => { line.answer(true, 5); line.epoch = LATER; line.send(6); line.send(7); }, ['other_epoch']],
  'frames before the answer': [(line) => { line.send(6); line.answer(true, 5); line.send(6); }, ['unsubscribed']],
  'a resume that goes on at the head': [(line) => { line.answer(true, 9); line.send(10); }, ['wrong_position']],
  'a resume in another log': [(line) => { line.epoch = LATER; line.answer(true, 5); }, ['wrong_position']],
  'a resume answered like a first subscription': [(line) => { line.answer(undefined, 9); }, ['no_answer']],
  'a resume refused without need': [(line) => { line.answer(false, 305); }, ['lost_in_window']],
};

for (const [name, [plant, found]] of Object.entries(PLANTED)) {
  await t.test(`found: ${name}`, async (t) => {
    const line = gone();
    plant(line);
    t.same(line.breaches.map(({ rule }) => rule), found);
  });
}

await t.test('an honest no is no breach: too many frames, too long, another log; nor one that nobody asked for', async (t) => {
  const many = gone();
  many.answer(false, 306);
  const long = gone();
  long.now += RESUME_WINDOW.ms;
  long.answer(false, 6);
  const other = gone();
  other.epoch = LATER;
  other.answer(false, 1);
  other.answer(false, 9);
  other.send(10);
  for (const line of [many, long, other]) t.same(line.breaches, []);
  t.match(other.client, { lost: 2, recovered: 0, position: { epoch: LATER, offset: 10 } });
});

await t.test('the head of a frame is read without parsing it', async (t) => {
  const head = (frame: string): unknown => readHead(Buffer.from(frame));
  t.same(head(`{"type":"offer","channel":"user:ann","epoch":"${EPOCH}","offset":12,"offer":{"id":"1"}}`), { type: 'offer', channel: 'user:ann', epoch: EPOCH, offset: 12 });
  t.same(head('{"type":"ping"}'), { type: 'ping', channel: undefined, epoch: '', offset: 0 });
  t.match(head('{"type":"subscribed","replyTo":"1","channel":"room:r1"}'), { type: 'subscribed', channel: undefined });
  t.throws(() => head('["type"]'));
});

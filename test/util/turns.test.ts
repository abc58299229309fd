import t from 'tap';
import { Turns } from '../../src/util/turns.js';

await t.test('who comes later begins when all before have ended, whoever they are', async (t) => {
  const turns = new Turns(60_000);
  t.equal(turns.isTaken('a'), false);
  const order: string[] = [];
  const ends = new Map<string, () => void>();
  const come = async (key: string, who: string): Promise<void> => {
    ends.set(who, await turns.take(key));
    order.push(who);
  };
  await come('a', 'first');
  const later = [come('a', 'second'), come('a', 'third')];
  await come('b', 'another');
  t.same(order, ['first', 'another'], 'another key is another line');
  t.equal(turns.isTaken('a'), true);
  ends.get('first')!();
  await later[0];
  t.same(order, ['first', 'another', 'second']);
  ends.get('second')!();
  await later[1];
  ends.get('third')!();
  t.equal(turns.isTaken('a'), false, 'nothing is left of a line that is over');
});

await t.test('who has waited too long begins all the same', async (t) => {
  const turns = new Turns(20);
  const endFirst = await turns.take('a');
  const endSecond = await turns.take('a');
  endFirst();
  t.equal(turns.isTaken('a'), true, 'the end of an older turn ends no newer one');
  endSecond();
  t.equal(turns.isTaken('a'), false);
});

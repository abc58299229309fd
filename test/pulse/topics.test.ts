import fc from 'fast-check';
import t from 'tap';
import { cleanText } from '../../src/pulse/clean-text.js';
import { ProductNames } from '../../src/pulse/product-names.js';
import { isQuestion } from '../../src/pulse/questions.js';
import { topicsOf } from '../../src/pulse/topics.js';

const PRODUCTS = new ProductNames([
  { id: 'mask', title: '玫瑰保湿面膜 10片' }, { id: 'red', title: '丝绒口红 正红' }, { id: 'nude', title: '丝绒口红 豆沙' },
  { id: 'boots', title: 'Chelsea Boots for Women' }, { id: 'sneakers', title: 'Running Sneakers' },
]);

await t.test('questions are told from what is said', async (t) => {
  for (const text of [
    '多少钱', '好用吗', '有没有黑色', '什么时候发货', '哪个好看', '1号链接是哪个', '身高160穿什么码', '会不会掉色', '怎么领券', '能开发票吗', '求链接', '想看3号', '这个呢', '保质期多久', '好不好用？',
    'how much is it', 'do you ship to Canada', 'What size should I get', 'is it waterproof', 'link please', 'anyone tried it', 'really?', 'can you show the back', 'where do I buy it', 'number 2 how much is it',
  ]) t.ok(isQuestion(text), text);
  for (const text of [
    '好看', '没什么效果', '买了两件', '怎么这么好看', '再也不买了', '主播好美', '不好不坏', 'love it', 'do not buy', 'it is great', 'just ordered', 'what a lovely dress', 'when I got it I was so happy', '',
  ]) t.notOk(isQuestion(text), text);
});

await t.test('a question is about themes, a product and words', async (t) => {
  const of = (text: string, shown?: string): string[] => topicsOf(text, PRODUCTS, shown);
  t.same(of('面膜多少钱'), ['theme:price', 'item:mask', 'word:面膜']);
  t.same(of('多少钱', 'boots'), ['theme:price', 'item:boots'], 'what is shown is meant');
  t.same(of('多少钱'), ['theme:price'], 'nothing is shown');
  t.same(of('do you ship to Canada?', 'boots'), ['theme:shipping', 'word:canada'], 'shipping is of the shop');
  t.ok(of('are the boots true to size').includes('item:boots'));
  t.ok(of('豆沙那支还有货吗', 'mask').includes('item:nude'));
  t.notOk(of('口红显白吗').some((topic) => topic.startsWith('item:')), 'two are called so');
  t.ok(of('3号链接在哪').includes('item:nude'), "by the host's number");
  t.ok(of('show number 4 please').includes('item:boots'));
  t.notOk(of('99号').some((topic) => topic.startsWith('item:')));
});

await t.test('text is fit to be shown', async (t) => {
  t.equal(cleanText('  a\u0000\n b\u202Ec\u200B ', 200), 'a bc');
  t.equal(cleanText('👨‍👩‍👧 好', 200), '👨‍👩‍👧 好', 'joined emoji stay whole');
  t.equal(cleanText('Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍A', 200)!.length < 8, true, 'marks do not pile up');
  t.equal(cleanText('\u0007\uD800', 200), '');
  t.equal(cleanText('字'.repeat(200), 200)?.length, 200);
  t.equal(cleanText('字'.repeat(201), 200), undefined);
  fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (text) => {
    const clean = cleanText(text, 200);
    return clean === undefined || (Array.from(clean).length <= 200 && clean.isWellFormed() && !/[\p{Cc}\u202A-\u202E]/u.test(clean) && cleanText(clean, 200) === clean);
  }));
});

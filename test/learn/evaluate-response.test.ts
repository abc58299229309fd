import { gzipSync } from 'node:zlib';
import t from 'tap';
import { evaluateResponse } from '../../src/learn/evaluate/response/evaluate-response.js';
import { fitLogistic } from '../../src/learn/evaluate/response/logistic.js';
import { qini } from '../../src/learn/evaluate/response/qini.js';
import { responseHtml, responseTable } from '../../src/learn/evaluate/response/report.js';
import { gaussian, seededRandom } from '../../src/util/random.js';
import { lines } from '../helpers/data-sets.js';

const quiet = { seed: 3, onProgress: () => { /* nobody looks */ } };

await t.test('a logistic regression finds the weights that made its data', async (t) => {
  const random = seededRandom(1);
  const rows = Array.from({ length: 8000 }, () => [gaussian(random), 5 + gaussian(random), 3]);
  const model = fitLogistic(rows, rows.map(([a = 0, b = 0]) => (random() < 1 / (1 + Math.exp(-(a - (b - 5) / 2))) ? 1 : 0)));
  t.ok(Math.abs(model.logit([1, 5, 3]) - model.logit([0, 5, 3]) - 1) < 0.1);
  t.ok(Math.abs(model.logit([0, 6, 3]) - model.logit([0, 5, 3]) + 0.5) < 0.1);
});

await t.test('Qini: positive for who knows, none for who says the same of all, negative the wrong way round', async (t) => {
  const random = seededRandom(2);
  const people = Array.from({ length: 6000 }, (_, i) => {
    const isTreated = random() < 0.5;
    const isPersuadable = i % 2 === 0;
    return { effect: isPersuadable ? 1 : 0, isTreated, outcome: random() < 0.2 + (isTreated && isPersuadable ? 0.4 : 0) ? 1 : 0 };
  });
  const knows = qini(people, 1);
  // Half of the people, all with an effect of .4: the curve rises to .2 by the middle; the area above the straight line is .05.
  t.ok(Math.abs(knows.value - 0.05) < 0.015, String(knows.value));
  t.ok(knows.low > 0);
  t.equal(Math.abs(qini(people.map((one) => ({ ...one, effect: 0 })), 1).value) < 1e-12, true);
  t.ok(qini(people.map((one) => ({ ...one, effect: -one.effect })), 1).high < 0);
});

await t.test('a mailing whose truth is known: each gets their own arm', async (t) => {
  const random = seededRandom(3);
  const rows = Array.from({ length: 6000 }, () => {
    const mens = random() < 0.5;
    const segment = ['No E-Mail', 'Mens E-Mail', 'Womens E-Mail'][Math.floor(3 * random())]!;
    const hits = segment === (mens ? 'Mens E-Mail' : 'Womens E-Mail');
    const visit = random() < (hits ? 0.5 : 0.1) ? 1 : 0;
    return `${1 + Math.floor(12 * random())},x,${(400 * random()).toFixed(2)},${mens ? 1 : 0},${mens ? 0 : 1},Urban,0,Web,${segment},${visit},${visit},${visit * 20}`;
  });
  const folder = t.testdir({ 'h.csv.gz': gzipSync(lines('recency,history_segment,history,mens,womens,zip_code,newbie,channel,segment,visit,conversion,spend', [...rows, '1,x,y,0,0,Urban,0,Web,No E-Mail,0,0,0'])) });
  const skipped: number[] = [];
  const report = (await evaluateResponse({ ...quiet, dataset: folder, onSkipped: (_file, line) => skipped.push(line) }))!;
  t.same(skipped, [6002]);
  t.equal(report.protocol, 'uplift');
  t.ok(Math.abs(report.metrics['visit']! - 0.5) < 0.08 && Math.abs(report.metrics['spend']! - 10) < 1.6, 'what sending each their own arm is worth');
  t.ok(Math.abs(report.baselines['everyone the better arm']!['visit']! - 0.3) < 0.06);
  t.ok(Object.values(report.differences).every(({ low }) => low > 0));
  t.ok(Object.values(report.qini!).every(({ low }) => low > 0));
  t.match(responseTable(report), /^visit above everyone the better arm .*: above$/mu);
  t.match(responseHtml(report), /Qini curve/u);
});

await t.test('campaigns: who redeemed before does so again, and nothing later is known', async (t) => {
  const random = seededRandom(4);
  const months = ['03', '04', '05', '06', '07', '08', '09', '10', '11'];
  const households = Array.from({ length: 150 }, (_, i) => ({ id: `h${i}`, keen: i % 4 === 0 }));
  const redeemed = months.flatMap((month) => households.filter(({ keen }) => random() < (keen ? 0.6 : 0.05)).map(({ id }) => `${id},c1,${month},2017-${month}-10`));
  const folder = t.testdir({
    'descriptions.csv': lines('campaign_id,campaign_type,start_date,end_date', months.map((month) => `${month},Type A,2017-${month}-05,2017-${month}-25`)),
    'campaigns.csv': lines('campaign_id,household_id', months.flatMap((month) => households.map(({ id }) => `${month},${id}`))),
    'coupons.csv': lines('coupon_upc,product_id,campaign_id', months.map((month) => `c1,p1,${month}`)),
    'redemptions.csv': lines('household_id,coupon_upc,campaign_id,redemption_date', redeemed),
    'products.csv': lines('product_id,manufacturer_id,department,brand,product_category,product_type,package_size', ['p1,1,GROCERY,National,SOUP,SOUP,1']),
    'transactions.csv': lines('household_id,store_id,basket_id,product_id,quantity,sales_value,retail_disc,coupon_disc,coupon_match_disc,week,transaction_timestamp', households.map(({ id }, i) => `${id},1,b${i},p1,1,2.5,0,0,0,1,2017-02-01 10:00:00`)),
    'demographics.csv': lines('household_id,age,income,home_ownership,marital_status,household_size,household_comp,kids_count', ['h1,65+,35-49K,Homeowner,Married,2,2 Adults,0']),
  });
  const report = (await evaluateResponse({ ...quiet, dataset: folder }))!;
  t.match(report, { protocol: 'response', data: { exposures: 1350, train: 900, test: 450 } });
  t.ok(report.metrics['ROC AUC']! > 0.7, String(report.metrics['ROC AUC']));
  t.match(Object.keys(report.baselines), ['logistic regression on counts', 'history alone']);
  t.equal(report.calibration?.bins.length, 10);
  t.equal(await evaluateResponse({ ...quiet, dataset: t.testdir({ 'x.csv': 'a,b\n1,2\n' }) }), undefined, 'another kind of folder');
});

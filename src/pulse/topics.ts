/** What questions on a live sale are mostly about. */
const THEMES = {
  price: /多少钱|价格|价位|什么价|啥价|贵|便宜|几块|几元|原价|\b(?:how much|price|prices|pricing|costs?|expensive|cheaper)\b/u,
  discount: /优惠|折扣|打折|几折|[领用有]券|满减|活动|红包|福利|\b(?:discounts?|codes?|coupons?|deals?|sale|promo|vouchers?)\b/u,
  size: /尺码|尺寸|什么码|几码|[大小均]码|身高|体重|\d斤|能穿|穿多大|多[大长宽高厚]|\b(?:sizes?|sizing|fits?|small|medium|large|xl|xxl|inch|inches|tall|wide|dimensions?)\b/u,
  colour: /颜色|色号|[红黑白蓝绿黄粉紫灰棕]色|哪个色|\b(?:colou?rs?|shades?|red|black|white|blue|green|pink|beige)\b/u,
  stock: /有货|没货|库存|补货|断货|上架|现货|还有吗|\b(?:in stock|stock|available|restock|sold out|left)\b/u,
  shipping: /发货|快递|包邮|运费(?!险)|几天到|多久到|到货|物流|邮费|\b(?:ship|ships|shipping|deliver|delivery|arrives?|postage)\b/u,
  quality: /质量|材质|面料|成分|做工|什么料|配料|起球|掉色|\b(?:quality|materials?|fabric|ingredients?|made of|cotton|leather|vegan)\b/u,
  use: /怎么用|用法|怎么[吃穿搭洗]|敏感肌|孕妇|油皮|干皮|适合|[能可]以?用|\b(?:how to use|skin|suitable|safe for|wash|washable|pregnan\w+)\b/u,
  returns: /退货|能退|包退|退换|换货|运费险|质保|保修|\b(?:returns?|refunds?|exchange|warranty|guarantee)\b/u,
  authentic: /正品|真假|真的假的|专柜|授权|\b(?:authentic|genuine|original|real|legit)\b/u,
  link: /链接|几号|哪里买|怎么买|怎么拍|购物车|\b(?:links?|where (?:can|do) i (?:buy|get)|how (?:can|do) i (?:buy|order))\b/u,
} as const satisfies Record<string, RegExp>;
type Theme = keyof typeof THEMES;
const THEME_NAMES = Object.keys(THEMES) as readonly Theme[];

const TOPIC_LIMITS = {
  /** Words of one question that are counted. */
  wordsMax: 8,
  wordCharsMin: 2, latinCharsMin: 3, wordCharsMax: 24,
} as const;

/** Of these a product is asked, though it is not named. */
const OF_A_PRODUCT: ReadonlySet<Theme> = new Set(['price', 'discount', 'size', 'colour', 'stock', 'quality', 'use', 'authentic']);

/** Words that say nothing of what is meant. */
const STOP = new Set(`主播 什么 怎么 怎样 这个 那个 这款 那款 这种 哪个 哪款 哪里 一下 可以 能不能 有没有 是不是 会不会 好不好 多少 多久 多大 多长 请问 想问 现在 今天 昨天 明天 还是 还有 没有 我们 你们 他们 大家 姐妹 宝宝 亲们
  自己 为什么 时候 知道 看看 介绍 一个 两个 东西 号链 看下 the this that these those what which where when who why how much many long does did do is are was were can could will would should have has had you your yours they them
  with for from and but not any anyone anybody one ones get got please pls hello hey hi there here its it's i'm i'd what's how's about just like want need see show know tell on in at to of me my it we us all some too very number item`.split(/\s+/u));
/** Characters that join or ask and are part of no word. */
const JOINTS = new Set('的了吗呢吧啊呀嘛么是有在和跟也都就还要我你他她它这那哪个能会可以不没很太好用买看想问求请给把被几');

const SEGMENTER = new Intl.Segmenter('zh', { granularity: 'word' });
const HAN_ONE = /^\p{Script=Han}$/u;

/** Names the products of a room. */
export interface ProductFinder { productIn(text: string): string | undefined }

/**
 * What a question is about: `theme:price`, `item:<id>`, `word:<word>`. "How much is it?" is about the product that is shown.
 * @param shown the product pinned now
 */
export function topicsOf(question: string, finder: ProductFinder, shown: string | undefined): string[] {
  const themes = themesOf(question);
  const item = finder.productIn(question) ?? (themes.some((theme) => OF_A_PRODUCT.has(theme)) ? shown : undefined);
  return [
    ...themes.map((theme) => `theme:${theme}`), ...item === undefined ? [] : [`item:${item}`],
    ...wordsOf(question).filter((word) => themesOf(word).length === 0).map((word) => `word:${word}`),
  ];
}

const themesOf = (text: string): Theme[] => THEME_NAMES.filter((theme) => THEMES[theme].test(fold(text)));

/** @returns words that may be what a question is about, each once. Pieces of one character that stand together are one word: the segmenter knows few new ones. */
function wordsOf(text: string): string[] {
  const words = new Set<string>();
  let run = '';
  const end = (): void => {
    if (run.length >= TOPIC_LIMITS.wordCharsMin) words.add(run);
    run = '';
  };
  for (const { segment, isWordLike } of SEGMENTER.segment(fold(text))) {
    if (HAN_ONE.test(segment) && !JOINTS.has(segment)) {
      run += segment;
      continue;
    }
    end();
    if (isWordLike === true && !HAN_ONE.test(segment)) words.add(segment);
  }
  end();
  return [...words].filter(isTelling).slice(0, TOPIC_LIMITS.wordsMax);
}

export const isEmptyWord = (word: string): boolean => STOP.has(word);

function isTelling(word: string): boolean {
  if (isEmptyWord(word) || word.length > TOPIC_LIMITS.wordCharsMax || /^[\d.]+$/u.test(word)) return false;
  return /\p{Script=Han}/u.test(word) || word.length >= TOPIC_LIMITS.latinCharsMin;
}

export const fold = (text: string): string => text.normalize('NFKC').toLowerCase();

/** At the end of a clause these ask. */
const ASKING_END = /[?？]\s*$|[吗嘛么呢]\s*[~。!！]*$/u;
/** Chinese question words, and "good or not good": 好不好, 有没有, 能不能. */
const ASKING_ZH = /多少|怎么(?!这么|那么|都)|怎样|咋|(?<!没|没有|不算|不是)什么(?!都|的)|几(?:号|点|个|天|件|码|斤|盒|片|支|时)|哪|为什么|为啥|如何|有啥|是啥|啥(?:时|颜色|价)|多(?:大|长|重|久|高|远|厚|宽)|(?<!不)(\p{Script=Han})[不没]\1|是否|还是.+[好呢]$|^求|^想(?:看|要|问|知道)|看看.*号|^(?:能|可以)\S*[穿用吃喝开发]/u;
/** English ones begin a clause. */
const ASKING_EN = /^(?:and|so|hi|hey|hello|sorry|btw|also|pls|please|wait)?\s*(?:how (?:much|many|long|big|old|often|to|do|does|is|are|can|would|should|about)|what(?:'s| is| are| do| does| did| size| colou?r| shade| material| time| kind| brand| about| if)|where|which|who (?:is|are|makes)|why (?:is|are|do|does|did|can't)|when (?:is|are|do|does|did|will|can)|(?:is|are|was) (?:it|this|that|these|those|there|the|they|you|any)|(?:do|does|did|can|could|will|would|should|have|has) (?:you|it|i|we|u|they|this|that|these|those|the|any|anyone|someone)|any(?:one|body)? |link\b|size chart|price\b|show(?:ing)? |try on )/u;

/** Wherever they stand: `number 2 how much is it`. */
const ASKING_EN_INSIDE = /\bhow (?:much|many) (?:is|are|for|does|do)\b|\bwhat(?:'s| is) the price\b/u;

/** Does somebody ask, or ask to see something? A clause, or a comment of several. */
export function isQuestion(text: string): boolean {
  const plain = text.normalize('NFKC').toLowerCase().trim();
  return ASKING_END.test(plain) || ASKING_ZH.test(plain) || ASKING_EN.test(plain) || ASKING_EN_INSIDE.test(plain);
}

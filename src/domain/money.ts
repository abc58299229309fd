/** ISO 4217 currencies whose minor unit is not 1/100 (List One, 2024). */
const EXPONENTS: Readonly<Record<string, number>> = {
  BIF: 0, CLP: 0, DJF: 0, GNF: 0, ISK: 0, JPY: 0, KMF: 0, KRW: 0, PYG: 0, RWF: 0, UGX: 0, VND: 0, VUV: 0, XAF: 0, XOF: 0, XPF: 0,
  UYI: 0, BHD: 3, IQD: 3, JOD: 3, KWD: 3, LYD: 3, OMR: 3, TND: 3, CLF: 4, UYW: 4,
};

const scaleOf = (currency: string | undefined): number => 10 ** (currency === undefined ? 2 : EXPONENTS[currency] ?? 2);

/**
 * A GA4 decimal as integer minor units, rounded half away from zero.
 * The shift is done in decimal (`12.345e2`), not by multiplying: 1.005 × 100 is 100.49999 in binary.
 */
export function toMinor(amount: number, currency?: string): number {
  const exponent = currency === undefined ? 2 : EXPONENTS[currency] ?? 2;
  const [digits, power] = Math.abs(amount).toString().split('e');
  const minor = Math.round(Number(`${digits}e${Number(power ?? 0) + exponent}`));
  return amount < 0 ? -minor : minor;
}

/** Integer minor units as a GA4 decimal. */
export function toMajor(minor: number, currency?: string): number {
  return minor / scaleOf(currency);
}

/** @returns why something that states this currency cannot be in the store, or undefined; a store without a currency takes any */
export function currencyFault(currency: string | undefined, storeCurrency: string | undefined): string | undefined {
  if (storeCurrency === undefined || currency === undefined || currency === storeCurrency) return undefined;
  return `currency is ${currency}, the store's is ${storeCurrency} (STORE_CURRENCY); there are no exchange rates: state it in ${storeCurrency}.`;
}

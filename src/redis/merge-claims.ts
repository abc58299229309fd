import { partsOfClaimId } from '../domain/claim-code.js';
import type { ClaimStore } from './claim-store.js';
import type { WalletStore } from './wallet-store.js';

export interface ClaimStores {
  readonly claims: Pick<ClaimStore, 'relink'>;
  readonly wallets: WalletStore;
}

/** Gives a visitor's claims to the user they have become, with their places under the caps; may be repeated. */
export async function mergeClaims({ claims, wallets }: ClaimStores, from: string, to: string): Promise<void> {
  const entries = await wallets.read(from);
  if (entries.length === 0) return;
  const claimIds = entries.map(({ claimId }) => claimId);
  await relinkClaims(claims, claimIds, from, to);
  await wallets.add(to, entries);
  // Not all of the wallet: a claim that was being made may have come to it meanwhile.
  await wallets.remove(from, claimIds);
}

/** Gives claims to another shopper, or with an empty `to` to nobody. */
export async function relinkClaims(claims: ClaimStores['claims'], claimIds: readonly string[], from: string, to: string): Promise<void> {
  const found = claimIds.map((id) => partsOfClaimId(id)).filter((parts) => parts !== undefined);
  await Promise.all(found.map((parts) => claims.relink(parts, from, to)));
}

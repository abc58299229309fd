/** Where a list is shown. The order is part of the feature vector: append, never reorder. */
export const SCENES = ['home', 'product', 'cart', 'search', 'live', 'post_purchase', 'feed'] as const;
export type Scene = (typeof SCENES)[number];

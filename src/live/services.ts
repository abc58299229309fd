import type { Interaction } from '../domain/interaction.js';
import type { RecommendationInput } from '../domain/recommendation.js';
import type { ShopperKey } from '../domain/shopper.js';
import type { ErrorCode } from '../errors.js';
import type { Authenticate } from './authentication.js';
import type { LiveChannels } from './channels.js';
import type { ChannelStates } from './channel-states.js';

/** What the engine does for a socket: the same paths as over HTTP. */
export interface LiveServices {
  readonly ingest: (events: readonly unknown[]) => Promise<IngestReport>;
  /** @returns the reply as a JSON object's text */
  readonly recommend: (input: RecommendationInput) => Promise<Buffer>;
  /** Marks messages of the inbox as read. @returns those that it has */
  readonly acknowledge: (shopper: ShopperKey, messageIds: readonly string[]) => Promise<string[]>;
  /** Something done in a room. @throws AppError when it is not taken */
  readonly interact: (shopper: ShopperKey, roomId: string, act: Interaction) => Promise<void>;
  readonly authenticate: Authenticate;
  readonly channels: LiveChannels;
  readonly states: ChannelStates;
  readonly onFault: (error: unknown) => void;
}

export interface IngestReport {
  readonly accepted: number;
  readonly duplicates: number;
  readonly rejected: readonly { readonly index: number; readonly code: ErrorCode; readonly message: string }[];
}

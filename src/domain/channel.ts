/** Where frames go: the sockets of one shopper, or of everybody in one live room. */
export interface ChannelAddress {
  /** As clients name it: `user:<id>` or `room:<id>`. */
  readonly name: string;
  /** Key of its log in Redis. */
  readonly log: string;
  /** Sharded pub/sub channel of its frames in Redis; unlike the name the same for no two shoppers. */
  readonly push: string;
}

/** A place in a channel's log: every logged frame has one. */
export interface Position {
  /** When the log was begun, ms; another one means that the log was lost, and positions in it mean nothing any more. */
  readonly epoch: string;
  /** 1, 2, 3… without a gap; 0 is the place before the first frame. */
  readonly offset: number;
}

/** A frame as the log has it. */
export interface LoggedFrame extends Position {
  /** JSON text. */
  readonly json: Buffer;
}

/** What is in a log after a position. */
export interface LogPart {
  /** Where the log ends. */
  readonly head: Position;
  /** In order; undefined when the position is not of this log or too far back, so that something is lost. */
  readonly frames: readonly LoggedFrame[] | undefined;
}

/**
 * The two parts of a frame's JSON between which a log puts `,"epoch":"…","offset":…`; scripts that append a frame of their own take them as
 * arguments.
 */
export function frameParts(channel: ChannelAddress, type: string, fields: Readonly<Record<string, unknown>>): [head: string, body: string] {
  const rest = JSON.stringify(fields);
  return [`{"type":"${type}","channel":${JSON.stringify(channel.name)}`, rest === '{}' ? '}' : `,${rest.slice(1)}`];
}

/** What is told of the push channels that this process listens to. */
export interface PushListener {
  onMessage(push: string, message: Buffer): void;
  /** Messages arrive from now on; what came before, since it was lost or ever, may be missing. */
  onLive(push: string): void;
  /** Messages may be missing from now on, until it is live again. */
  onLost(push: string): void;
  onFault(error: unknown): void;
}

/** Subscriptions to push channels, which are kept through whatever happens to Redis. */
export interface PushSubscriber {
  subscribe(push: string): void;
  unsubscribe(push: string): void;
  close(): void;
}

import { once } from 'node:events';
import { get, type IncomingMessage, type OutgoingHttpHeaders } from 'node:http';
import type { Frame } from './live-client.js';
import { until } from './until.js';

export interface StreamOptions {
  readonly headers?: OutgoingHttpHeaders;
  /** Parameters beside the channels. */
  readonly query?: Readonly<Record<string, string>>;
  /** Where it stood. */
  readonly lastEventId?: string | undefined;
}

/** A client of server-sent events that keeps every frame until it is asked for. */
export class SseClient {
  readonly response: IncomingMessage;
  readonly frames: Frame[] = [];
  /** Of the last event that had one. */
  lastEventId = '';
  /** ms; as the last `retry` said. */
  retryMs: number | undefined;
  comments = 0;
  hasEnded = false;
  #text = '';

  private constructor(response: IncomingMessage) {
    this.response = response;
    response.setEncoding('utf8');
    response.on('data', (text: string) => { this.#take(text); });
    response.on('error', () => { /* cut */ });
    response.on('close', () => { this.hasEnded = true; });
  }

  /** @returns the client, or what it was refused with */
  static async ask(url: string, channels: readonly string[], { headers = {}, query = {}, lastEventId }: StreamOptions = {}): Promise<SseClient | { readonly status: number; readonly body: { readonly code?: string } }> {
    const address = new URL('/v1/live/sse', url);
    for (const channel of channels) address.searchParams.append('channel', channel);
    for (const [name, value] of Object.entries(query)) address.searchParams.set(name, value);
    const request = get(address, { agent: false, headers: { ...headers, ...(lastEventId === undefined ? {} : { 'last-event-id': lastEventId }) } });
    const [response] = await once(request, 'response') as [IncomingMessage];
    if (response.statusCode === 200) return new SseClient(response);
    let body = '';
    for await (const part of response) body += String(part);
    return { status: response.statusCode!, body: JSON.parse(body) as { code?: string } };
  }

  /** @throws Error when it was refused */
  static async open(...asked: Parameters<typeof SseClient.ask>): Promise<SseClient> {
    const client = await SseClient.ask(...asked);
    if (client instanceof SseClient) return client;
    throw new Error(`refused: ${JSON.stringify(client)}`);
  }

  /** The next frame of a type, passing over none of the others. */
  async next(type: string, channel?: string): Promise<Frame> {
    let index = -1;
    await until(() => (index = this.frames.findIndex((frame) => frame.type === type && (channel === undefined || frame.channel === channel))) >= 0, `${type} of ${channel}; there are ${JSON.stringify(this.frames)}`);
    return this.frames.splice(index, 1)[0]!;
  }

  /** Ends the connection, as a lost network does. */
  cut(): void {
    this.response.destroy();
  }

  async untilEnd(): Promise<void> {
    await until(() => this.hasEnded, 'the end of the stream');
  }

  #take(text: string): void {
    this.#text += text;
    for (let end = this.#text.indexOf('\n\n'); end >= 0; end = this.#text.indexOf('\n\n')) {
      const lines = this.#text.slice(0, end).split('\n');
      this.#text = this.#text.slice(end + 2);
      for (const line of lines) {
        if (line.startsWith('id: ')) this.lastEventId = line.slice(4);
        else if (line.startsWith('retry: ')) this.retryMs = Number(line.slice(7));
        else if (line.startsWith('data: ')) this.frames.push(JSON.parse(line.slice(6)) as Frame);
        else if (line.startsWith(':')) this.comments += 1;
        else throw new Error(`no line of an event: ${line}`);
      }
    }
  }
}

/** A BGP speaker of few words (RFC 4271): it brings a session up, sends what it is told as it is, and keeps what it gets. */

import type { Socket } from 'node:net';
import { connect } from 'node:net';

const MARKER = 'ff'.repeat(16);
const [OPEN, UPDATE, NOTIFICATION, KEEPALIVE] = [1, 2, 3, 4];
const HEADER_LEN = 19;
const HOLD_S = 90;

export interface SpeakerOptions {
  readonly host: string;
  readonly port: number;
  readonly localAddress: string;
  readonly localAs: number;
  readonly hasExtendedNextHop?: boolean;
  /** Whether it takes and sends several routes of one prefix (RFC 7911). */
  readonly hasAddPath?: boolean;
}

const hex = (value: number, octets: number) => value.toString(16).padStart(2 * octets, '0');

/** Multiprotocol IPv4 unicast, four-octet AS, extended next hop (RFC 8950 section 4) and ADD-PATH (RFC 7911 section 4). */
function capabilities({ localAs, hasExtendedNextHop = true, hasAddPath = false }: SpeakerOptions): string {
  const some = `010400010001${`4104${hex(localAs, 4)}`}${hasExtendedNextHop ? '0506000100010002' : ''}`;
  return hasAddPath ? `${some}450400010103` : some;
}

/** One attribute: flags and type, then its value. */
export function attribute(flagsAndType: string, value: string): string {
  return `${flagsAndType}${hex(value.length / 2, 1)}${value}`;
}

export class BgpSpeaker {
  readonly #socket: Socket;
  #buffer = Buffer.alloc(0);
  /** Bodies of the UPDATE messages that came, in hexadecimal digits. */
  readonly updates: string[] = [];
  /** Bodies of the NOTIFICATION messages that came. */
  readonly notifications: string[] = [];
  isEstablished = false;
  isClosed = false;

  private constructor(socket: Socket, options: SpeakerOptions) {
    this.#socket = socket;
    socket.on('data', (data) => this.#read(data));
    socket.on('close', () => {
      this.isClosed = true;
    });
    socket.on('error', () => undefined);
    const list = capabilities(options);
    const parameter = `02${hex(list.length / 2, 1)}${list}`;
    const body = `04${hex(options.localAs, 2)}${hex(HOLD_S, 2)}0a000009${hex(parameter.length / 2, 1)}${parameter}`;
    this.#send(OPEN, body);
  }

  /** Connects; the session is up when `isEstablished`. */
  static connect(options: SpeakerOptions): Promise<BgpSpeaker> {
    const { host, port, localAddress } = options;
    return new Promise((resolve, reject) => {
      const socket = connect({ host, port, localAddress });
      socket.once('error', reject);
      socket.once('connect', () => resolve(new BgpSpeaker(socket, options)));
    });
  }

  #send(type: number, body: string): void {
    this.#socket.write(Buffer.from(`${MARKER}${hex(HEADER_LEN + body.length / 2, 2)}${hex(type, 1)}${body}`, 'hex'));
  }

  #read(data: Buffer): void {
    this.#buffer = Buffer.concat([this.#buffer, data]);
    while (this.#buffer.length >= HEADER_LEN) {
      const length = this.#buffer.readUInt16BE(16);
      if (this.#buffer.length < length) return;
      const type = this.#buffer[18];
      const body = this.#buffer.subarray(HEADER_LEN, length).toString('hex');
      this.#buffer = this.#buffer.subarray(length);
      if (type === OPEN) this.#send(KEEPALIVE, '');
      else if (type === UPDATE) this.updates.push(body);
      else if (type === NOTIFICATION) this.notifications.push(body);
      else if (!this.isEstablished) this.isEstablished = true;
      else this.#send(KEEPALIVE, '');
    }
  }

  /** An UPDATE with these path attributes and, in the field of RFC 4271, these prefixes. */
  update(attributes: readonly string[], prefixes = '', withdrawn = ''): void {
    const all = attributes.join('');
    this.#send(UPDATE, `${hex(withdrawn.length / 2, 2)}${withdrawn}${hex(all.length / 2, 2)}${all}${prefixes}`);
  }

  close(): void {
    this.#socket.destroy();
  }
}

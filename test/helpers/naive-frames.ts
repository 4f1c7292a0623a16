/** A slow reader of NETCONF framing over the whole of what a client sent, written from RFC 6242 §4. */

import type { Framing } from '../../src/mgmt/netconf/framing.ts';
import type { NetconfLimits } from '../../src/netconf-limits.ts';

type Limits = Pick<NetconfLimits, 'messageOctets' | 'chunkOctets'>;

export interface NaiveFrames {
  /** The messages behind the hello that are whole. */
  readonly messages: readonly Buffer[];
  readonly isFault: boolean;
}

const MARK = ']]>]]>';
const LARGEST = 4_294_967_295;

/** Octets that begin with a good hello, which has its mark behind it or is in chunks. */
export function naiveFrames(octets: Buffer, framing: Framing, limits: Limits): NaiveFrames {
  const text = octets.toString('latin1');
  if (text.startsWith('\n#')) {
    const all: string[] = [];
    const isFault = chunks(text, limits, all);
    return { messages: all.slice(1).map((message) => Buffer.from(message, 'latin1')), isFault };
  }
  const rest = text.slice(text.indexOf(MARK) + MARK.length);
  const messages: string[] = [];
  const isFault = framing === 'chunked' ? chunks(rest, limits, messages) : marks(rest, limits, messages);
  return { messages: messages.map((message) => Buffer.from(message, 'latin1')), isFault };
}

/** Whether there is a fault. */
function marks(text: string, { messageOctets }: Limits, messages: string[]): boolean {
  const parts = text.split(MARK);
  const last = parts.pop() ?? '';
  for (const part of parts) {
    if (part.length > messageOctets) return true;
    messages.push(part);
  }
  // What may be the beginning of a mark is no part of the message yet.
  const held = [5, 4, 3, 2, 1].find((length) => last.endsWith(MARK.slice(0, length))) ?? 0;
  return last.length - held > messageOctets;
}

/** Whether there is a fault. */
function chunks(text: string, limits: Limits, messages: string[]): boolean {
  let message = '';
  for (let at = 0; at < text.length; ) {
    const header = /^\n#(?:#\n|([1-9][0-9]*)\n)/.exec(text.slice(at, at + 30));
    if (!header) return !mayBeHeader(text.slice(at), message !== '');
    at += header[0].length;
    if (header[1] === undefined) {
      if (message === '') return true;
      messages.push(message);
      message = '';
      continue;
    }
    const size = Number(header[1]);
    if (size > LARGEST || size > limits.chunkOctets || message.length + size > limits.messageOctets) return true;
    message += text.slice(at, at + size);
    at += size;
  }
  return false;
}

/** Whether more octets could make the text begin with a header. */
function mayBeHeader(text: string, hasChunk: boolean): boolean {
  if (text === '\n##') return hasChunk;
  const digits = /^\n#([1-9][0-9]*)$/.exec(text)?.[1];
  return digits === undefined ? text === '\n' || text === '\n#' : Number(digits) <= LARGEST;
}

/**
 * What a client sends (steps 1 to 3 of session.ts): octets to one hello and then messages, a message to its root element.
 * Whatever comes, there are three ways out: a message, an error of RFC 6241 that can be answered, the end of the session.
 */

import { isAscii } from 'node:buffer';
import type { NetconfLimits } from '../../netconf-limits.ts';
import { ManagementError } from '../../state/errors.ts';
import type { TextFeed } from '../octet-feed.ts';
import { OctetFeed } from '../octet-feed.ts';
import { parseXml, type XmlElement, XmlFeed, type XmlLimits } from '../xml.ts';
import type { Framing } from './framing.ts';
import { beginsChunk, FramingError, MessageReader } from './framing.ts';
import { checkHello, HelloError } from './hello.ts';

/** A message as its octets; a long one was read while it came. */
export type Message = Buffer | OctetFeed<XmlElement>;

export interface IncomingParts {
  readonly limits: NetconfLimits;
  /** The client's hello is good; the framing that the session goes on with. */
  readonly onHello: (framing: Framing) => void;
  readonly onMessage: (message: Message) => void;
}

export class Incoming {
  readonly #parts: IncomingParts;
  readonly #reader: MessageReader<OctetFeed<XmlElement>>;
  /** The first octets, until they show how the hello is framed. */
  #start: Buffer | undefined = Buffer.alloc(0);
  #hasGreeted = false;

  constructor(parts: IncomingParts) {
    this.#parts = parts;
    this.#reader = new MessageReader(parts.limits.helloOctets, (message) => this.#onMessage(message));
  }

  /** Whether a good hello has come. */
  get hasGreeted(): boolean {
    return this.#hasGreeted;
  }

  /** Octets of memory that the message under way takes, about. */
  get held(): number {
    return this.#reader.held;
  }

  /** Gives up the message under way, which is answered when its end has come. */
  giveUp(): void {
    const message =
      'the messages of all sessions take too much memory, and this was the largest: try again later, or send less at a time';
    this.#reader.giveUp(new ManagementError('resource-denied', { type: 'rpc', message }));
  }

  /** The next octets. What is wrong with the framing or the hello; undefined when nothing is. */
  push(octets: Buffer): string | undefined {
    try {
      this.#take(octets);
    } catch (error) {
      const isTheirs = error instanceof FramingError || error instanceof HelloError || error instanceof ManagementError;
      if (!isTheirs) throw error;
      return error.message;
    }
    return undefined;
  }

  /**
   * A hello has the mark behind it (RFC 6242 §4.1). ncclient that has seen our hello before its own has left sends that in chunks;
   * as no XML begins like a chunk, it is read so.
   */
  #take(octets: Buffer): void {
    const known = this.#start === undefined ? octets : Buffer.concat([this.#start, octets]);
    const isChunk = this.#start === undefined ? false : beginsChunk(known);
    this.#start = isChunk === undefined ? known : undefined;
    if (isChunk === undefined) return;
    if (isChunk) this.#reader.framing = 'chunked';
    this.#reader.push(known);
  }

  #onMessage(message: Message): void {
    if (this.#hasGreeted) this.#parts.onMessage(message);
    else this.#onHello(message);
  }

  #onHello(message: Message): void {
    const { limits, onHello } = this.#parts;
    const framing = checkHello(readMessage(message, limits));
    if (this.#reader.framing === 'chunked' && framing !== 'chunked') {
      throw new HelloError('expected the mark ]]>]]> behind a hello without base:1.1, chunks came');
    }
    this.#hasGreeted = true;
    this.#reader.framing = framing;
    this.#reader.limit = limits.messageOctets;
    this.#reader.chunkLimit = limits.chunkOctets;
    this.#reader.long = () => longMessage(limits);
    onHello(framing);
  }
}

/** Octets of memory that a message takes, about. */
export function heldBy(message: Message): number {
  return message instanceof OctetFeed ? message.held : message.length;
}

/** What a long message is read by while it comes. */
export function longMessage(limits: XmlLimits): OctetFeed<XmlElement> {
  return new OctetFeed(new MessageFeed(limits), notUtf8);
}

/** The root element of a message. @throws ManagementError malformed-message or too-big, type rpc */
export function readMessage(message: Message, limits: XmlLimits): XmlElement {
  return message instanceof OctetFeed ? message.end() : parseXml(decode(message), limits, 'config');
}

const UTF8 = new TextDecoder('utf-8', { fatal: true });

/** The text of a message; clients put line ends between messages, which XML allows nowhere before its declaration. */
function decode(message: Buffer): string {
  // Half the memory, and all there is to most messages.
  if (isAscii(message)) return message.toString('latin1').trimStart();
  try {
    return UTF8.decode(message).trimStart();
  } catch {
    throw notUtf8();
  }
}

function notUtf8(): ManagementError {
  return new ManagementError('malformed-message', { type: 'rpc', message: 'the message is not valid UTF-8' });
}

/** A long message, read while it comes; as with short ones, white space before it is none of it. */
class MessageFeed implements TextFeed<XmlElement> {
  readonly #feed: XmlFeed;
  #hasBegun = false;

  constructor(limits: XmlLimits) {
    this.#feed = new XmlFeed(limits, 'config');
  }

  push(text: string): void {
    const piece = this.#hasBegun ? text : text.trimStart();
    this.#hasBegun ||= piece !== '';
    this.#feed.push(piece);
  }

  get held(): number {
    return this.#feed.held;
  }

  end(): XmlElement {
    return this.#feed.end();
  }
}

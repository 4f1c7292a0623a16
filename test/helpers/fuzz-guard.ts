/**
 * Random octets through the guard, up to the operation that would go to the library. For each input:
 *
 *   1. messages come out as a naive reader of the framing cuts them, in whatever pieces the octets came;
 *   2. a message read in pieces is what it is when read whole;
 *   3. it is an operation, whose text for the library is well-formed, or an error of RFC 6241 appendix A;
 *   4. either way the reply is well-formed, in characters that XML 1.0 has;
 *   5. the rest is the end of the session with a sentence. Nothing else is thrown, and nothing takes long.
 */

import { openEnvelope, replyTag, shellOf } from '../../src/mgmt/netconf/envelope.ts';
import type { Framing } from '../../src/mgmt/netconf/framing.ts';
import type { Message } from '../../src/mgmt/netconf/incoming.ts';
import { Incoming, longMessage, readMessage } from '../../src/mgmt/netconf/incoming.ts';
import { renderErrors } from '../../src/mgmt/netconf/rpc-error.ts';
import type { XmlElement } from '../../src/mgmt/xml.ts';
import { parseXml, serializeXml } from '../../src/mgmt/xml.ts';
import type { NetconfLimits } from '../../src/netconf-limits.ts';
import { NETCONF_LIMITS } from '../../src/netconf-limits.ts';
import { ManagementError } from '../../src/state/errors.ts';
import type { GuardInput } from './guard-octets.ts';
import { guardInput } from './guard-octets.ts';
import { naiveFrames } from './naive-frames.ts';
import { random } from './random.ts';
import { schema } from './state.ts';

/** Small, so that both sides of each are met. */
export const FUZZ_LIMITS: NetconfLimits = {
  ...NETCONF_LIMITS,
  helloOctets: 2_048,
  messageOctets: 128 * 1024,
  chunkOctets: 100_000,
  depth: 20,
  elements: 5_000,
  attributes: 10,
};

export interface GuardTally {
  inputs: number;
  /** Inputs whose hello was good. */
  greeted: number;
  /** Inputs that ended the session. */
  ended: number;
  operations: number;
  /** Errors by tag. */
  readonly errors: Map<string, number>;
  /** The longest that one input took, in milliseconds. */
  longestMs: number;
}

export function newTally(): GuardTally {
  return { inputs: 0, greeted: 0, ended: 0, operations: 0, errors: new Map(), longestMs: 0 };
}

/** Tags that an envelope may be refused with (RFC 6241 appendix A). */
const TAGS: readonly string[] = [
  'malformed-message',
  'too-big',
  'missing-attribute',
  'missing-element',
  'bad-element',
  'unknown-attribute',
  'unknown-namespace',
  'operation-not-supported',
];
/** Octets of an input in a report. */
const SHOWN = 3_000;
/** Far above what any input takes, also on a machine with other work. */
const LONGEST_MS = 30_000;

/**
 * Sends inputs `first` to before `first + count` of a seed; the same again for the same numbers.
 * @throws Error that names seed, input and octets when one of the five does not hold
 */
export function fuzzGuard(seed: number, first: number, count: number, tally: GuardTally): void {
  for (let number = first; number < first + count; number++) {
    // Each input has numbers of its own, so that one can be had again alone.
    const next = random(Math.imul(seed ^ Math.imul(number + 1, 0x9e3779b1), 0x85ebca6b));
    for (let turn = 0; turn < 4; turn++) next();
    const input = guardInput(next);
    const began = performance.now();
    try {
      runInput(input, next, tally);
    } catch (cause) {
      const octets = input.octets.toString('latin1', 0, SHOWN);
      const message = `seed ${seed}, input ${number}: ${cause instanceof Error ? cause.message : cause}\n${JSON.stringify(octets)}\ncut at ${input.cuts.join()}`;
      throw new Error(message, { cause });
    }
    const took = performance.now() - began;
    if (took > LONGEST_MS) throw new Error(`seed ${seed}, input ${number}: took ${took} ms`);
    tally.longestMs = Math.max(tally.longestMs, took);
    tally.inputs++;
  }
}

interface Received {
  readonly framing: Framing | undefined;
  readonly messages: readonly Message[];
  readonly fault: string | undefined;
}

function runInput(input: GuardInput, next: () => number, tally: GuardTally): void {
  const { framing, messages, fault } = receive(input);
  if (framing) tally.greeted++;
  if (fault !== undefined) tally.ended++;
  expect(fault !== '', 'a fault without a sentence');
  expect(framing !== undefined || messages.length === 0, 'a message before the hello');
  if (input.messages !== undefined) {
    expect(fault === undefined && messages.length === input.messages, `${messages.length} messages, fault ${fault}`);
  }
  if (framing) compareFrames(input.octets, framing, messages, fault);
  for (const message of messages) {
    const outcome = readOutcome(() => readMessage(message, FUZZ_LIMITS));
    if (message instanceof Buffer && next() % 4 === 0) {
      const pieces = readOutcome(() => readInPieces(message, next));
      expect(describe(pieces) === describe(outcome), `in pieces ${describe(pieces)}, whole ${describe(outcome)}`);
    }
    carryOut(outcome, next() % 4 === 0, tally);
  }
}

function receive({ octets, cuts }: GuardInput): Received {
  let framing: Framing | undefined;
  const messages: Message[] = [];
  const incoming = new Incoming({
    limits: FUZZ_LIMITS,
    onHello: (found) => {
      framing = found;
    },
    onMessage: (message) => messages.push(message),
  });
  const ends = [...cuts, octets.length];
  let from = 0;
  for (const end of ends) {
    const fault = incoming.push(octets.subarray(from, end));
    if (fault !== undefined) return { framing, messages, fault };
    from = end;
  }
  return { framing, messages, fault: undefined };
}

function compareFrames(
  octets: Buffer,
  framing: Framing,
  messages: readonly Message[],
  fault: string | undefined,
): void {
  const naive = naiveFrames(octets, framing, FUZZ_LIMITS);
  expect(naive.isFault === (fault !== undefined), `fault ${fault}, the naive reader: ${naive.isFault}`);
  expect(naive.messages.length === messages.length, `${messages.length} messages, naive ${naive.messages.length}`);
  for (const [at, message] of messages.entries()) {
    const whole = naive.messages[at];
    if (!whole) continue;
    if (message instanceof Buffer) expect(message.equals(whole), `message ${at} is not what was sent`);
    else expect(message.length === whole.length, `message ${at} has ${message.length} octets, not ${whole.length}`);
  }
}

type Outcome = XmlElement | ManagementError;

function readOutcome(read: () => XmlElement): Outcome {
  try {
    return read();
  } catch (error) {
    if (error instanceof ManagementError) return error;
    throw error;
  }
}

function readInPieces(message: Buffer, next: () => number): XmlElement {
  const feed = longMessage(FUZZ_LIMITS);
  for (let at = 0; at < message.length; ) {
    const end = at + 1 + (next() % Math.max(1, message.length >> (next() % 6)));
    feed.push(message.subarray(at, end));
    at = end;
  }
  return feed.end();
}

/** Of several faults another may be met first. Rows of a table stand behind its other entries. */
function describe(outcome: Outcome): string {
  return outcome instanceof ManagementError ? 'an error' : serializeXml(outcome) + rowsOf(outcome).join();
}

function rowsOf(element: XmlElement): number[] {
  return [element.bulk?.size ?? 0, ...element.children.flatMap(rowsOf)];
}

/** What the session does with a message, but for the library; `isRead` has what it makes read again. */
function carryOut(outcome: Outcome, isRead: boolean, tally: GuardTally): void {
  const rpc = outcome instanceof ManagementError ? undefined : outcome;
  let body = '<ok/>';
  try {
    if (!rpc) throw outcome;
    const { operation } = openEnvelope(rpc, schema);
    const text = shellOf(operation);
    const shell = isRead ? parseXml(text) : operation;
    expect(shell.name === operation.name && shell.namespace === operation.namespace, 'another operation');
    tally.operations++;
  } catch (error) {
    if (!(error instanceof ManagementError)) throw error;
    expect(TAGS.includes(error.tag) && error.type !== 'application', `${error.type} ${error.tag}: ${error.message}`);
    tally.errors.set(error.tag, (tally.errors.get(error.tag) ?? 0) + 1);
    body = renderErrors(error, schema);
  }
  const tag = rpc?.name === 'rpc' ? replyTag(rpc) : '<rpc-reply>';
  const reply = `${tag}${body}</rpc-reply>`;
  expect(!NO_XML.test(reply), 'the reply has characters that XML has not');
  if (!isRead) return;
  const answered = parseXml(reply);
  expect(answered.attributes.length === (rpc?.name === 'rpc' ? rpc.attributes.length : 0), 'attributes are missing');
}

/** Not of XML 1.0 §2.2. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what it looks for
const NO_XML = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]|\p{Surrogate}/u;

function expect(isSo: boolean, what: string): void {
  if (!isSo) throw new Error(what);
}

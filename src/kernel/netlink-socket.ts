/**
 * Requests to the kernel's routing part and news from it, over npm `netlink`. The one file that opens netlink sockets.
 *
 * Requests go one at a time, because the library mixes up the parts of two dumps on one socket. A dump that the kernel says was
 * disturbed by a change is asked for again.
 */

import { readFileSync } from 'node:fs';
import { getSystemErrorName } from 'node:util';
import type { NetlinkMessage, NetlinkSocket, Protocol as ProtocolNumber } from 'netlink';
import { ignoreNetlinkLoss } from 'node-tuntap2';
import { require } from '../common-js.ts';

const { createNetlink, Flags, FlagsGet, MessageType, Protocol, parseError, rt } =
  require('netlink') as typeof import('netlink');

const ANSWER_MS = 5_000;
const DUMP_TRIES = 10;
/** Octets that may wait to be read; a full table of the Internet comes in many parts. */
const RECEIVE_BUFFER = 4 * 1_024 * 1_024;
const BUFFERS = { recvBufferSize: RECEIVE_BUFFER, sendBufferSize: 0 };
/** Group of the changes to nftables (NFNLGRP_NFTABLES). */
const NFTABLES_GROUP = 7;
const AF_INET = 2;
const GATHER_MS = 50;
/** After news it is looked whether some were lost, this much later. */
const LOSS_MS = 1_000;
const MARK_SEQUENCE = 0x60_00_00_00;
const MARKS = 0x10_00_00_00;
/** The link of index 1, which every network has (struct ifinfomsg of rtnetlink(7)). */
const LOOPBACK = new Uint8Array(Int32Array.of(0, 1, 0, 0).buffer);
/** Columns of /proc/net/netlink. */
const [PROTOCOL_COLUMN, PORT_COLUMN, DROPS_COLUMN] = [1, 2, 8];

export type Body = Uint8Array | Uint8Array[];

/** The kernel's refusal of a request; `code` is its errno by name. */
export class NetlinkError extends Error {
  readonly code: string;
  readonly syscall = 'netlink';

  constructor(code: string, what: string) {
    const advice = code === 'EPERM' ? '; this process needs CAP_NET_ADMIN' : '';
    super(`the kernel refused to ${what}: ${code}${advice}`);
    this.code = code;
  }
}

/** The socket that requests go through. */
export class RequestSocket {
  #socket: NetlinkSocket | undefined;
  #last: Promise<unknown> = Promise.resolve();

  /** Asks for a change or for one thing; returns the payloads of the answer. @throws NetlinkError, `what` says of what */
  ask(what: string, type: number, body: Body, flags = 0): Promise<Buffer[]> {
    return this.#inTurn(async () => payloads(await this.#request(type, body, flags), what));
  }

  /** Asks for all things of a kind. @throws NetlinkError */
  dump(what: string, type: number, body: Body): Promise<Buffer[]> {
    return this.#inTurn(async () => {
      for (let left = DUMP_TRIES; ; left--) {
        const messages = await this.#request(type, body, FlagsGet.DUMP);
        const isDisturbed = messages.some(({ flags }) => (flags & Flags.DUMP_INTR) !== 0);
        if (!isDisturbed || left === 1) return payloads(messages, what);
      }
    });
  }

  close(): void {
    this.#socket?.close();
    this.#socket = undefined;
  }

  #inTurn<Result>(request: () => Promise<Result>): Promise<Result> {
    const result = this.#last.then(request);
    this.#last = result.catch(() => undefined);
    return result;
  }

  async #request(type: number, body: Body, flags: number): Promise<NetlinkMessage[]> {
    const socket = this.#open();
    try {
      return await answerOf(socket, type, body, { flags });
    } catch (cause) {
      // What is still to come would be taken for parts of the next answer.
      this.close();
      const message = `the kernel did not answer a netlink request of type ${type}: ${(cause as Error).message}`;
      throw Object.assign(new Error(message, { cause }), { code: 'ENETLINK', syscall: 'netlink' });
    }
  }

  #open(): NetlinkSocket {
    if (this.#socket) return this.#socket;
    // A lost answer ends by the time limit of its request.
    this.#socket = openSocket(Protocol.ROUTE, () => undefined);
    return this.#socket;
  }
}

/** The answer to a request. A socket that is closed meanwhile does not keep the process until it is too late for one. @throws Error then */
async function answerOf(
  socket: NetlinkSocket,
  type: number,
  body: Body,
  options: { readonly flags?: number; readonly seq?: number },
): Promise<NetlinkMessage[]> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer in ${ANSWER_MS / 1_000} seconds`)), ANSWER_MS).unref();
  });
  try {
    const [messages] = await Promise.race([socket.request(type, body, { ...options, checkError: false }), late]);
    return messages;
  } finally {
    clearTimeout(timer);
  }
}

/** The library ends the process when the kernel tells it of a loss by an error on the socket, so that it never may. */
function openSocket(
  protocol: ProtocolNumber,
  onError: () => void,
  options: { readonly ref?: boolean } = {},
): NetlinkSocket {
  const socket = createNetlink(protocol, { ...BUFFERS, ...options });
  socket.on('error', onError);
  ignoreNetlinkLoss(protocol, socket.address().port);
  return socket;
}

/** How many messages found no room in the socket's buffer so far. */
function lossesOf(protocol: ProtocolNumber, port: number): number {
  const lines = readFileSync('/proc/net/netlink', 'utf8').split('\n');
  const fields = lines
    .map((line) => line.trim().split(/\s+/))
    .find((line) => Number(line[PROTOCOL_COLUMN]) === protocol && Number(line[PORT_COLUMN]) === port);
  return Number(fields?.[DROPS_COLUMN] ?? 0);
}

function payloads(messages: readonly NetlinkMessage[], what: string): Buffer[] {
  for (const { type, data, flags } of messages) {
    if (type !== MessageType.ERROR) continue;
    const { errno } = parseError(data, flags);
    if (errno !== 0) throw new NetlinkError(getSystemErrorName(errno), what);
  }
  return messages.filter(({ type }) => type !== MessageType.ERROR).map(({ data }) => data);
}

/** News of links, IPv4 addresses, IPv4 routes and what they share as next hops. */
export class Ipv4News {
  readonly #socket: NetlinkSocket;
  #marks = 0;

  /** `onNews` is called with messages as they come, without any where they are known to be lost. It does not keep the process alive. */
  constructor(onNews: (messages: readonly NetlinkMessage[] | undefined) => void) {
    const { LINK, IPV4_IFADDR, IPV4_ROUTE, NEXTHOP } = rt.MulticastGroups;
    this.#socket = openSocket(Protocol.ROUTE, () => onNews(undefined), { ref: false });
    for (const group of [LINK, IPV4_IFADDR, IPV4_ROUTE, NEXTHOP]) this.#socket.addMembership(group);
    this.#socket.on('message', onNews);
  }

  /** How many were lost so far. That happens only while others wait to be read: who asks when those are told misses none. */
  get losses(): number {
    return lossesOf(Protocol.ROUTE, this.#socket.address().port);
  }

  /** When this returns, all that was told before the call has been heard. @throws Error when that cannot be known */
  async heard(): Promise<void> {
    // The answer stands behind them. What others ask for has their numbers in the news of it: this one is far from those.
    const seq = MARK_SEQUENCE + (this.#marks++ % MARKS);
    await answerOf(this.#socket, rt.MessageType.GETLINK, LOOPBACK, { seq });
  }

  close(): void {
    this.#socket.close();
  }
}

/**
 * Calls `onNews` when anything that leads packets of either family may have changed; what it returns ends that. News are lost only while
 * others wait to be read, and those are told after it: who reads the tables then misses nothing.
 */
export function watchWays(onNews: () => void): () => void {
  const { LINK, IPV4_IFADDR, IPV6_IFADDR, IPV4_ROUTE, IPV6_ROUTE, IPV4_RULE, IPV6_RULE } = rt.MulticastGroups;
  return watchGroups([LINK, IPV4_IFADDR, IPV6_IFADDR, IPV4_ROUTE, IPV6_ROUTE, IPV4_RULE, IPV6_RULE], onNews);
}

function watchGroups(groups: readonly number[], onNews: () => void): () => void {
  const socket = openSocket(Protocol.ROUTE, onNews, { ref: false });
  for (const group of groups) socket.addMembership(group);
  socket.on('message', onNews);
  return () => socket.close();
}

/**
 * Watches links, addresses, nftables, IPv4 default routes of others, and the routes and rules of ours that others remove. News of a short while are told once, and so
 * is the loss of news. It does not keep the process alive.
 */
export class Monitor {
  readonly #protocol: number;
  readonly #onChange: () => void;
  readonly #sockets: NetlinkSocket[] = [];
  readonly #lossTimers = new Set<NodeJS.Timeout>();
  #gathering: NodeJS.Timeout | undefined;
  #closed = false;

  /** `protocol`: routing protocol number of the routes whose removal is told. */
  constructor(protocol: number, onChange: () => void) {
    this.#protocol = protocol;
    this.#onChange = onChange;
    const { LINK, IPV4_IFADDR, IPV6_IFADDR, IPV4_ROUTE, IPV6_ROUTE, IPV4_RULE } = rt.MulticastGroups;
    const groups = [LINK, IPV4_IFADDR, IPV6_IFADDR, IPV4_ROUTE, IPV6_ROUTE, IPV4_RULE];
    this.#watch(Protocol.ROUTE, groups, (message) => this.#concerns(message));
    this.#watch(Protocol.NETFILTER, [NFTABLES_GROUP], () => true);
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#gathering);
    for (const timer of this.#lossTimers) clearTimeout(timer);
    for (const socket of this.#sockets) socket.close();
  }

  #watch(protocol: ProtocolNumber, groups: readonly number[], concerns: (message: NetlinkMessage) => boolean): void {
    const socket = openSocket(protocol, () => this.#tellSoon(LOSS_MS), { ref: false });
    const { port } = socket.address();
    for (const group of groups) socket.addMembership(group);
    let losses = 0;
    let timer: NodeJS.Timeout | undefined;
    const look = () => {
      if (timer) this.#lossTimers.delete(timer);
      timer = undefined;
      const now = lossesOf(protocol, port);
      if (now !== losses) this.#tellSoon(GATHER_MS);
      losses = now;
    };
    socket.on('message', (messages) => {
      if (messages.some(concerns)) this.#tellSoon(GATHER_MS);
      if (timer || this.#closed) return;
      timer = setTimeout(look, LOSS_MS).unref();
      this.#lossTimers.add(timer);
    });
    this.#sockets.push(socket);
  }

  #concerns({ type, data }: NetlinkMessage): boolean {
    const { NEWROUTE, DELROUTE, NEWRULE } = rt.MessageType;
    if (type === NEWRULE) return false;
    if (type !== NEWROUTE && type !== DELROUTE) return true;
    // Family, length and protocol are octets 0, 1 and 5 of a route message (rtnetlink(7)).
    const isOwn = data[5] === this.#protocol;
    return type === DELROUTE && isOwn ? true : !isOwn && data[0] === AF_INET && data[1] === 0;
  }

  #tellSoon(delayMs: number): void {
    if (this.#closed || this.#gathering) return;
    this.#gathering = setTimeout(() => {
      this.#gathering = undefined;
      this.#onChange();
    }, delayMs);
    this.#gathering.unref();
  }
}

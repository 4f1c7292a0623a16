/**
 * What the hook of the DHCPv6 client wrote down for an interface (packaging/dhcpcd/90-gi4over6). A file, and not a message, so that what
 * was told while this process was not there is known when it is. Its folder is root's, as the client is: this process reads only.
 *
 *     gi4over6-dhcpv6 answer      or: gi4over6-dhcpv6 lost
 *     s46-br 20010db8...          octets of an option in hexadecimal digits; also aftr-name and s46-cont-lw
 *     name-servers 2001:db8::1 ...
 *     end
 */

import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseIpv6 } from '../../address.ts';
import type { AftrOptions } from './aftr-options.ts';

const HEAD = 'gi4over6-dhcpv6';
const END = 'end';
/** Options of DHCPv6 have 65,535 octets at most, and those that are looked at far fewer. */
const MAX_FILE_OCTETS = 32_768;
const WRITABLE_BY_OTHERS = 0o022;
const OPTIONS = { 'aftr-name': 'aftrName', 's46-br': 's46Br', 's46-cont-lw': 's46ContLw' } as const;

export type LeaseReport =
  | { readonly kind: 'answer'; readonly options: AftrOptions; readonly nameServers: readonly string[] }
  | { readonly kind: 'lost' }
  /** It cannot be read, and why. */
  | { readonly kind: 'unreadable'; readonly problem: string };

export interface LeaseFile {
  readonly report: LeaseReport;
  /** When it was written. */
  readonly time: Date;
  /** Another one for each that is written. */
  readonly mark: string;
}

/**
 * The file of an interface when it is another than that of `mark`; 'same' when it is not, undefined when there is none. The hook puts a
 * file in the place of the one before, so that one is never seen half.
 */
export function readLeaseFile(dir: string, link: string, mark: string | undefined): LeaseFile | 'same' | undefined {
  let descriptor: number;
  try {
    descriptor = openSync(join(dir, link), 'r');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    const problem = `${join(dir, link)} cannot be read: ${error instanceof Error ? error.message : String(error)}`;
    return mark === problem ? 'same' : { report: { kind: 'unreadable', problem }, time: new Date(), mark: problem };
  }
  try {
    const { ino, mtimeMs, mtime, size, uid, mode } = fstatSync(descriptor);
    const now = `${ino} ${mtimeMs} ${size}`;
    if (now === mark) return 'same';
    const isTrusted = (uid === 0 || uid === process.geteuid?.()) && (mode & WRITABLE_BY_OTHERS) === 0;
    const report = isTrusted
      ? parseLease(size > MAX_FILE_OCTETS ? '' : readFileSync(descriptor, 'latin1'), link)
      : unreadable('it belongs to or can be written by others than root');
    return { report, time: mtime, mark: now };
  } finally {
    closeSync(descriptor);
  }
}

/** The text of a file of the hook; `link` is the interface, for link-local name servers. */
export function parseLease(text: string, link: string): LeaseReport {
  const lines = text.split('\n');
  if (lines.pop() !== '' || lines.pop() !== END) return unreadable('it is not whole');
  const [head, kind] = (lines.shift() ?? '').split(' ');
  if (head !== HEAD || (kind !== 'answer' && kind !== 'lost')) return unreadable('it is not of the hook of gi4over6');
  if (kind === 'lost') return { kind };
  const options: { -readonly [Name in keyof AftrOptions]: AftrOptions[Name] } = {};
  let nameServers: string[] = [];
  for (const line of lines) {
    const [name = '', ...words] = line.split(' ');
    if (name === 'name-servers') nameServers = words.flatMap((word) => nameServer(word, link));
    else if (isOption(name)) {
      const [hex = ''] = words;
      if (words.length > 1 || !/^([0-9a-fA-F]{2})*$/.test(hex)) return unreadable(`${name} is not hexadecimal`);
      options[OPTIONS[name]] = new Uint8Array(Buffer.from(hex, 'hex'));
    } else return unreadable(`it has a line ${JSON.stringify(name)} that is not known`);
  }
  return { kind, options, nameServers };
}

/** Of a server that is link-local the link is named (RFC 4007 §11). */
function nameServer(text: string, link: string): string[] {
  const octets = parseIpv6(text);
  if (!octets) return [];
  return [octets[0] === 0xfe && ((octets[1] ?? 0) & 0xc0) === 0x80 ? `${text}%${link}` : text];
}

function isOption(name: string): name is keyof typeof OPTIONS {
  return Object.hasOwn(OPTIONS, name);
}

function unreadable(what: string): LeaseReport {
  return { kind: 'unreadable', problem: `the file of the DHCPv6 client's hook is not used: ${what}` };
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}

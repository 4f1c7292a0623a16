/**
 * What a disk may hold after a power loss, from the records of disk-shim.cc: of each file what was synced, or written through,
 * and any part of what was written since; of each folder the names that were there when it was synced, and any later ones.
 */

import { readFileSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';

export type DiskRecord =
  | { readonly kind: 'write'; readonly file: number; readonly offset: number; readonly data: Buffer }
  | { readonly kind: 'write-through'; readonly file: number; readonly offset: number; readonly data: Buffer }
  | { readonly kind: 'truncate'; readonly file: number; readonly length: number }
  | { readonly kind: 'sync'; readonly file: number }
  | { readonly kind: 'create'; readonly file: number; readonly path: string }
  | { readonly kind: 'folder'; readonly file: number; readonly path: string }
  | { readonly kind: 'rename'; readonly file: number; readonly from: string; readonly to: string }
  | { readonly kind: 'remove'; readonly path: string }
  | { readonly kind: 'acknowledge'; readonly text: string };

const HEAD = 17;

export function readDiskLog(path: string): DiskRecord[] {
  const octets = readFileSync(path);
  const records: DiskRecord[] = [];
  for (let at = 0; at < octets.length; ) {
    const type = String.fromCharCode(octets[at] ?? 0);
    const file = octets.readUInt32LE(at + 1);
    const offset = Number(octets.readBigUInt64LE(at + 5));
    const length = octets.readUInt32LE(at + 13);
    const data = octets.subarray(at + HEAD, at + HEAD + length);
    records.push(recordOf(type, file, offset, data));
    at += HEAD + length;
  }
  return records;
}

function recordOf(type: string, file: number, offset: number, data: Buffer): DiskRecord {
  const text = data.toString();
  switch (type) {
    case 'W':
      return { kind: 'write', file, offset, data };
    case 'D':
      return { kind: 'write-through', file, offset, data };
    case 'T':
      return { kind: 'truncate', file, length: offset };
    case 'S':
      return { kind: 'sync', file };
    case 'O':
      return { kind: 'create', file, path: text };
    case 'M':
      return { kind: 'folder', file, path: text };
    case 'R': {
      const [from = '', to = ''] = text.split('\0');
      return { kind: 'rename', file, from, to };
    }
    case 'U':
      return { kind: 'remove', path: text };
    case 'A':
      return { kind: 'acknowledge', text };
    default:
      throw new Error(`the disk log has a record of type '${type}'`);
  }
}

/** What becomes of what was not synced. */
export type Fate = 'lost' | 'kept' | 'some' | 'torn';

type Change = Extract<DiskRecord, { kind: 'write' | 'truncate' }>;

/** A name in a folder comes to stand for something, or for nothing. */
interface NameChange {
  /** The folder whose sync makes it durable. */
  readonly folder: number;
  readonly sets: readonly (readonly [folder: number, name: string, thing: number | undefined])[];
}

/** Sectors are written whole. */
const SECTOR = 512;

/** Files and folders by name; numbers are ours, since a disk gives an inode's number again. */
type Names = Map<number, Map<string, number>>;

const ROOT = 0;

/** A disk that gets the records one after the other. */
export class Disk {
  readonly #root: string;
  /** Synced contents by file. */
  readonly #contents = new Map<number, Buffer>();
  /** Changes since the last sync, by file. */
  readonly #pending = new Map<number, Change[]>();
  /** What an inode number stands for now. */
  readonly #things = new Map<number, number>();
  readonly #folders = new Set<number>([ROOT]);
  #count = ROOT;
  /** As programs see them. */
  readonly #live: Names = new Map();
  /** As far as folders were synced. */
  readonly #names: Names = new Map();
  #pendingNames: NameChange[] = [];
  acknowledged: string[] = [];

  /** `folder` was there before and is synced; `inode` is its number. */
  constructor(folder: string, inode: number) {
    this.#root = folder;
    this.#things.set(inode, ROOT);
  }

  apply(record: DiskRecord): void {
    switch (record.kind) {
      case 'acknowledge':
        this.acknowledged.push(...record.text.split('\n').filter((line) => line !== ''));
        break;
      case 'folder':
      case 'create': {
        const thing = ++this.#count;
        this.#things.set(record.file, thing);
        if (record.kind === 'folder') this.#folders.add(thing);
        const folder = this.#folderOf(record.path);
        this.#rename({ folder, sets: [[folder, basename(record.path), thing]] });
        break;
      }
      case 'rename': {
        const [from, folder] = [this.#folderOf(record.from), this.#folderOf(record.to)];
        const thing = this.#live.get(from)?.get(basename(record.from));
        this.#rename({
          folder,
          sets: [
            [from, basename(record.from), undefined],
            [folder, basename(record.to), thing],
          ],
        });
        break;
      }
      case 'remove': {
        const folder = this.#folderOf(record.path);
        this.#rename({ folder, sets: [[folder, basename(record.path), undefined]] });
        break;
      }
      case 'write-through': {
        const thing = this.#thing(record.file);
        this.#contents.set(thing, changed(this.#content(thing), { ...record, kind: 'write' }));
        break;
      }
      case 'sync':
        this.#sync(this.#thing(record.file));
        break;
      default:
        this.#later(this.#thing(record.file)).push(record);
    }
  }

  /** The files after a power loss, by path. */
  afterLoss(fate: Fate, next: () => number): Map<string, Buffer> {
    const names: Names = new Map([...this.#names].map(([folder, inside]) => [folder, new Map(inside)]));
    // Names come in order: a journal keeps the first so many.
    const kept =
      fate === 'lost' ? 0 : fate === 'kept' ? this.#pendingNames.length : next() % (this.#pendingNames.length + 1);
    for (const change of this.#pendingNames.slice(0, kept)) setNames(names, change);
    const files = new Map<string, Buffer>();
    const walk = (folder: number, path: string) => {
      for (const [name, thing] of names.get(folder) ?? []) {
        if (this.#folders.has(thing)) walk(thing, join(path, name));
        else files.set(join(path, name), this.#survivor(thing, fate, next));
      }
    };
    walk(ROOT, this.#root);
    return files;
  }

  #rename(change: NameChange): void {
    setNames(this.#live, change);
    this.#pendingNames.push(change);
  }

  #thing(inode: number): number {
    const thing = this.#things.get(inode) ?? ++this.#count;
    this.#things.set(inode, thing);
    return thing;
  }

  /** The folder that a path lies in, by the names that programs see. */
  #folderOf(path: string): number {
    const words = relative(this.#root, dirname(path)).split('/').filter(Boolean);
    return words.reduce((folder, word) => {
      const inside = this.#live.get(folder)?.get(word);
      if (inside === undefined) throw new Error(`${path} lies in no folder that was made`);
      return inside;
    }, ROOT);
  }

  #survivor(file: number, fate: Fate, next: () => number): Buffer {
    let content: Buffer = Buffer.from(this.#content(file));
    const pending = this.#pending.get(file) ?? [];
    const last = next() % (pending.length + 1);
    for (const [place, change] of pending.entries()) {
      if (fate === 'lost') break;
      if (fate === 'some' && next() % 2 === 0) continue;
      if (fate === 'torn' && place > last) break;
      const isTorn = fate === 'torn' && place === last && change.kind === 'write';
      content = changed(content, isTorn ? { ...change, data: sectors(change.data, next()) } : change);
    }
    return content;
  }

  #later(file: number): Change[] {
    const pending = this.#pending.get(file) ?? [];
    this.#pending.set(file, pending);
    return pending;
  }

  #content(file: number): Buffer {
    return this.#contents.get(file) ?? Buffer.alloc(0);
  }

  #sync(file: number): void {
    let content = this.#content(file);
    for (const change of this.#pending.get(file) ?? []) content = changed(content, change);
    if (this.#pending.has(file)) this.#contents.set(file, content);
    this.#pending.delete(file);
    for (const change of this.#pendingNames) if (change.folder === file) setNames(this.#names, change);
    this.#pendingNames = this.#pendingNames.filter(({ folder }) => folder !== file);
  }
}

function sectors(data: Buffer, choice: number): Buffer {
  return data.subarray(0, (choice % (Math.floor(data.length / SECTOR) + 1)) * SECTOR);
}

/** The content with a change; it is changed itself where it need not grow. */
function changed(content: Buffer, change: Change): Buffer {
  if (change.kind === 'truncate') return resized(content, change.length);
  const { offset, data } = change;
  const result = resized(content, Math.max(content.length, offset + data.length));
  data.copy(result, offset);
  return result;
}

function resized(content: Buffer, length: number): Buffer {
  if (content.length === length) return content;
  const result = Buffer.alloc(length);
  content.copy(result, 0, 0, Math.min(length, content.length));
  return result;
}

function setNames(names: Names, { sets }: NameChange): void {
  for (const [folder, name, thing] of sets) {
    const inside = names.get(folder) ?? new Map<string, number>();
    names.set(folder, inside);
    if (thing === undefined) inside.delete(name);
    else inside.set(name, thing);
  }
}

/**
 * Bench of RESTCONF: GET of one binding, PUT of one binding, GET of a page of bindings, each over HTTP/1.1 and HTTP/2, on one
 * connection and on sixteen. Each beside a bare handler of the same HTTP stack (`http-constant.ts`) that answers with as many octets, in
 * interleaved rounds: the medians of both, and of their ratio. Of the reads also what they take of the server's main thread.
 */

import { readFileSync } from 'node:fs';
import { get } from 'node:https';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Ask, Protocol } from './http-load.ts';
import { load, openConnections } from './http-load.ts';
import { enterOwnNetwork, Instance } from './instance.ts';
import { LineChild } from './line-child.ts';
import type { BenchResult } from './results.ts';
import { median, result } from './results.ts';
import { gateway, prefixesOf, tableJson } from './tables.ts';

const CONSTANT = fileURLToPath(new URL('./http-constant.js', import.meta.url));
const ROUNDS = 7;
const ROUND_MS = 300;
/** Until the code that answers is compiled. */
const WARM_MS = 3_000;
const BINDINGS = 10_000;
const PAGE = 100;
const PROTOCOLS = ['h1', 'h2'] as const;
const CONNECTIONS = [1, 16] as const;
const TABLES = '/restconf/data/gi-4over6:softwire/aftr=';
/** GET of one binding reaches at least this part of the bare handler's rate. */
const TARGET = 0.5;

interface Server {
  readonly port: number;
  /** Of the process whose main thread answers. */
  readonly pid: number;
}

/** What is asked of the program, and what of the bare handler in its place. */
interface Question {
  readonly name: 'get' | 'put' | 'page';
  readonly ours: readonly Ask[];
  readonly bare: readonly Ask[];
}

interface Values {
  readonly rate: number;
  readonly p50: number;
  readonly p99: number;
  /** Microseconds of the main thread for a request. */
  readonly processor: number;
}

/** Runs the whole bench, about two minutes, as root. Never returns outside its own namespace. */
export async function benchRestconf(): Promise<BenchResult[]> {
  enterOwnNetwork();
  const instance = await Instance.start(`/tmp/gi4over6-bench-${process.pid}`);
  try {
    await configure(instance);
    const { authorization, restconfPort } = instance;
    const ours: Server = { port: restconfPort, pid: instance.pid('management') };
    const page = `${TABLES}small/binding-table/binding`;
    const sizes = {
      get: await sizeOf(ours, authorization, pathOf(prefixesOf('dense', BINDINGS)[BINDINGS - 1] ?? '')),
      page: await sizeOf(ours, authorization, page),
    };
    const files = ['tls.key', 'tls.crt'].map((name) => join(instance.dir, 'state/keys', name));
    const constant = await LineChild.start(CONSTANT, [...files, String(sizes.get), String(sizes.page)]);
    const bare: Server = { port: Number(constant.firstLine), pid: constant.pid };
    const questions = questionsOf(authorization, page, sizes);
    try {
      const results: BenchResult[] = [plain('get-size', sizes.get, 'octets'), plain('page-size', sizes.page, 'octets')];
      for (const protocol of PROTOCOLS) {
        for (const count of CONNECTIONS) results.push(...(await compare(questions, ours, bare, protocol, count)));
      }
      return results;
    } finally {
      await constant.end();
    }
  } finally {
    await instance.stop();
  }
}

/** Each request is about another binding than the one before, and each write changes it. */
function questionsOf(authorization: string, page: string, sizes: { get: number; page: number }): readonly Question[] {
  const read = (path: string): Ask => ({ method: 'GET', path, authorization });
  const write = (path: string, body: string): Ask => ({ method: 'PUT', path, authorization, body });
  const prefixes = prefixesOf('dense', BINDINGS);
  return [
    { name: 'get', ours: prefixes.map((prefix) => read(pathOf(prefix))), bare: [read(`/${sizes.get}`)] },
    {
      name: 'put',
      ours: [16, 32].flatMap((shift) =>
        prefixes.map((prefix, index) => write(pathOf(prefix), bodyOf(prefix, gateway(index + shift)))),
      ),
      bare: [write('/', bodyOf(prefixes[0] ?? '', gateway(0)))],
    },
    { name: 'page', ours: [read(page)], bare: [read(`/${sizes.page}`)] },
  ];
}

/** Two AFTRs: one with a table, one whose whole table is a page. */
async function configure(instance: Instance): Promise<void> {
  const aftrs = [
    ['edge', '2001:db8:b::1', '16.0.0.0/5'],
    ['small', '2001:db8:b::2', '24.0.0.0/5'],
  ].map(([name, address, pool]) => {
    const leaves = `<name>${name}</name><enabled>false</enabled><ipv6-address>${address}</ipv6-address>`;
    return `<aftr>${leaves}<ipv4-pool>${pool}</ipv4-pool></aftr>`;
  });
  const softwire = `<softwire xmlns="urn:gi-4over6">${aftrs.join('')}</softwire>`;
  await instance.netconf(`<edit-config><target><running/></target><config>${softwire}</config></edit-config>`);
  const all = prefixesOf('dense', BINDINGS);
  await instance.restconf('PUT', `${TABLES}edge/binding-table`, tableJson(all, 0));
  const page = all.slice(0, PAGE).map((prefix) => prefix.replace(/^16/, '24'));
  await instance.restconf('PUT', `${TABLES}small/binding-table`, tableJson(page, 0));
}

function pathOf(prefix: string): string {
  return `${TABLES}edge/binding-table/binding=${encodeURIComponent(prefix)}`;
}

function bodyOf(prefix: string, gatewayAddress: string): string {
  const entry = { 'ipv4-prefix': prefix, 'gateway-ipv6-address': gatewayAddress };
  return JSON.stringify({ 'gi-4over6:binding': [entry] });
}

function sizeOf({ port }: Server, authorization: string, path: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port, path, rejectUnauthorized: false, headers: { authorization } };
    get(options, (response) => {
      let size = 0;
      response.on('data', (piece: Buffer) => {
        size += piece.length;
      });
      response.once('end', () => {
        if (response.statusCode === 200) resolve(size);
        else reject(new Error(`GET ${path}: ${response.statusCode}`));
      });
    }).once('error', reject);
  });
}

async function compare(
  questions: readonly Question[],
  ours: Server,
  bare: Server,
  protocol: Protocol,
  count: number,
): Promise<BenchResult[]> {
  const [own, base] = [
    await openConnections(protocol, ours.port, count),
    await openConnections(protocol, bare.port, count),
  ];
  const results: BenchResult[] = [];
  for (const question of questions) {
    await load(own, question.ours, WARM_MS);
    await load(base, question.bare, WARM_MS);
    const rounds: { readonly own: Values; readonly base: Values }[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      rounds.push({ own: await measure(own, question.ours, ours), base: await measure(base, question.bare, bare) });
    }
    results.push(...resultsOf(`${question.name}-${protocol}-${count}`, question.name === 'get', rounds));
  }
  for (const connection of [...own, ...base]) connection.close();
  return results;
}

async function measure(
  connections: Awaited<ReturnType<typeof openConnections>>,
  requests: readonly Ask[],
  server: Server,
): Promise<Values> {
  const before = processorTime(server);
  const { rate, times } = await load(connections, requests, ROUND_MS);
  return {
    rate,
    p50: times[Math.floor(times.length / 2)] ?? Number.NaN,
    p99: times[Math.floor(times.length * 0.99)] ?? Number.NaN,
    processor: (processorTime(server) - before) / times.length,
  };
}

function resultsOf(
  name: string,
  hasTarget: boolean,
  rounds: readonly { readonly own: Values; readonly base: Values }[],
): BenchResult[] {
  const both = (value: keyof Values, id: string, unit: string) => [
    plain(`${name}-${id}`, median(rounds.map(({ own }) => own[value])), unit),
    plain(`${name}-${id}-bare`, median(rounds.map(({ base }) => base[value])), unit),
  ];
  const ratio = median(rounds.map(({ own, base }) => own.rate / base.rate));
  return [
    ...both('rate', 'rate', 'a second'),
    result(`restconf.${name}-rate-to-bare`, ratio, 'ratio', 'at least', hasTarget ? TARGET : null),
    ...both('p50', 'latency-p50', 'ms'),
    ...both('p99', 'latency-p99', 'ms'),
    ...both('processor', 'processor', 'µs'),
  ];
}

/** Of the main thread, in microseconds: the first field of schedstat is nanoseconds. */
function processorTime({ pid }: Server): number {
  return Number(readFileSync(`/proc/${pid}/task/${pid}/schedstat`, 'utf8').split(' ')[0]) / 1_000;
}

function plain(id: string, value: number, unit: string): BenchResult {
  return result(`restconf.${id}`, value, unit);
}

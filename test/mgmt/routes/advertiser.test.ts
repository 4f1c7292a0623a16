/** What a gateway tells, and that both ends agree in the end whatever gets lost. */

import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { parseIpv4Prefix } from '../../../src/address.ts';
import { Choice } from '../../../src/mgmt/routes/advertised.ts';
import { Advertiser, retryAfter } from '../../../src/mgmt/routes/advertiser.ts';
import type { TargetAnswer } from '../../../src/mgmt/routes/aftr-client.ts';
import { AftrClient, CrowdedError, TargetRefusal } from '../../../src/mgmt/routes/aftr-client.ts';
import { RouteSession } from '../../../src/mgmt/routes/session.ts';
import { readConfiguration } from '../../../src/state/configuration-reader.generated.ts';
import { ManagementError } from '../../../src/state/errors.ts';
import type { Advertisement } from '../../../src/state/learned/route-table.ts';
import { formatNumber, prefixNumber } from '../../../src/state/rows.ts';
import { random, seed } from '../../helpers/random.ts';

const test = suite('advertiser');

function numberOf(text: string): number {
  const prefix = parseIpv4Prefix(text);
  if (!prefix) throw new Error(text);
  return prefixNumber(prefix.address, prefix.length);
}

const gateway = (advertisement: Readonly<Record<string, unknown>>, served: readonly string[] = []) => {
  const prefixes = served.map((prefix) => ({ 'ipv4-prefix': prefix }));
  const entry = { name: 'g', 'served-prefix': prefixes, 'route-advertisement': advertisement };
  const [found] = readConfiguration({ 'gi-4over6:softwire': { gateway: [entry] } }).gateway;
  if (!found) throw new Error('no gateway was read');
  return found;
};

// [why, configuration, served prefixes, routes as table and prefix, what is advertised]
const chosen: readonly (readonly [
  string,
  Readonly<Record<string, unknown>>,
  readonly string[],
  readonly (readonly [number, string])[],
  readonly string[],
])[] = [
  [
    'main without a word',
    {},
    [],
    [
      [254, '192.0.2.0/24'],
      [100, '198.51.100.0/24'],
    ],
    ['192.0.2.0/24'],
  ],
  [
    'the tables named',
    { 'route-table': [100] },
    [],
    [
      [254, '192.0.2.0/24'],
      [100, '198.51.100.0/24'],
    ],
    ['198.51.100.0/24'],
  ],
  [
    'served prefixes, once',
    {},
    ['192.0.2.0/24', '10.0.0.0/8'],
    [[254, '192.0.2.0/24']],
    ['10.0.0.0/8', '192.0.2.0/24'],
  ],
  [
    'never default, loopback, link-local, multicast',
    {},
    [],
    [
      [254, '0.0.0.0/0'],
      [254, '127.0.0.0/8'],
      [254, '169.254.0.0/16'],
      [254, '169.254.1.0/24'],
      [254, '224.0.0.0/4'],
      [254, '240.0.0.0/4'],
    ],
    [],
  ],
  [
    'only what is included',
    { 'include-prefix': ['192.0.2.0/24'] },
    [],
    [
      [254, '192.0.2.0/25'],
      [254, '192.0.0.0/16'],
      [254, '10.0.0.0/8'],
    ],
    ['192.0.2.0/25'],
  ],
  [
    'not what is excluded',
    { 'exclude-prefix': ['192.0.2.0/25'] },
    [],
    [
      [254, '192.0.2.0/25'],
      [254, '192.0.2.128/25'],
      [254, '192.0.2.0/24'],
    ],
    ['192.0.2.0/24', '192.0.2.128/25'],
  ],
];
for (const [why, configuration, served, routes, expected] of chosen) {
  test(`advertised: ${why}`, () => {
    const tables = new Map<number, Set<number>>();
    for (const [table, text] of routes) tables.set(table, (tables.get(table) ?? new Set()).add(numberOf(text)));
    const kernel = {
      has: (table: number, number: number) => tables.get(table)?.has(number) ?? false,
      numbers: (table: number) => tables.get(table) ?? [],
    };
    const choice = new Choice(gateway(configuration, served));
    const found = [...new Set(choice.all(kernel))].sort((a, b) => a - b);
    assert.equal(found.map(formatNumber), expected);
    const asked = [...routes.map(([, text]) => text), ...served].map(numberOf);
    assert.equal(
      asked
        .filter((number) => choice.takes(number, kernel))
        .map(formatNumber)
        .sort(),
      asked
        .filter((number) => expected.includes(formatNumber(number)))
        .map(formatNumber)
        .sort(),
    );
  });
}

type Json = Readonly<Record<string, unknown>>;

/** An AFTR that refuses odd third octets; `faults` decides what is lost on the way there and back. */
class FakeAftr {
  readonly routes = new Map<number, boolean>();
  readonly inputs: Json[] = [];
  faults: () => 'none' | 'request' | 'answer' = () => 'none';
  holdTime = 3;
  #sessions: RouteSession[] = [];
  #told = new Map<number, boolean>();

  async send(input: Json): Promise<TargetAnswer> {
    await new Promise((resolve) => setImmediate(resolve));
    const fault = this.faults();
    if (fault === 'request') throw new Error('lost on the way');
    this.inputs.push(input);
    const answer = await this.#take(input);
    if (fault === 'answer') throw new Error('the answer was lost');
    return answer;
  }

  close(): void {
    this.inputs.push({ closed: true });
  }

  forgetSessions(): void {
    this.#sessions = [];
  }

  async #take(input: Json): Promise<TargetAnswer> {
    if (input.open) {
      this.#sessions.unshift(new RouteSession(String(this.inputs.length)));
      return { session: this.#sessions[0]?.id ?? '', sequence: '0', 'hold-time': this.holdTime };
    }
    const session = this.#sessions.find(({ id }) => id === input.session);
    if (!session) throw new TargetRefusal('unknown session', 'unknown-session');
    const list = (name: string) => ((input[name] ?? []) as readonly string[]).map(numberOf);
    const message = {
      session: session.id,
      sequence: Number(input.sequence),
      hasMore: input.more !== undefined,
      isClose: input.close !== undefined,
      routes: list('route'),
      withdrawn: list('withdrawn'),
      contentHash: input['content-hash'] as string | undefined,
    };
    if (message.isClose) this.routes.clear();
    if (message.isClose) return { session: session.id, sequence: '0', 'hold-time': this.holdTime };
    try {
      const step = await session.take(message, 100_000);
      if (step) this.#apply(step.advertisement);
      await step?.taken();
      const refused = step ? this.#refused(step.advertisement.isWhole) : [];
      return { session: session.id, sequence: String(session.sequence), 'hold-time': this.holdTime, refused };
    } catch (error) {
      if (error instanceof ManagementError) throw new TargetRefusal(error.message, error.appTag ?? '');
      throw error;
    }
  }

  #apply({ isWhole, routes, withdrawn }: Advertisement): void {
    if (isWhole) this.routes.clear();
    for (const number of withdrawn) this.routes.delete(number);
    for (const number of routes) this.routes.set(number, isTaken(number));
  }

  #refused(isWhole: boolean) {
    if (isWhole) this.#told.clear();
    const news = [...this.routes].filter(([number]) => !this.#told.has(number));
    this.#told = new Map(this.routes);
    return news
      .filter(([, taken]) => !taken)
      .map(([number]) => ({ 'ipv4-prefix': formatNumber(number), reason: 'not-allowed' }));
  }
}

function isTaken(number: number): boolean {
  return ((number / 64 / 256) & 1) === 0;
}

async function until(is: () => boolean): Promise<void> {
  for (let i = 0; i < 6_000 && !is(); i++) await new Promise((resolve) => setTimeout(resolve, 10));
  assert.ok(is());
}

function advertiser(aftr: FakeAftr, wanted: ReadonlySet<number>, log: string[] = []): Advertiser {
  const parts = {
    gateway: '2001:db8:a::1',
    client: aftr,
    onAnswer: () => undefined,
    log: (text: string) => log.push(text),
  };
  return new Advertiser({ ...parts, random: () => 0 }, wanted, []);
}

const routesOf = (count: number, from = 0) =>
  new Set(Array.from({ length: count }, (_, i) => (10 * 2 ** 24 + (from + i) * 256) * 64 + 24));

function agrees(aftr: FakeAftr, one: Advertiser, wanted: ReadonlySet<number>): boolean {
  const verdicts = one.verdicts().map(([number, reason]) => `${number} ${reason}`);
  const expected = [...wanted]
    .sort((a, b) => a - b)
    .map((number) => `${number} ${isTaken(number) ? '' : 'not-allowed'}`);
  const bound = [...aftr.routes.keys()].sort((a, b) => a - b);
  return (
    one.state === 'established' &&
    verdicts.join() === expected.join() &&
    bound.join() === [...wanted].sort((a, b) => a - b).join()
  );
}

test('all routes first, in parts; then what changed; then a word that it is there; at the end a withdrawal', async () => {
  const aftr = new FakeAftr();
  const all = routesOf(25_000);
  const one = advertiser(aftr, all);
  await until(() => agrees(aftr, one, all));
  assert.equal(
    aftr.inputs.slice(0, 4).map((input) => [(input.route as unknown[] | undefined)?.length, input.more !== undefined]),
    [
      [undefined, false],
      [10_000, true],
      [10_000, true],
      [5_000, false],
    ],
  );
  const next = new Set([...all].slice(1));
  one.set(next);
  await until(() => agrees(aftr, one, next));
  const [gone] = [...all];
  const told = aftr.inputs.slice(4).filter((input) => input.route || input.withdrawn);
  assert.equal(
    told.map(({ route, withdrawn }) => [route, withdrawn]),
    [[undefined, [formatNumber(gone ?? 0)]]],
  );
  // A word after a third of the hold time, which is 3 s. Timers are called in their order, however late.
  const before = aftr.inputs.length;
  let isLate = false;
  const late = setTimeout(() => {
    isLate = true;
  }, 2_500);
  await until(() => aftr.inputs.length > before || isLate);
  clearTimeout(late);
  assert.ok(aftr.inputs.length > before, 'well before the hold time is over');
  assert.equal(aftr.inputs[before]?.withdrawn, undefined);
  await one.end(1_000);
  assert.is(aftr.routes.size, 0);
  assert.equal(aftr.inputs.at(-1), { closed: true });
});

test('a burst of changes is told together', async () => {
  const aftr = new FakeAftr();
  const one = advertiser(aftr, routesOf(1));
  await until(() => agrees(aftr, one, routesOf(1)));
  const tellings = () => aftr.inputs.filter((input) => input.route || input.withdrawn).length;
  const before = tellings();
  for (let count = 2; count <= 500; count++) one.set(routesOf(count));
  await until(() => agrees(aftr, one, routesOf(500)));
  assert.ok(tellings() - before <= 2, `${tellings() - before} messages`);
  await one.end(1_000);
});

test('very many routes are looked at in slices: others have their turn meanwhile', async () => {
  const aftr = new FakeAftr();
  const all = routesOf(65_536);
  const one = advertiser(aftr, all);
  // Looked at in each turn: what comes next may come soon.
  for (const end = Date.now() + 60_000; aftr.inputs.length === 0 && Date.now() < end; ) {
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.is(aftr.inputs.length, 1);
  let turns = 0;
  while (aftr.inputs.length === 1) {
    turns++;
    await new Promise((resolve) => setImmediate(resolve));
  }
  // One is that of the AFTR itself.
  assert.ok(turns > 2, `${turns} turns between the session and its first routes`);
  await one.end(1_000);
});

test('failures are tried again after longer and longer times, and told once', async () => {
  const aftr = new FakeAftr();
  const log: string[] = [];
  let tries = 0;
  aftr.faults = () => (++tries < 4 ? 'request' : 'none');
  const begun = performance.now();
  const one = advertiser(aftr, routesOf(3), log);
  await until(() => one.state === 'failing');
  assert.is(one.problem, 'lost on the way');
  await until(() => agrees(aftr, one, routesOf(3)));
  // Half of 500, 1,000 and 2,000 ms: the fake chance is 0.
  assert.ok(performance.now() - begun >= 1_700, 'it waited');
  assert.equal(log, ['lost on the way', 'the AFTR knows the routes']);
  await one.end(1_000);
});

test('another client mends what failed without waiting for the next attempt, and in the same session', async () => {
  const aftr = new FakeAftr();
  const one = advertiser(aftr, routesOf(3));
  await until(() => agrees(aftr, one, routesOf(3)));
  const told = aftr.inputs.length;
  let refusals = 0;
  const refused = {
    send: async (): Promise<TargetAnswer> => {
      refusals++;
      throw new TargetRefusal('another password', '');
    },
    close: () => undefined,
  };
  one.use(refused);
  await until(() => refusals > 3);
  assert.is(one.state, 'failing');
  let tried: 'at once' | 'late' | undefined;
  const mended = {
    send: (input: Json) => {
      tried ??= 'at once';
      return aftr.send(input);
    },
    close: () => aftr.close(),
  };
  one.use(mended);
  // The next attempt would have been after 2,000 ms. Timers are called in their order, however late.
  const late = setTimeout(() => {
    tried ??= 'late';
  }, 1_000);
  await until(() => tried !== undefined);
  clearTimeout(late);
  assert.is(tried, 'at once');
  await until(() => agrees(aftr, one, routesOf(3)));
  const since = aftr.inputs.slice(told).filter((input) => input.close || input.withdrawn);
  assert.equal(since, [], 'nothing was withdrawn');
  await one.end(1_000);
});

test('why routes are refused is told where none is taken', async () => {
  const aftr = new FakeAftr();
  const all = routesOf(4);
  const refused = new Set([...all].filter((number) => !isTaken(number)));
  const one = advertiser(aftr, refused);
  assert.equal(one.whyNone(), []);
  await until(() => agrees(aftr, one, refused));
  assert.equal(one.whyNone(), ['not-allowed']);
  one.set(all);
  await until(() => agrees(aftr, one, all));
  assert.equal(one.whyNone(), []);
  await one.end(1_000);
});

test('a route that goes and comes back before the AFTR hears of it keeps its verdict', async () => {
  const aftr = new FakeAftr();
  const one = advertiser(aftr, routesOf(3));
  await until(() => agrees(aftr, one, routesOf(3)));
  const told = aftr.inputs.length;
  one.set(routesOf(1));
  assert.equal(
    [0, 1, 2].map((i) => one.isAccepted([...routesOf(3)][i] ?? 0)),
    [true, false, false],
  );
  assert.is(one.verdicts().length, 1);
  one.set(routesOf(4));
  await until(() => agrees(aftr, one, routesOf(4)));
  const news = aftr.inputs.slice(told).flatMap((input) => (input.route ?? []) as readonly string[]);
  assert.is(news.length, 1, 'only the fourth is news');
  await one.end(1_000);
});

test(`whatever is lost, both ends agree in the end (seed ${seed})`, async () => {
  const numbers = random();
  const next = () => numbers() / 2 ** 32;
  for (let run = 0; run < 3; run++) {
    const aftr = new FakeAftr();
    let isOver = false;
    aftr.faults = () => {
      const chance = next();
      if (isOver || chance > 0.3) return 'none';
      if (chance < 0.05) aftr.forgetSessions();
      return chance < 0.15 ? 'request' : 'answer';
    };
    let wanted = routesOf(20);
    const one = advertiser(aftr, wanted);
    for (let change = 0; change < 20; change++) {
      await new Promise((resolve) => setTimeout(resolve, 40 * next()));
      wanted = routesOf(Math.floor(40 * next()), Math.floor(30 * next()));
      one.set(wanted);
    }
    isOver = true;
    await until(() => agrees(aftr, one, wanted));
    await one.end(1_000);
  }
});

// [failures in a row, whether the AFTR has no room, chance, milliseconds until the next attempt]
const retries: readonly (readonly [number, boolean, number, number])[] = [
  [0, false, 0, 125],
  [1, false, 1, 500],
  [7, false, 1, 32_000],
  [8, false, 1, 60_000],
  [100, false, 0, 30_000],
  [3, true, 1, 2_000],
  [4, true, 1, 4_000],
  [100, true, 0, 2_000],
];
for (const [failures, isCrowded, chance, expected] of retries) {
  test(`${failures} failures${isCrowded ? ' at one without room' : ''}: again after ${expected} ms`, () =>
    assert.is(retryAfter(failures, isCrowded, chance), expected));
}

for (const [what, pin] of [
  ['by its certificate', 'AB:CD'],
  ['by its authority', undefined],
] as const) {
  test(`one that ends connections has no room, one that is not there is another thing: known ${what}`, async () => {
    const server = createServer((socket) => socket.destroy());
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const identity = { clientName: 'g', password: 'p', clientCertificate: undefined };
    const target = { name: 'a', url: `https://127.0.0.1:${port}`, ...identity, serverCertificateFingerprint: pin };
    const client = new AftrClient(target, { key: Buffer.alloc(0), cert: Buffer.alloc(0) });
    const kindOf = (error: unknown) => error instanceof CrowdedError;
    assert.is(await client.send({}).catch(kindOf), true);
    await new Promise((resolve) => server.close(resolve));
    assert.is(await client.send({}).catch(kindOf), false);
    client.close();
  });
}

test.run();

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { formatIpv6 } from '../../src/address.ts';
import type { Problem } from '../../src/control.ts';
import type { KernelPart } from '../../src/datapath/datapath.ts';
import { Datapath } from '../../src/datapath/datapath.ts';
import { Follower } from '../../src/datapath/follower.ts';
import { BINDING_CAPACITY } from '../../src/state/limits.ts';
import { AFTR, binding, GATEWAY } from '../helpers/engine-case.ts';
import { MemoryStore } from '../helpers/memory-store.ts';
import { ipv4, ipv6, udp } from '../helpers/packets.ts';

const test = suite('datapath');

const QUIET = { debug() {}, info() {}, warn() {}, error() {} };
const BINDING = binding(['198.51.100.0/24', '2001:db8:a::1']);

/** A datapath whose kernel and workers only write down what they are asked for. */
class Recorded {
  readonly store = new MemoryStore();
  readonly events: string[] = [];
  kernelFault = '';
  kernelHeld: Promise<void> = Promise.resolve();
  workersFault = '';
  problems: readonly Problem[] = [{ sentence: 'forwarding is off' }];
  diagnosis: KernelPart['diagnose'] = async () => this.problems;
  readonly datapath: Datapath;

  constructor() {
    const follower = new Follower(this.store, 1, 'small');
    this.datapath = new Datapath({
      follower,
      kernel: {
        check: async () => [{ message: 'not here' }],
        apply: async ({ gateway, aftr }) => {
          this.events.push(`kernel ${gateway.length} ${aftr.length}`);
          await this.kernelHeld;
          if (this.kernelFault !== '') throw new Error(this.kernelFault);
        },
        diagnose: (...about) => this.diagnosis(...about),
        remove: async (roles) => {
          this.events.push(`kernel removed, ${roles.join(' and ')}`);
        },
      },
      startWorkers: async (role, { table }) => {
        if (this.workersFault !== '') throw new Error(this.workersFault);
        this.events.push(`workers of ${role} over ${table.size} rows`);
        return {
          stop: async () => {
            this.events.push(`workers of ${role} stopped`);
          },
        };
      },
      endProcess: () => this.events.push('the end'),
      log: QUIET,
    });
  }
}

function held(): { readonly promise: Promise<void>; readonly release: () => void } {
  let release = (): void => undefined;
  const promise = new Promise<void>((resolve) => {
    release = resolve;
  });
  return { promise, release };
}

test('told to end, it takes nothing back', () => {
  const { datapath, events } = new Recorded();
  datapath.end();
  assert.equal(events, ['the end']);
});

test('tables come first, then workers, then the kernel; at the end workers stop before the kernel lets go', async () => {
  const { datapath, store, events } = new Recorded();
  store.commit({ softwire: { gateway: [GATEWAY], aftr: [AFTR] }, put: [BINDING] });
  await datapath.follow();
  await datapath.stop();
  assert.equal(events, [
    'workers of gateway over 1 rows',
    'workers of aftr over 1 rows',
    'kernel 1 1',
    'workers of gateway stopped',
    'workers of aftr stopped',
    'kernel removed, gateway and aftr',
  ]);
});

test('a commit of rows alone leaves the kernel alone; a role starts when its first instance comes', async () => {
  const { datapath, store, events } = new Recorded();
  store.commit({ softwire: { aftr: [AFTR] } });
  await datapath.follow();
  store.commit({ put: [BINDING] });
  assert.equal(await datapath.apply(2), { version: 2 });
  store.commit({ softwire: { aftr: [AFTR], gateway: [GATEWAY] } });
  await Promise.all([datapath.apply(3), datapath.follow(), datapath.apply(2)]);
  assert.equal(events, ['workers of aftr over 0 rows', 'kernel 0 1', 'workers of gateway over 1 rows', 'kernel 1 1']);
});

test('a version whose tables are there is applied when the kernel is made so, too', async () => {
  const recorded = new Recorded();
  const { datapath, store, events } = recorded;
  const { promise: kernel, release } = held();
  recorded.kernelHeld = kernel;
  store.commit({ softwire: { aftr: [AFTR] } });
  const following = datapath.follow();
  while (!events.includes('kernel 0 1')) await new Promise((resolve) => setImmediate(resolve));
  const applied = datapath.apply(1);
  release();
  assert.equal(await applied, { version: 1 });
  await following;
});

test('the diagnosis knows gateways of bindings, and whose an address is', async () => {
  const recorded = new Recorded();
  const { datapath, store } = recorded;
  store.commit({ softwire: { aftr: [AFTR] }, put: [BINDING] });
  await datapath.follow();
  const seen: (string | undefined)[] = [];
  recorded.diagnosis = async ({ some, boundTo, leadsTo }) => {
    const { gateways, next } = some(0, 16);
    assert.is(next, 0);
    const others = [BINDING.gatewayIpv6Address.map((octet) => octet ^ 1), BINDING.gatewayIpv6Address];
    assert.equal(others.map(leadsTo), [false, true]);
    const inside = [BINDING.address, (BINDING.address ^ 0x8000_0000) >>> 0].map(boundTo);
    seen.push(...[...gateways, ...inside].map((octets) => octets && formatIpv6(octets)));
    return [];
  };
  await datapath.status();
  const gateway = formatIpv6(BINDING.gatewayIpv6Address);
  assert.equal(seen, [gateway, gateway, undefined]);
});

test('on a host with both roles a trace is of the role that the kernel leads the packet to', async () => {
  const { datapath, store } = new Recorded();
  const served = { ...GATEWAY, 'ipv6-address': '2001:db8:a::77', 'served-prefix': [{ 'ipv4-prefix': '10.9.0.0/24' }] };
  store.commit({
    softwire: { gateway: [served], aftr: [{ ...AFTR, 'source-route-options': 'forward' }] },
    put: [BINDING],
  });
  await datapath.follow();
  const trace = (src: string, dst: string, options = '') => {
    const packet = datapath.trace(Buffer.from(ipv4({ src, dst, options, payload: udp() }), 'hex'));
    return [packet?.instance, packet?.end, packet?.reason];
  };
  const looseRoute = '830704c000020100';
  assert.equal(trace('203.0.113.80', '198.51.100.10', looseRoute), ['br', 'forwarded', undefined]);
  assert.equal(trace('10.9.0.1', '192.0.2.1', looseRoute), ['gw', 'dropped', 'source-route-option']);
  assert.equal(trace('10.9.0.1', '198.51.100.10'), ['br', 'forwarded', undefined], 'the main table is first');
  assert.equal(trace('10.9.0.1', '198.51.103.10'), ['br', 'dropped', 'no-binding']);
  assert.equal(trace('10.9.0.1', '192.0.2.1'), ['gw', 'forwarded', undefined]);
  assert.equal(trace('192.0.2.1', '10.9.0.1'), ['gw', 'dropped', 'loop-prevented']);
  assert.equal(trace('192.0.2.1', '192.0.2.2').slice(1), ['dropped', 'no-instance']);
  const malformed = (dst: string) => {
    const { instance, reason } = datapath.trace(Buffer.from(ipv6({ dst, payload: '' }), 'hex')) ?? {};
    return [instance, reason];
  };
  assert.equal(malformed(AFTR['ipv6-address']), ['br', 'malformed-ipv4']);
  assert.equal(malformed(served['ipv6-address']), ['gw', 'malformed-ipv4']);
  store.commit({ softwire: { aftr: [AFTR] }, put: [BINDING] });
  await datapath.follow();
  const stray = datapath.trace(Buffer.from(ipv4({ options: looseRoute, payload: udp() }), 'hex'));
  assert.is(stray?.role, 'aftr', 'of the role that is left');
});

test('the status: version, hash, rows, and every problem as a sentence', async () => {
  const recorded = new Recorded();
  const { datapath, store } = recorded;
  recorded.kernelFault = 'no route';
  store.commit({ softwire: { aftr: [AFTR] }, put: [BINDING] });
  await datapath.follow();
  const { startedAt, pid, ...status } = await datapath.status();
  assert.equal(status, {
    version: 0,
    contentHash: store.contentHash(),
    bindings: 1,
    capacity: BINDING_CAPACITY,
    problems: ['the newest configuration is not in force: no route', 'forwarding is off'],
    instances: [{ role: 'aftr', name: 'br', enabled: true }],
  });
  assert.is(pid, process.pid);
  assert.ok(Date.now() - Date.parse(startedAt) < 60_000);
  recorded.kernelFault = '';
  await datapath.follow();
  const { version, problems } = await datapath.status();
  assert.equal([version, problems], [1, ['forwarding is off']]);
});

test('workers that do not start: the version is not in force, said so, and tried again', async () => {
  const recorded = new Recorded();
  const { datapath, store, events } = recorded;
  recorded.workersFault = 'gi-aftr: TUNSETIFF: EBUSY';
  store.commit({ softwire: { aftr: [AFTR] } });
  assert.equal(await datapath.apply(1), { version: 0 });
  const { version, problems, instances } = await datapath.status();
  assert.equal([version, problems[0]], [0, 'the newest configuration is not in force: gi-aftr: TUNSETIFF: EBUSY']);
  const problem = 'the workers do not run: gi-aftr: TUNSETIFF: EBUSY';
  assert.equal(instances, [{ role: 'aftr', name: 'br', enabled: true, problem }]);
  assert.equal(events, []);
  recorded.workersFault = '';
  assert.equal(await datapath.apply(1), { version: 0 }, 'nothing new to follow');
  await datapath.follow();
  assert.is((await datapath.status()).version, 1);
});

const stopped: readonly (readonly [string, readonly Problem[], readonly string[]])[] = [
  ['nothing', [], []],
  ['a sentence alone', [{ sentence: 'a' }], []],
  ['everyone', [{ sentence: 'a', stops: {} }], ['gw: a', 'br: a', 'br2: a']],
  ['a role', [{ sentence: 'a', stops: { role: 'aftr' } }], ['br: a', 'br2: a']],
  ['one', [{ sentence: 'a', stops: { role: 'aftr', name: 'br2' } }], ['br2: a']],
  ['one of the other role', [{ sentence: 'a', stops: { role: 'gateway', name: 'br2' } }], []],
  [
    'for two reasons',
    [{ sentence: 'a', stops: {} }, { sentence: 'b' }, { sentence: 'c', stops: { role: 'gateway' } }],
    ['gw: a; c', 'br: a', 'br2: a'],
  ],
];
for (const [what, problems, expected] of stopped) {
  test(`what does not forward: ${what}`, async () => {
    const recorded = new Recorded();
    recorded.problems = problems;
    const second = { name: 'br2', 'ipv6-address': '2001:db8:b::9', 'ipv4-pool': ['192.0.2.0/24'] };
    const off = { name: 'off', enabled: false };
    recorded.store.commit({ softwire: { gateway: [GATEWAY], aftr: [AFTR, second, off] } });
    await recorded.datapath.follow();
    const { instances = [] } = await recorded.datapath.status();
    assert.equal(
      instances.map(({ name, enabled }) => [name, enabled]),
      [
        ['gw', true],
        ['br', true],
        ['br2', true],
        ['off', false],
      ],
    );
    assert.equal(
      instances.flatMap(({ name, problem }) => (problem === undefined ? [] : [`${name}: ${problem}`])),
      expected,
    );
  });
}

const LATE = 'looking at the kernel takes long: ask again';
test('a look at the kernel that takes long or fails: what the last one found counts', async () => {
  const recorded = new Recorded();
  recorded.store.commit({ softwire: { aftr: [AFTR] } });
  await recorded.datapath.follow();
  const asked = async () => {
    const { problems, instances } = await recorded.datapath.status();
    return [problems, instances?.map(({ problem }) => problem)];
  };
  let end: (problems: readonly Problem[]) => void = () => undefined;
  // Its own deadline keeps no process up.
  const alive = setInterval(() => undefined, 1_000);
  recorded.diagnosis = () => new Promise((resolve) => (end = resolve));
  assert.equal(await asked(), [[LATE], undefined], 'nothing is known yet');
  end([{ sentence: 'no route', stops: {} }]);
  assert.equal(await asked(), [[LATE, 'no route'], ['no route']]);
  recorded.diagnosis = () => Promise.reject(new Error('ENOBUFS'));
  assert.equal(await asked(), [['the kernel could not be looked at: ENOBUFS', 'no route'], ['no route']]);
  recorded.diagnosis = async () => [];
  assert.equal(await asked(), [[], [undefined]]);
  clearInterval(alive);
});

test('a damaged store: the version stays, and the status says what to do', async () => {
  const { datapath, store } = new Recorded();
  store.commit({ softwire: { aftr: [AFTR] }, put: [BINDING] });
  await datapath.follow();
  store.damaged = 'records';
  store.commit({ put: [binding(['198.51.100.7/32', '2001:db8:a::7'])] });
  assert.equal(await datapath.apply(2), { version: 1 });
  const { version, bindings, problems } = await datapath.status();
  assert.equal([version, bindings], [1, 1]);
  assert.is(
    problems[0],
    'the store is damaged (a record), and changes may not be forwarded by: stop the program, then restore a backup with `gi4over6 restore`',
  );
});

test('prepare: what the kernel says', async () => {
  const { datapath } = new Recorded();
  assert.equal(await datapath.prepare({ 'gi-4over6:softwire': { aftr: [AFTR] } }), [{ message: 'not here' }]);
});

test('counters are those of every configured instance', async () => {
  const { datapath, store } = new Recorded();
  store.commit({ softwire: { aftr: [AFTR, { name: 'off', enabled: false }], gateway: [GATEWAY] } });
  await datapath.follow();
  assert.equal(
    datapath.counters().map(({ role, name }) => `${role} ${name}`),
    ['gateway gw', 'aftr br', 'aftr off'],
  );
});

test.run();

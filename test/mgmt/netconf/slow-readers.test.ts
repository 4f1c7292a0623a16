// needs: addon
/** N120: a table of a million bindings goes to who reads slowly, while others commit; who reads nothing is dropped. */

import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { startManagement } from '../../helpers/management.ts';
import { NC, outcome, RawClient } from '../../helpers/netconf-client.ts';
import { binding, edit, GI, getConfig, table } from '../../helpers/netconf-requests.ts';

const test = suite('slow readers');

const MILLION = 1_000_000;
const UNREAD_MS = 3_000;
const WAIT_MS = 120_000;
/** Memory that a reader and the commits meanwhile may cost, however slow it is; the whole answer has 150 MB. */
const READER_MIB = 100;
/** Octets that a slow reader takes at a time, and the pause after them; the whole takes it some ten seconds. */
const STEP = 4 * 1024 * 1024;
const PAUSE_MS = 250;

const HELLO = `<hello ${NC}><capabilities><capability>urn:ietf:params:netconf:base:1.0</capability></capabilities></hello>]]>]]>`;
const ASK = `<rpc ${NC} message-id="1">${getConfig()}</rpc>]]>]]>`;

const LEAF = `<filter><softwire ${GI}><aftr><name>a</name><ipv6-address/></aftr></softwire></filter>`;

const management = await startManagement(['--netconf-limit', `unread-ms=${UNREAD_MS}`]);
const client = (await RawClient.local(management.socket)).greet('1.1');

const address = (at: number) => `10.${at >> 16}.${(at >> 8) & 255}.${at & 255}/32`;

test('a million bindings are loaded', async () => {
  const pool = `<softwire ${GI}><aftr><name>a</name><ipv6-address>2001:db8:b::1</ipv6-address><ipv4-pool>10.0.0.0/8</ipv4-pool></aftr></softwire>`;
  assert.is(outcome(await client.rpc(edit(pool))), 'ok');
  const entries = Array.from({ length: MILLION }, (_, at) => binding(address(at), '2001:db8:a::1')).join('');
  const octets = Buffer.from(`<rpc ${NC} message-id="1">${edit(table(entries))}</rpc>`);
  client.send(octets);
  assert.is(outcome(await client.receive(WAIT_MS)), 'ok');
});

for (const [how, filter] of [
  [
    'XPath',
    `<filter type="xpath" xmlns:p="urn:gi-4over6" select="/p:softwire/p:aftr/p:binding-table/p:binding[p:ipv4-prefix='${address(700_000)}']"/>`,
  ],
  ['subtree', `<filter>${table(`<binding><ipv4-prefix>${address(700_000)}</ipv4-prefix></binding>`)}</filter>`],
] as const) {
  test(`N34: one of a million by its key, by ${how}, costs about what one leaf of the configuration does`, async () => {
    const [leaf, binding] = await quickest(LEAF, filter);
    assert.ok(binding < 30 * leaf, `${binding.toFixed(1)} ms, a leaf ${leaf.toFixed(1)} ms`);
  });
}

/** Milliseconds of the quickest of several answers to each of two requests, which take turns. */
async function quickest(leaf: string, binding: string): Promise<readonly [number, number]> {
  const times: [number[], number[]] = [[], []];
  for (let turn = 0; turn < 9; turn++) {
    for (const [at, filter] of [leaf, binding].entries()) {
      const began = performance.now();
      const reply = await client.rpc(getConfig(filter));
      times[at]?.push(performance.now() - began);
      assert.is(reply.match(/<binding>/g)?.length ?? 0, at);
    }
  }
  return [Math.min(...times[0]), Math.min(...times[1])];
}

/** MiB of the management process, without the pages of the store, which it shares with the system. */
function resident(): number {
  const pid = /"pid":(\d+)/.exec(management.log())?.[1];
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const field = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1]);
  return (field('RssAnon') + field('RssShmem')) / 1024;
}

interface Read {
  readonly text: string;
  readonly pauses: number;
}

/** The whole answer, read in steps with pauses between. */
function readSlowly(onBegin: () => void): Promise<Read> {
  return new Promise((resolve, reject) => {
    const socket = connect(management.socket);
    const parts: Buffer[] = [];
    let [taken, pauses, isBegun] = [0, 0, false];
    socket.on('error', reject).on('close', () => reject(new Error(`dropped after ${taken} octets`)));
    socket.on('data', (octets: Buffer) => {
      parts.push(octets);
      taken += octets.length;
      if (!isBegun && taken > STEP) {
        isBegun = true;
        onBegin();
      }
      // Of its end alone, so that the whole is looked at once.
      if (taken > 1e6 && octets.toString('latin1').endsWith(']]>]]>')) {
        socket.removeAllListeners('close').destroy();
        resolve({ text: Buffer.concat(parts).toString('latin1'), pauses });
      } else if (taken > STEP * (pauses + 1)) {
        pauses++;
        socket.pause();
        setTimeout(() => socket.resume(), PAUSE_MS);
      }
    });
    socket.write(HELLO + ASK);
  });
}

test('a slow reader gets the whole table as it was, while another session commits; it costs little memory', async () => {
  const before = resident();
  let largest = before;
  let commits = 0;
  let isOver = false;
  let commit = Promise.resolve();
  const { text, pauses } = await readSlowly(() => {
    commit = (async () => {
      while (!isOver) {
        const one = table(binding(address(commits % 10), `2001:db8:c::${(commits + 1).toString(16)}`));
        assert.is(outcome(await client.rpc(edit(one))), 'ok');
        commits++;
        largest = Math.max(largest, resident());
      }
    })();
  });
  isOver = true;
  await commit;
  assert.is(text.match(/<binding>/g)?.length, MILLION);
  assert.not.match(text.slice(-100_000), '2001:db8:c::');
  assert.is(text.includes('2001:db8:c::'), false, 'nothing that was committed after the question');
  assert.ok(pauses > 10 && commits > 3, `${pauses} pauses, ${commits} commits`);
  assert.match(
    await client.rpc(
      getConfig(`<filter>${table(`<binding><ipv4-prefix>${address(0)}</ipv4-prefix></binding>`)}</filter>`),
    ),
    '2001:db8:c::',
  );
  assert.ok(largest - before < READER_MIB, `${(largest - before).toFixed(0)} MiB more with ${commits} commits`);
});

test('who reads nothing is dropped at the limit, and holds up nobody until then', async () => {
  const before = management.log().length;
  const socket = connect(management.socket);
  socket.on('error', () => undefined).pause();
  socket.write(HELLO + ASK);
  const began = performance.now();
  const isDropped = () => management.log().slice(before).includes('it does not read its answers');
  let commits = 0;
  let longest = 0;
  while (!isDropped()) {
    const asked = performance.now();
    assert.is(
      outcome(await client.rpc(edit(table(binding(address(20), `2001:db8:d::${(commits + 1).toString(16)}`))))),
      'ok',
    );
    longest = Math.max(longest, performance.now() - asked);
    commits++;
    assert.ok(performance.now() - began < WAIT_MS, 'it is still there');
  }
  const took = performance.now() - began;
  assert.ok(took >= UNREAD_MS * 0.9, `dropped after ${took.toFixed(0)} ms`);
  assert.ok(commits > 3, `${commits} commits meanwhile, the longest ${longest.toFixed(0)} ms`);
  socket.destroy();
});

test('the management process ends cleanly', async () => {
  client.end();
  assert.is(await management.stop(), 0);
});

test.run();

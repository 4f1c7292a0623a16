// needs: addon
/** The memory that messages of all sessions take together, and what becomes of the largest when it is too much. */

import { readFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { HeldMemory } from '../../../src/mgmt/netconf/held-memory.ts';
import { longMessage } from '../../../src/mgmt/netconf/incoming.ts';
import { XML_LIMITS } from '../../../src/mgmt/xml.ts';
import { startManagement } from '../../helpers/management.ts';
import { NC, outcome, RawClient } from '../../helpers/netconf-client.ts';
import { AFTR, binding, edit, getConfig, table } from '../../helpers/netconf-requests.ts';

const test = suite('memory of messages');
const MEBI = 1024 ** 2;

test('the largest unfinished message is given up, then the next; one that came whole never', () => {
  const memory = new HeldMemory(100);
  const given: string[] = [];
  const [a, b, c] = ['a', 'b', 'c'].map((name) => memory.join(() => given.push(name)));
  a?.note(30, 0);
  b?.note(40, 5);
  c?.note(0, 25);
  assert.equal([given, memory.total], [[], 100]);
  a?.note(31, 0);
  assert.equal([given, memory.total], [['b'], 61]);
  c?.note(0, 80);
  assert.equal([given, memory.total], [['b', 'a'], 85]);
  c?.note(0, 500);
  assert.equal([given, memory.total], [['b', 'a'], 505], 'nothing unfinished is left');
  c?.end();
  c?.note(7, 7);
  assert.is(memory.total, 5, 'a session that has ended holds nothing');
});

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

function heapOctets(): number {
  collect();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

const BINDINGS = `<config ${NC}><softwire xmlns="urn:gi-4over6"><aftr><name>a</name><binding-table>`;
const row = (number: number) =>
  binding(`10.${(number >> 16) & 255}.${(number >> 8) & 255}.${number & 255}/32`, `2001:db8::${number.toString(16)}`);

// [what, how it begins, one of many]
const shapes: readonly (readonly [string, string, (number: number) => string])[] = [
  ['elements of four octets', '<r>', () => '<a/>'],
  ['elements with text', '<r>', (number) => `<ab>${number}</ab>`],
  ['attributes', '<r>', () => '<a b="c" d="e"/>'],
  ['declarations', '<r>', () => '<a xmlns:b="urn:c"/>'],
  ['a long text', '<r>', (number) => `${number} and so on `],
  ['a long text beyond Latin-1', '<r>', () => 'жук '],
  ['plain bindings', `<rpc ${NC}><edit-config>${BINDINGS}`, row],
];
for (const [what, start, unit] of shapes) {
  test(`what an unfinished message takes is known well enough: ${what}`, () => {
    const before = heapOctets();
    const message = longMessage(XML_LIMITS);
    message.push(Buffer.from(start));
    let number = 0;
    for (let piece = 0; piece < 40; piece++) {
      let text = '';
      while (text.length < 64 * 1024) text += unit(number++);
      message.push(Buffer.from(text));
    }
    const took = heapOctets() - before;
    assert.ok(message.held > took * 0.6, `${message.held} octets were said, ${took} were taken`);
    message.giveUp(new Error('enough'));
    assert.is(message.held, 0);
    message.push(Buffer.from('<'));
    const left = heapOctets() - before;
    assert.ok(left < Math.max(took / 4, 2 * MEBI), `${left} of ${took} octets were left`);
    assert.throws(() => message.end(), 'enough');
  });
}

/** Resident octets of a process. */
function resident(pid: number): number {
  return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024;
}

const SESSIONS = 100;

test('a hundred sessions with a long unfinished message each: the process stays small, and one of them is carried out', async () => {
  const words = ['held-octets=16777216', 'sessions-per-user=200'].flatMap((limit) => ['--netconf-limit', limit]);
  const management = await startManagement(words);
  const pid = Number(/"pid":(\d+)/.exec(management.log())?.[1]);
  const probe = (await RawClient.local(management.socket)).greet('1.1');
  assert.is(outcome(await probe.rpc(edit(AFTR))), 'ok');
  const before = resident(pid);
  const clients: RawClient[] = [];
  // Of a hundred messages of 40,000 elements, which take some 600 MiB, two can be kept.
  const piece = Buffer.from('<a/>'.repeat(10_000));
  for (let i = 0; i < SESSIONS; i++) {
    const client = (await RawClient.local(management.socket)).greet('1.1');
    clients.push(client);
    client.write(chunk(`<rpc ${NC} message-id="${i}"><get-config><source><running/></source><filter>`));
    for (let n = 0; n < 4; n++) client.write(chunk(piece));
    // It has been read when another session is answered.
    assert.is(outcome(await probe.rpc(getConfig())), 'data');
  }
  const grown = (resident(pid) - before) / MEBI;
  assert.ok(grown < 320, `${grown} MiB more`);
  const small = table(binding('192.0.2.1/32', '2001:db8::1'));
  assert.is(outcome(await probe.rpc(edit(small))), 'ok', 'short messages go on');
  const outcomes = new Map<string, number>();
  for (const client of clients) {
    client.write(Buffer.concat([chunk('</filter></get-config></rpc>'), Buffer.from('\n##\n')]));
    const what = outcome(await client.receive());
    outcomes.set(what, (outcomes.get(what) ?? 0) + 1);
    // The session goes on.
    assert.is(outcome(await client.rpc(getConfig())), 'data');
    client.end();
  }
  assert.ok((outcomes.get('resource-denied') ?? 0) > SESSIONS / 2, JSON.stringify([...outcomes]));
  assert.equal(
    [...outcomes.keys()].filter((what) => what !== 'resource-denied' && what !== 'data'),
    [],
  );
  assert.ok(management.log().includes('a NETCONF message was given up'));
  probe.end();
  assert.is(await management.stop(), 0);
});

function chunk(content: string | Buffer): Buffer {
  const octets = Buffer.from(content);
  return Buffer.concat([Buffer.from(`\n#${octets.length}\n`), octets]);
}

test.run();

// needs: addon
import { connect } from 'node:net';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { startManagement } from '../../helpers/management.ts';
import { NC, outcome, RawClient } from '../../helpers/netconf-client.ts';
import { random, seed } from '../../helpers/random.ts';

const test = suite('netconf server, random');

const SESSIONS = 400;
const GI = 'xmlns="urn:gi-4over6"';
const AFTR = `<softwire ${GI}><aftr><name>a</name><ipv6-address>2001:db8:b::1</ipv6-address><ipv4-pool>192.0.2.0/24</ipv4-pool></aftr></softwire>`;
const OPERATIONS = [
  '<get-config><source><running/></source></get-config>',
  `<get><filter type="subtree"><softwire ${GI}><aftr><name>a</name><ipv4-pool/></aftr></softwire></filter></get>`,
  `<edit-config><target><candidate/></target><default-operation>none</default-operation><config>${AFTR}</config></edit-config>`,
  '<copy-config><target><candidate/></target><source><running/></source></copy-config>',
  '<validate><source><candidate/></source></validate>',
  '<lock><target><candidate/></target></lock><!-- c -->',
  '<discard-changes/>',
  `<action xmlns="urn:ietf:params:xml:ns:yang:1"><softwire ${GI}><aftr><name>a</name><lookup><ipv4-address>192.0.2.1</ipv4-address></lookup></aftr></softwire></action>`,
  '<get-schema xmlns="urn:ietf:params:xml:ns:yang:ietf-netconf-monitoring"><identifier>gi-4over6</identifier></get-schema>',
  '<kill-session><session-id>4000000000</session-id></kill-session>',
];
const PIECES = [
  '<',
  '>',
  '/>',
  '"',
  '&',
  '&#0;',
  '\n#',
  '\n##\n',
  ']]>]]>',
  '<!--',
  '<![CDATA[',
  'xmlns=""',
  'nc:',
  '\u0000',
  '\u00ff',
  '-1',
  '0',
];

const next = random();
const below = (limit: number) => next() % limit;
const pick = <Item>(items: readonly Item[]): Item | undefined => items[below(items.length)];

/** A session that makes sense, then changed in a few places. */
function mutatedSession(): Buffer {
  const hello = `<hello ${NC}><capabilities><capability>urn:ietf:params:netconf:base:1.1</capability></capabilities></hello>]]>]]>`;
  const requests = Array.from({ length: 1 + below(4) }, (_, id) => {
    const message = mutate(Buffer.from(`<rpc ${NC} message-id="${id}">${pick(OPERATIONS)}</rpc>`), below(3));
    return Buffer.concat([Buffer.from(`\n#${message.length}\n`), message, Buffer.from('\n##\n')]);
  });
  return mutate(Buffer.concat([Buffer.from(hello), ...requests]), below(4) === 0 ? 1 + below(3) : 0);
}

function mutate(octets: Buffer, times: number): Buffer {
  let changed = octets;
  for (let turn = 0; turn < times; turn++) {
    const at = below(changed.length);
    const [before, after] = [changed.subarray(0, at), changed.subarray(at + below(12))];
    changed = Buffer.concat([
      before,
      below(2) === 0 ? Buffer.from(pick(PIECES) ?? '') : Buffer.from([below(256)]),
      after,
    ]);
  }
  return changed;
}

/** Sends the octets in a few pieces, says that nothing more comes, and waits until the server has closed. */
function converse(path: string, octets: Buffer): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path, allowHalfOpen: true });
    let answers = '';
    const timer = setTimeout(() => reject(new Error(`the session did not end: ${octets.toString('latin1')}`)), 60_000);
    socket.setEncoding('utf8').on('data', (text: string) => {
      answers += text;
    });
    socket.on('error', () => undefined);
    socket.on('end', () => socket.destroy());
    socket.on('close', () => {
      clearTimeout(timer);
      resolve(answers);
    });
    const cut = below(octets.length);
    socket.write(octets.subarray(0, cut));
    socket.end(octets.subarray(cut));
  });
}

test(`${SESSIONS} sessions of changed octets leave the server as it was (seed ${seed})`, async () => {
  const management = await startManagement();
  const probe = (await RawClient.local(management.socket)).greet('1.1');
  assert.is(
    outcome(await probe.rpc(`<edit-config><target><running/></target><config>${AFTR}</config></edit-config>`)),
    'ok',
  );
  const before = await probe.rpc(OPERATIONS[0] ?? '');
  let answered = 0;
  for (let turn = 0; turn < SESSIONS; turn++) {
    const octets = mutatedSession();
    const answers = await converse(management.socket, octets);
    assert.ok(answers.startsWith('<hello ') || answers === '', answers.slice(0, 100));
    if (answers.includes('<rpc-reply')) answered++;
    if (turn % 50 === 0) assert.is(await probe.rpc(OPERATIONS[0] ?? ''), before, `after ${octets.toString('latin1')}`);
  }
  assert.ok(answered > SESSIONS / 4, `${answered} sessions had an answer`);
  assert.is(await probe.rpc(OPERATIONS[0] ?? ''), before);
  assert.is(outcome(await probe.rpc('<discard-changes/>')), 'ok');
  assert.is(outcome(await probe.rpc('<lock><target><candidate/></target></lock>')), 'ok');
  const own = management
    .log()
    .split('\n')
    .filter((line) => line.includes('"level":50'));
  assert.equal(own, []);
  probe.end();
  assert.is(await management.stop(), 0);
});

test.run();

// needs: root
import { execFileSync } from 'node:child_process';
import { openSync } from 'node:fs';
import { createPersistent, removePersistent, TIMEOUT, TunQueue } from 'node-tuntap2';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { enterOwnNetwork } from '../helpers/own-network.ts';

enterOwnNetwork();
const test = suite('node-tuntap2-errors');

interface SystemError extends Error {
  readonly code: string;
  readonly syscall: string;
  readonly device: string;
}

function isSystemError(value: unknown): value is SystemError {
  return value instanceof Error && 'code' in value && 'syscall' in value && 'device' in value;
}

function errorOf(work: () => unknown): SystemError {
  try {
    work();
  } catch (error) {
    if (isSystemError(error)) return error;
    throw error;
  }
  throw new Error('expected an error');
}

/** What opening `far0` says in a shell whose rights and files were changed by `prepare`. */
function openAfter(prepare: string, run: string): string {
  const code = `import { TunQueue } from '${import.meta.resolve('node-tuntap2')}';
    const descriptor = process.argv[1] === undefined ? undefined : Number(process.argv[1]);
    try { TunQueue.open({ name: 'far0', descriptor }); console.log('opened'); }
    catch (error) { console.log([error.code, error.syscall, error.device, error.message].join('|')); }`;
  const script = `set -e; ${prepare}; exec ${run}`;
  const words = ['--mount', 'bash', '-c', script, process.execPath, code];
  return execFileSync('unshare', words, { encoding: 'utf8' }).trim();
}

const NODE = '"$0" --input-type=module -e "$1"';
const WITHOUT_RIGHTS = 'setpriv --inh-caps=-all --bounding-set=-all';
const EMPTY = 'mount -t tmpfs none /dev/net';
const environments = [
  ['no file', EMPTY, NODE, /^ENOENT\|open\|far0\|far0: open \/dev\/net\/tun: ENOENT .*modprobe tun.*mknod/],
  ['no driver', `${EMPTY}; mknod /dev/net/tun c 10 254`, NODE, /^ENODEV\|open\|far0\|.*modprobe tun/],
  [
    'file of another user',
    `${EMPTY}; mknod -m 0600 /dev/net/tun c 10 200; chown 65534 /dev/net/tun`,
    `${WITHOUT_RIGHTS} ${NODE}`,
    /^EACCES\|open\|far0\|.*read and write access.*open descriptor/,
  ],
  ['no CAP_NET_ADMIN', ':', `${WITHOUT_RIGHTS} ${NODE}`, /^EPERM\|TUNSETIFF\|far0\|.*needs CAP_NET_ADMIN/],
  ['inherited descriptor', `exec 9<>/dev/net/tun; ${EMPTY}`, `${NODE} 9`, /^opened$/],
  [
    'descriptor of another file',
    'exec 9</dev/null',
    `${NODE} 9`,
    /^ENOTTY\|TUNSETIFF\|far0\|.*none of \/dev\/net\/tun/,
  ],
  ['descriptor not open', ':', `${NODE} 99`, /^EBADF\|TUNSETIFF\|far0\|.*not open/],
] as const;
for (const [name, prepare, run, expected] of environments) {
  test(`${name}: says what to do`, () => assert.match(openAfter(prepare, run), expected));
}

test('a name that stands for something else', () => {
  execFileSync('ip', ['tuntap', 'add', 'mode', 'tun', 'name', 'single0']);
  for (const device of ['lo', 'single0', 'a/b']) {
    const error = errorOf(() => TunQueue.open({ name: device }));
    assert.equal([error.code, error.syscall, error.device], ['EINVAL', 'TUNSETIFF', device]);
    assert.match(error.message, /no TUN with several queues; choose another name or remove/);
  }
});

for (const name of ['', 'sixteen-octets-x', 'dreizehn-ää-ö', 'nul\0nul']) {
  test(`name '${name.replace('\0', '\\0')}'`, () =>
    assert.throws(
      () => TunQueue.open({ name }),
      (error: Error) => error instanceof RangeError && /expected 1 to 15/.test(error.message),
    ));
}

test('a descriptor that is attached already stays with its queue', () => {
  const descriptor = openSync('/dev/net/tun', 'r+');
  const queue = TunQueue.open({ name: 'twice0', descriptor });
  assert.is(queue.descriptor, descriptor);
  assert.is(errorOf(() => TunQueue.open({ name: 'twice1', descriptor })).code, 'EEXIST');
  assert.is(queue.wait(0), TIMEOUT);
  queue.close();
});

test('a device removed under its queue', () => {
  const queue = TunQueue.open({ name: 'gone0' });
  queue.attach(new Uint8Array(64), new Int32Array(1), new Int32Array([0, 20, 0, 0]));
  execFileSync('ip', ['link', 'delete', 'gone0']);
  const wait = errorOf(() => queue.wait(1_000));
  assert.equal([wait.code, wait.syscall, wait.device], ['EBADFD', 'poll', 'gone0']);
  assert.match(wait.message, /was removed; open it again/);
  assert.is(errorOf(() => queue.readBatch(0, 0, 64, 1)).code, 'EBADFD');
  assert.is(queue.writeBatch(1), 0);
  queue.close();
});

test('a persistent device stays until it is removed', () => {
  createPersistent({ name: 'stay0' });
  createPersistent({ name: 'stay0' });
  assert.match(execFileSync('ip', ['-d', 'link', 'show', 'stay0'], { encoding: 'utf8' }), /multi_queue.*persist on/s);
  removePersistent({ name: 'stay0' });
  assert.throws(() => execFileSync('ip', ['link', 'show', 'stay0'], { stdio: 'pipe' }), /does not exist/);
});

test.run();

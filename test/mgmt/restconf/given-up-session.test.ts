/** Looks at a connection of HTTP/2 of which only what is written is known. */

import type { ServerHttp2Session } from 'node:http2';
import type { TLSSocket } from 'node:tls';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { GivenUpSession } from '../../../src/mgmt/restconf/given-up-session.ts';

const test = suite('restconf: given-up session');

/** Octets of a PING. */
const PING = 17;
/** How long a PING may stay unanswered. */
const SILENT_MS = 60_000;

/** A session whose library writes a PING when `goesOn`, unless `takes` is false: then all that is written waits. */
function session() {
  const state = {
    bytesWritten: 0,
    bytesRead: 0,
    nowMs: 0,
    goesOn: true,
    takes: true,
    asked: 0,
    mayAsk: true,
    destroyed: false,
  };
  const handle = {
    get writeQueueSize() {
      return state.takes ? 0 : 1000;
    },
  };
  const fake = {
    get destroyed() {
      return state.destroyed;
    },
    ping: () => {
      if (!state.mayAsk) return false;
      state.asked++;
      setImmediate(() => {
        if (state.goesOn && state.takes) state.bytesWritten += PING;
      });
      return true;
    },
  };
  const socket = {
    get bytesWritten() {
      return state.bytesWritten;
    },
    get bytesRead() {
      return state.bytesRead;
    },
    _handle: handle,
  };
  const watched = new GivenUpSession(fake as unknown as ServerHttp2Session, socket as unknown as TLSSocket, SILENT_MS);
  const look = async () => {
    const isGivenUp = watched.look(state.nowMs);
    await new Promise((resolve) => setImmediate(resolve));
    return isGivenUp;
  };
  return { state, watched, look };
}

test('one that writes nothing is not asked; one that goes on is asked once for what it wrote', async () => {
  const { state, look } = session();
  assert.equal([await look(), await look(), state.asked], [false, false, 0]);
  state.bytesWritten += 100;
  assert.equal([await look(), await look(), await look(), state.asked], [false, false, false, 1]);
  state.bytesWritten += 100;
  assert.equal([await look(), await look(), state.asked], [false, false, 2]);
});

test('one that writes no PING is given up, and stays so', async () => {
  const { state, look } = session();
  state.bytesWritten += 100;
  state.goesOn = false;
  assert.equal([await look(), await look(), await look()], [false, true, true]);
});

test('one that ends behind a PING is found at the look after the next', async () => {
  const { state, look } = session();
  state.bytesWritten += 100;
  assert.not(await look());
  state.bytesWritten += 34;
  state.goesOn = false;
  assert.equal([await look(), await look()], [false, true]);
});

test('a client that takes nothing is waited for, and lives when it goes on', async () => {
  const { state, look } = session();
  state.bytesWritten += 100;
  state.takes = false;
  assert.equal([await look(), await look(), await look()], [false, false, false]);
  state.takes = true;
  state.bytesWritten += PING;
  assert.equal([await look(), await look()], [false, false]);
});

test('a look before the PING could leave says nothing', () => {
  const { state, watched } = session();
  state.bytesWritten += 100;
  assert.equal([watched.look(0), watched.look(0), state.asked], [false, false, 1]);
});

test('one with many PINGs without an answer is left alone, as one that is gone', async () => {
  const { state, look } = session();
  state.bytesWritten += 100;
  state.mayAsk = false;
  assert.equal([await look(), await look()], [false, false]);
  state.destroyed = true;
  assert.not(await look());
});

test('a client of whom nothing comes behind a PING has vanished; one that says anything has not', async () => {
  const { state, look } = session();
  state.bytesWritten += 100;
  await look();
  // An event stream goes on, whoever takes it.
  for (let turn = 0; turn < 60; turn++) {
    state.nowMs += 1_000;
    state.bytesWritten += 100;
    assert.not(await look(), `${state.nowMs}`);
  }
  state.bytesRead += 1;
  state.nowMs += 1;
  assert.not(await look());
  state.nowMs += SILENT_MS;
  state.bytesRead += 1;
  assert.not(await look());
  state.bytesWritten += 100;
  assert.equal([await look(), await look()], [false, false]);
  state.nowMs += SILENT_MS + 1;
  assert.ok(await look());
});

test.run();

import ssh2 from 'ssh2';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { usableHostKey } from '../src/first-start.ts';

const test = suite('first start');

test('a host key that cannot be read is made again', async () => {
  const good = await usableHostKey();
  const keys = [good.replace(/[A-Za-z]{40}/, ''), 'no key', good];
  assert.is(await usableHostKey(() => keys.shift() ?? ''), good);
  assert.not.instance(ssh2.utils.parseKey(good), Error);
});

test.run();

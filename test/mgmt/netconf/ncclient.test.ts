// needs: addon
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { startManagement } from '../../helpers/management.ts';
import { runNcclient } from '../../helpers/ncclient.ts';

const test = suite('ncclient');

const management = await startManagement();
const results = new Map(await runNcclient('session', management).finally(() => management.stop()));

/** [step, `ok`, what the data must match, or error-type, error-tag, error-app-tag and whether there is an error-path]. */
const expected: readonly (readonly [string, 'ok' | RegExp | readonly unknown[]])[] = [
  ['late hello', /^(?!.*softwire).*<data/s],
  ['lock', 'ok'],
  ['lock by another', ['protocol', 'lock-denied', null, false]],
  ['edit', 'ok'],
  ['running before', /^(?!.*softwire)/s],
  ['validate', 'ok'],
  ['commit', 'ok'],
  ['unlock', 'ok'],
  ['running after', /198\.51\.100\.0\/28.*2001:db8::1/s],
  ['with defaults', /198\.51\.100\.0\/28/],
  ['config without namespace', 'ok'],
  ['filter without namespace', /198\.51\.100\.0\/28/],
  ['rule about rules', 'ok'],
  [
    'rule read',
    /<path xmlns:ietf-netconf-acm="[^"]*:ietf-netconf-acm">\/ietf-netconf-acm:nacm\/ietf-netconf-acm:groups<\/path>/,
  ],
  ['rule sent back', 'ok'],
  ['identity', 'ok'],
  ['identity read', /<user-authentication-order xmlns:ietf-system="[^"]*">ietf-system:local-users</],
  ['identity sent back', 'ok'],
  ['rule with a prefix that is lost', ['application', 'invalid-value', null, true]],
  ['bad edit', ['application', 'operation-failed', 'outside-pool', true]],
  ['bad edit of candidate', 'ok'],
  ['bad commit', ['application', 'operation-failed', 'outside-pool', true]],
  ['discard', 'ok'],
  ['keepalive', /^(?!.*softwire)/s],
  ['get', /<configured-version>\d+<\/configured-version>/],
  ['schema', /module gi-4over6 \{/],
  ['confirmed edit', 'ok'],
  ['confirmed commit', 'ok'],
  ['commit of another', ['protocol', 'in-use', null, false]],
  ['follow-up', 'ok'],
  ['cancel', 'ok'],
  ['cancelled', /^(?!.*198\.51\.100\.16\/28).*198\.51\.100\.0\/28/s],
  ['kill itself', ['protocol', 'invalid-value', null, false]],
  ['kill another', 'ok'],
  ['close', 'ok'],
];

for (const [step, wanted] of expected) {
  test(step, () => {
    const result = results.get(step);
    if (wanted instanceof RegExp) assert.match(String(result), wanted);
    else assert.equal(result, wanted);
  });
}

test('no step is missing', () => {
  assert.equal(
    [...results.keys()],
    expected.map(([step]) => step),
  );
});

test.run();

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { renderErrors } from '../../../src/mgmt/netconf/rpc-error.ts';
import { ManagementError } from '../../../src/state/errors.ts';
import { schema } from '../../helpers/state.ts';

const test = suite('rpc-error');

const OPEN = '<rpc-error xmlns="urn:ietf:params:xml:ns:netconf:base:1.0">';

test('the children stand in the order of the schema', () => {
  const error = new ManagementError('operation-failed', {
    message: 'a < b & "c"',
    appTag: 'outside-pool',
    path: "/gi-4over6:softwire/aftr[name='a/b:c']/binding-table",
    info: { 'bad-element': 'x<y' },
  });
  assert.is(
    renderErrors(error, schema),
    `${OPEN}<error-type>application</error-type><error-tag>operation-failed</error-tag>` +
      '<error-severity>error</error-severity><error-app-tag>outside-pool</error-app-tag>' +
      `<error-path xmlns:gi="urn:gi-4over6">/gi:softwire/gi:aftr[gi:name='a/b:c']/gi:binding-table</error-path>` +
      '<error-message xml:lang="en">a &lt; b &amp; "c"</error-message>' +
      '<error-info><bad-element>x&lt;y</bad-element></error-info></rpc-error>',
  );
});

test('what is absent leaves no empty element', () => {
  assert.is(
    renderErrors(new ManagementError('in-use', { type: 'protocol', message: 'm', path: '' }), schema),
    `${OPEN}<error-type>protocol</error-type><error-tag>in-use</error-tag><error-severity>error</error-severity>` +
      '<error-message xml:lang="en">m</error-message></rpc-error>',
  );
});

test('a path through two modules declares both; a leaf-list value and double quotes stay', () => {
  const path = `/ietf-system:system/authentication/user[name="o'h"]/gi-4over6:x[.='/a:b']`;
  const text = renderErrors(new ManagementError('invalid-value', { message: 'm', path }), schema);
  assert.match(
    text,
    `<error-path xmlns:sys="urn:ietf:params:xml:ns:yang:ietf-system" xmlns:gi="urn:gi-4over6">` +
      `/sys:system/sys:authentication/sys:user[sys:name="o'h"]/gi:x[.='/a:b']</error-path>`,
  );
});

test('every fault has its element, in order', () => {
  const others = [
    new ManagementError('bad-element', { message: '2' }),
    new ManagementError('too-big', { message: '3' }),
  ];
  const text = renderErrors(new ManagementError('in-use', { message: '1' }, others), schema);
  const tags = [...text.matchAll(/<error-tag>([^<]*)/g)].map(([, tag]) => tag);
  assert.equal(tags, ['in-use', 'bad-element', 'too-big']);
});

test('a mistake of ours says nothing of its inside', () => {
  const text = renderErrors(new Error('secret of the store'), schema);
  assert.match(text, '<error-tag>operation-failed</error-tag>');
  assert.not.match(text, 'secret');
});

test.run();

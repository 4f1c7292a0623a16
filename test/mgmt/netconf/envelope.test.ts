import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { openEnvelope, replyTag, shellOf } from '../../../src/mgmt/netconf/envelope.ts';
import { capabilitiesOf, checkHello, HelloError, sessionIdOf } from '../../../src/mgmt/netconf/hello.ts';
import { renderErrors } from '../../../src/mgmt/netconf/rpc-error.ts';
import { parseXml } from '../../../src/mgmt/xml.ts';
import { ManagementError } from '../../../src/state/errors.ts';
import { schema } from '../../helpers/state.ts';

const test = suite('envelope');
const NC = 'xmlns="urn:ietf:params:xml:ns:netconf:base:1.0"';
const BASE = 'urn:ietf:params:netconf:base';

const hellos: readonly (readonly [string, string, string])[] = [
  [
    'both versions',
    `<hello ${NC}><capabilities><capability>${BASE}:1.0</capability><capability>${BASE}:1.1</capability></capabilities></hello>`,
    'chunked',
  ],
  [
    '1.0 alone',
    `<hello ${NC}><capabilities><capability>${BASE}:1.0</capability></capabilities></hello>`,
    'end-of-message',
  ],
  [
    'white space around',
    `<hello ${NC}><capabilities><capability>\n ${BASE}:1.1 \n</capability></capabilities></hello>`,
    'chunked',
  ],
  [
    'a prefix on everything',
    `<n:hello xmlns:n="urn:ietf:params:xml:ns:netconf:base:1.0"><n:capabilities><n:capability>${BASE}:1.1</n:capability></n:capabilities></n:hello>`,
    'chunked',
  ],
  [
    'no common version',
    `<hello ${NC}><capabilities><capability>${BASE}:9.9</capability></capabilities></hello>`,
    'refused',
  ],
  [
    'a prefix of a capability',
    `<hello ${NC}><capabilities><capability>urn:ietf</capability></capabilities></hello>`,
    'refused',
  ],
  ['no capabilities', `<hello ${NC}/>`, 'refused'],
  [
    'a session-id',
    `<hello ${NC}><capabilities><capability>${BASE}:1.1</capability></capabilities><session-id>4</session-id></hello>`,
    'refused',
  ],
  ['another root', `<rpc ${NC} message-id="1"><get/></rpc>`, 'refused'],
  [
    'another namespace',
    `<hello xmlns="urn:x"><capabilities><capability>${BASE}:1.1</capability></capabilities></hello>`,
    'refused',
  ],
  ['a root of our own model', `<softwire xmlns="urn:gi-4over6"/>`, 'refused'],
];
for (const [why, text, expected] of hellos) {
  test(`hello: ${why}`, () => {
    let found: string;
    try {
      found = checkHello(parseXml(text));
    } catch (error) {
      if (!(error instanceof HelloError)) throw error;
      found = 'refused';
    }
    assert.is(found, expected);
  });
}

test('the hello of the library', () => {
  const hello = `<hello ${NC}><capabilities><capability>a</capability><capability>b</capability></capabilities><session-id>17</session-id></hello>`;
  assert.is(sessionIdOf(hello), 17);
  assert.equal(capabilitiesOf(hello), ['a', 'b']);
});

const faults: readonly (readonly [string, string, string, Record<string, string>])[] = [
  [
    'no message-id',
    `<rpc ${NC}><get/></rpc>`,
    'missing-attribute',
    { 'bad-attribute': 'message-id', 'bad-element': 'rpc' },
  ],
  [
    'a message-id with a namespace',
    `<rpc ${NC} xmlns:x="urn:x" x:message-id="1"><get/></rpc>`,
    'missing-attribute',
    { 'bad-attribute': 'message-id', 'bad-element': 'rpc' },
  ],
  ['no operation', `<rpc ${NC} message-id="1"/>`, 'missing-element', { 'bad-element': 'rpc' }],
  ['two operations', `<rpc ${NC} message-id="1"><get/><commit/></rpc>`, 'bad-element', { 'bad-element': 'commit' }],
  [
    'an unknown operation',
    `<rpc ${NC} message-id="1"><foo/></rpc>`,
    'operation-not-supported',
    { 'bad-element': 'foo' },
  ],
  [
    'a container as operation',
    `<rpc ${NC} message-id="1"><softwire xmlns="urn:gi-4over6"/></rpc>`,
    'operation-not-supported',
    { 'bad-element': 'softwire' },
  ],
  [
    'an unknown namespace',
    `<rpc ${NC} message-id="1"><foo xmlns="urn:x"/></rpc>`,
    'unknown-namespace',
    { 'bad-element': 'foo', 'bad-namespace': 'urn:x' },
  ],
  [
    'the namespace of references',
    `<rpc ${NC} message-id="1"><foo xmlns="urn:gi-4over6:reference"/></rpc>`,
    'unknown-namespace',
    { 'bad-element': 'foo', 'bad-namespace': 'urn:gi-4over6:reference' },
  ],
  ['another root', `<notrpc ${NC} message-id="1"/>`, 'malformed-message', {}],
];
for (const [why, text, tag, info] of faults) {
  test(`envelope: ${why}`, () => {
    try {
      openEnvelope(parseXml(text), schema);
    } catch (error) {
      assert.ok(error instanceof ManagementError);
      assert.equal([error.tag, { ...error.info }], [tag, info]);
      return;
    }
    assert.unreachable();
  });
}

test('the reply repeats attributes and declarations', () => {
  const rpc = parseXml(`<rpc ${NC} xmlns:ex="urn:ex" message-id="1&lt;" ex:user-id="fred"><get/></rpc>`);
  assert.is(replyTag(rpc), `<rpc-reply ${NC} xmlns:ex="urn:ex" message-id="1&lt;" ex:user-id="fred">`);
});

test('contents go by reference', () => {
  const rpc = parseXml(
    `<rpc ${NC} message-id="1"><edit-config><target><running/></target><config><x xmlns="urn:x"/></config></edit-config></rpc>`,
  );
  const { operation, module } = openEnvelope(rpc, schema);
  assert.is(module, 'ietf-netconf');
  assert.is(
    shellOf(operation),
    `<edit-config ${NC}><target><running/></target><config><reference xmlns="urn:gi-4over6:reference">1</reference></config></edit-config>`,
  );
});

test('rpc-error: order of children, prefixes of the path, several faults', () => {
  const second = new ManagementError('data-exists', { message: 'b' });
  const first = new ManagementError(
    'operation-failed',
    {
      message: 'a <b>',
      appTag: 'outside-pool',
      path: "/gi-4over6:softwire/aftr[name='x/y:z']/ipv4-pool[.='10.0.0.0/8']",
      info: { 'bad-element': 'e' },
    },
    [second],
  );
  assert.is(
    renderErrors(first, schema),
    `<rpc-error ${NC}><error-type>application</error-type><error-tag>operation-failed</error-tag><error-severity>error</error-severity>` +
      '<error-app-tag>outside-pool</error-app-tag><error-path xmlns:gi="urn:gi-4over6">' +
      "/gi:softwire/gi:aftr[gi:name='x/y:z']/gi:ipv4-pool[.='10.0.0.0/8']</error-path>" +
      '<error-message xml:lang="en">a &lt;b&gt;</error-message><error-info><bad-element>e</bad-element></error-info></rpc-error>' +
      `<rpc-error ${NC}><error-type>application</error-type><error-tag>data-exists</error-tag><error-severity>error</error-severity>` +
      '<error-message xml:lang="en">b</error-message></rpc-error>',
  );
  assert.match(renderErrors(new Error('secret'), schema), /operation-failed/);
  assert.not.match(renderErrors(new Error('secret'), schema), /secret/);
});

test.run();

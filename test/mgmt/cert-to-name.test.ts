import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { MapEntry } from '../../src/mgmt/cert-to-name.ts';
import { nameOf, PresentedCertificate } from '../../src/mgmt/cert-to-name.ts';
import { certificateNames } from '../../src/mgmt/certificate-names.ts';
import type { IssueOptions } from '../helpers/certificates.ts';
import { Certificates, fingerprintOf } from '../helpers/certificates.ts';

const test = suite('cert-to-name (RFC 7407)');

const certificates = new Certificates();
process.once('exit', () => certificates.remove());
const root = certificates.authority('/CN=root');
const other = certificates.authority('/CN=other');
const issue = (options: IssueOptions) => certificates.issue({ issuer: root, ...options });
const SAN = (text: string) => [`subjectAltName=${text}`];
const full = issue({
  subject: '/O=o/CN=olga',
  extensions: SAN('DNS:A.Example,email:FooBar@Example.COM,IP:192.0.2.1,IP:2001:db8::A,email:second@example.com'),
});
const trusted = [root.x509];

/** [what, certificate, map-type, name]. */
const names: readonly (readonly [string, IssueOptions, string, string | undefined])[] = [
  [
    'local part as it is, host in lowercase',
    { extensions: SAN('email:FooBar@Example.COM') },
    'san-rfc822-name',
    'FooBar@example.com',
  ],
  ['no rfc822Name', { extensions: SAN('DNS:a') }, 'san-rfc822-name', undefined],
  ['dNSName in lowercase', { extensions: SAN('DNS:Router-1.Example.COM') }, 'san-dns-name', 'router-1.example.com'],
  ['no dNSName', { extensions: SAN('IP:192.0.2.1') }, 'san-dns-name', undefined],
  ['IPv4 as a dotted quad', { extensions: SAN('IP:192.0.2.1') }, 'san-ip-address', '192.0.2.1'],
  ['IPv6 as 32 digits', { extensions: SAN('IP:2001:DB8::A') }, 'san-ip-address', '20010db800000000000000000000000a'],
  ['no iPAddress', { extensions: SAN('email:a@b') }, 'san-ip-address', undefined],
  ['the first of any: dNSName', { extensions: SAN('DNS:A.b,email:C@D') }, 'san-any', 'a.b'],
  ['the first of any: rfc822Name', { extensions: SAN('email:C@D,DNS:A.b') }, 'san-any', 'C@d'],
  ['the first of any: iPAddress', { extensions: SAN('IP:10.0.0.1,DNS:A.b') }, 'san-any', '10.0.0.1'],
  ['others are passed over', { extensions: SAN('URI:urn:x,otherName:1.2.3;UTF8:x,DNS:a') }, 'san-any', 'a'],
  ['none of the three', { extensions: SAN('URI:urn:x') }, 'san-any', undefined],
  ['no subjectAltName', {}, 'san-any', undefined],
  ['CommonName', { subject: '/O=o/CN=olga/OU=u' }, 'common-name', 'olga'],
  ['CommonName in UTF-8', { subject: '/CN=\u00d6lga', words: ['-utf8'] }, 'common-name', '\u00d6lga'],
  ['no CommonName', { subject: '/O=o' }, 'common-name', undefined],
  ['two CommonNames', { subject: '/CN=a/CN=b' }, 'common-name', undefined],
  ['CommonName of the issuer', { subject: '/O=o', issuer: root }, 'common-name', undefined],
  ['an unknown way', { subject: '/CN=olga' }, 'tarot', undefined],
];
for (const [what, options, mapType, name] of names) {
  test(`${mapType}: ${what}`, () => {
    const { x509 } = issue(options);
    const entry = { id: 1, fingerprint: fingerprintOf(root), mapType };
    assert.is(nameOf(new PresentedCertificate(x509, trusted), [entry]), name);
  });
}

test('a fingerprint is that of the certificate or of a trusted authority in its chain, by any hash but MD5', () => {
  const presented = new PresentedCertificate(full.x509, [other.x509, root.x509]);
  for (const hash of ['sha1', 'sha224', 'sha256', 'sha384', 'sha512'] as const) {
    assert.ok(presented.matches(fingerprintOf(full, hash)), hash);
    assert.ok(presented.matches(fingerprintOf(root, hash).toUpperCase()), hash);
    assert.not(presented.matches(fingerprintOf(other, hash)), `${hash} of an authority that is not in the chain`);
    assert.not(presented.matches(fingerprintOf(full, hash).slice(0, -3)), `${hash} cut short`);
  }
  assert.not(presented.matches(fingerprintOf(full).replace(/^04/, '05')), 'of another hash');
  assert.not(presented.matches(`01:${full.x509.fingerprint}`), 'MD5');
});

test('an authority that is not held here matches nothing, though it is in the chain', () => {
  const between = certificates.authority('/CN=between', root);
  const leaf = issue({ issuer: between });
  assert.ok(new PresentedCertificate(leaf.x509, [between.x509, root.x509]).matches(fingerprintOf(root)));
  assert.ok(new PresentedCertificate(leaf.x509, [between.x509, root.x509]).matches(fingerprintOf(between)));
  assert.not(new PresentedCertificate(leaf.x509, [between.x509]).matches(fingerprintOf(root)));
});

test('an authority of the same name that has not signed is not in the chain', () => {
  const twin = certificates.authority('/CN=root');
  assert.not(new PresentedCertificate(full.x509, [twin.x509]).matches(fingerprintOf(twin)));
});

test('a certificate that signs itself is its own authority, once', () => {
  const self = certificates.issue({ subject: '/CN=self' });
  const entry = { id: 1, fingerprint: fingerprintOf(self), mapType: 'common-name' };
  assert.is(nameOf(new PresentedCertificate(self.x509, [self.x509]), [entry]), 'self');
});

test('entries are taken in the order of their ids; one that gives no name is passed over', () => {
  const presented = new PresentedCertificate(full.x509, trusted);
  const [own, authority] = [fingerprintOf(full), fingerprintOf(root)];
  const specified = (id: number, fingerprint: string, name: string): MapEntry => {
    return { id, fingerprint, mapType: 'specified', name };
  };
  const entries = [
    specified(30, own, 'third'),
    specified(4, fingerprintOf(other), 'no match'),
    specified(200, own, 'last'),
    { id: 10, fingerprint: authority, mapType: 'san-dns-name' },
  ];
  assert.is(nameOf(presented, entries), 'a.example');
  assert.is(nameOf(presented, entries.slice(0, 3)), 'third');
  assert.is(nameOf(presented, [...entries, specified(9, own, 'first')]), 'first');
  assert.is(nameOf(presented, [...entries, { id: 1, fingerprint: own, mapType: 'specified' }]), 'a.example');
  assert.is(nameOf(presented, []), undefined);
});

test('names of a certificate cut anywhere are none, and nothing is thrown', () => {
  const { raw } = full.x509;
  const whole = certificateNames(raw);
  assert.equal(whole.commonNames, ['olga']);
  assert.is(whole.subjectAltNames.length, 5);
  for (let length = 0; length < raw.length; length++) {
    assert.equal(certificateNames(raw.subarray(0, length)), { commonNames: [], subjectAltNames: [] });
  }
});

test('an octet that is another one gives other names or none, and nothing is thrown', () => {
  const { raw } = full.x509;
  for (let at = 0; at < raw.length; at++) {
    for (const flip of [0x01, 0x80, 0xff]) {
      const changed = Buffer.from(raw);
      changed[at] = (changed[at] ?? 0) ^ flip;
      assert.type(certificateNames(changed).commonNames.length, 'number');
    }
  }
});

test.run();

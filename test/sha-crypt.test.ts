import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { costOf, MAX_PASSWORD_OCTETS, shaCrypt, shaCryptMatches } from '../src/sha-crypt.ts';

const test = suite('sha-crypt');

// Vectors of Drepper's specification, then hashes by `openssl passwd` and crypt(3).
const vectors = [
  ['Hello world!', '$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5'],
  [
    'Hello world!',
    '$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1',
  ],
  [
    'Hello world!',
    '$6$rounds=10000$saltstringsaltst$OW1/O6BYHV6BcXZu8QVeXbDWra3Oeqh0sbHbbMCVNSnCM/UrjmM0Dp8vOuZeHBy/YTBmSK6H9qs/y3RnOaw5v.',
  ],
  [
    'a very much longer text to encrypt.  This one even stretches over morethan one line.',
    '$5$rounds=1400$anotherlongsalt$J9aeb3JM21zj/EljRn5hrItEtVATsqy4LkW.9wJMa.B',
  ],
  ['a'.repeat(64), '$6$full$58Zgv3sbG3DwvYWFZkBk2fOfZv5CQItCjAG.MxFMxxFvTkbEveOJ9SmfhrFbi7R1CgQpu63yvga8agZlRAMUa/'],
  ['a'.repeat(32), '$5$full$IXYj7Css8mazcMPeAzViNoz6JSEtaXfovy0SLbxrsw0'],
  ['', '$6$empty$MWslJBrCvUsbDfvDkNQwBNtJFEGiZ5CHosSR8Ol/yMiSd9JINPGkSH4OfOOVEIp87YcT49Wr.Qp4a8bJCR6y2/'],
  ['pässword', '$6$utf8$Bb1OYPwy0StxwIP8X3QhmK1RppbqnBf5RDr3odRsr0nav1fAD/R27/1kdcQkx7vHTHN0/YE4nkqFU5lWWZ4RR.'],
] as const;

for (const [password, hash] of vectors) {
  test(`'${password.slice(0, 20)}' under ${hash.slice(0, 24)}`, () => {
    assert.is(shaCrypt(password, hash), hash);
    assert.ok(shaCryptMatches(password, hash));
    assert.not.ok(shaCryptMatches(`${password}x`, hash));
  });
}

const refused = [
  ['', 'nothing'],
  ['$1$salt$hash', 'MD5'],
  ['$0$clear', 'clear text'],
  ['$6$sal:t', 'a salt outside the alphabet'],
  ['$6$12345678901234567', 'a salt of 17 characters'],
  ['$6$rounds=1000001$salt', 'more than a million rounds'],
  ['$6$rounds=x$salt', 'rounds that are no number'],
] as const;
for (const [setting, why] of refused) {
  test(`refused: ${why}`, () => {
    assert.is(shaCrypt('password', setting), undefined);
    assert.not.ok(shaCryptMatches('password', setting));
  });
}

test('fewer than a thousand rounds count as a thousand', () => {
  assert.is(shaCrypt('x', '$5$rounds=1$salt'), shaCrypt('x', '$5$rounds=1000$salt'));
});

test('the length of a password has a limit', () => {
  const setting = '$5$rounds=1000$salt';
  assert.is.not(shaCrypt('x'.repeat(MAX_PASSWORD_OCTETS), setting), undefined);
  assert.is(shaCrypt('x'.repeat(MAX_PASSWORD_OCTETS + 1), setting), undefined);
});

test('a setting alone matches no password', () => assert.not.ok(shaCryptMatches('x', '$6$salt')));

test('the cost of a hash is its method and rounds', () => {
  assert.is(costOf('$6$salt$abc'), '$6$');
  assert.is(costOf('$5$rounds=2000$salt$abc'), '$5$rounds=2000$');
  assert.is(costOf('$0$clear'), undefined);
});

test.run();

/**
 * libyang as the judge: type checks of single values, validation of whole small trees, and its faults in the tags of
 * RFC 7950 §15. The only place that knows how libyang names a fault.
 */

import { randomBytes } from 'node:crypto';
import type { ValidationFault, YangContext } from 'netconf-server';
import { parseDateTime } from '../date-time.ts';
import { MAX_PASSWORD_OCTETS, shaCrypt } from '../sha-crypt.ts';
import { checkBindingLeaf } from '../state/binding.generated.ts';
import type { DataNode } from '../state/data.ts';
import type { ErrorInfo, ErrorTag } from '../state/errors.ts';
import { ManagementError } from '../state/errors.ts';
import type { TreeValidation, ValueCheck } from '../state/request.ts';
import type { SchemaNode } from '../state/schema.ts';
import { choiceInWords, lackingPaths } from './lacking.ts';
import { isTooLongPath, LONGEST_PATH_OCTETS, undeclaredIn, withNamedModules } from './path-texts.ts';
import { writeXml } from './xml-data.ts';
import { withModuleNames } from './xpath/module-names.ts';

/** [error-tag, error-app-tag when the model gives none] by libyang's code. */
const TAGS: Readonly<Record<string, readonly [tag: ErrorTag, appTag?: string]>> = {
  must: ['operation-failed', 'must-violation'],
  unique: ['operation-failed', 'data-not-unique'],
  'too-few': ['operation-failed', 'too-few-elements'],
  'too-many': ['operation-failed', 'too-many-elements'],
  leafref: ['data-missing', 'instance-required'],
  'mandatory-choice': ['data-missing', 'missing-choice'],
  mandatory: ['data-missing'],
  when: ['unknown-element'],
  unknown: ['unknown-element'],
  duplicate: ['bad-element'],
  value: ['invalid-value'],
};

/** What a value of a type must be, for people; libyang tells its pattern. By the name of the typedef. */
const EXPECTED: Readonly<Record<string, string>> = {
  'ipv4-address': 'an IPv4 address such as 192.0.2.1',
  'ipv4-address-no-zone': 'an IPv4 address such as 192.0.2.1',
  'ipv6-address': 'an IPv6 address such as 2001:db8::1',
  'ipv6-address-no-zone': 'an IPv6 address such as 2001:db8::1',
  'ipv6-endpoint': 'an IPv6 address such as 2001:db8::1',
  'ipv4-prefix': 'an IPv4 prefix such as 192.0.2.0/24',
  'instance-name':
    'a name of at most 64 letters, digits, dots, hyphens and underscores, not beginning with dot or hyphen',
  'interface-name':
    'the name of a network interface: at most 15 letters, digits and _ @ : . -, not beginning with a dot',
  'crypt-hash': 'a password hash, as `openssl passwd -6` makes it, or $0$ and the password',
  'date-and-time': 'a time such as 2026-01-31T12:00:00Z',
};

/**
 * The value check of a context. A password that comes as `$0$` and clear text is taken as its hash, and never kept as it came
 * (RFC 7317 §3.7.3, iana-crypt-hash).
 */
export function valueCheck(context: YangContext): ValueCheck {
  return (schema, text, declared) => {
    if (isTooLongPath(schema, text)) return TOO_LONG;
    const prefixes = declared && withNamedModules(schema, text, declared);
    const typedef = schema.dump.typedef ?? '';
    // An advertisement has a hundred thousand of them: the codec of bindings, which says of each text what libyang says, is ten times as fast.
    const known = typedef === 'ipv4-prefix' ? checkBindingLeaf('ipv4-prefix', text) : undefined;
    if (known && 'value' in known) return { value: known.value, type: 'string' };
    const checked = context.checkValue(schema.id, text, prefixes);
    // libyang takes the 31st of February for the 3rd of March.
    if ('value' in checked && typedef === 'date-and-time' && !parseDateTime(text.trim())) {
      return { message: `expected a date and a time that there are, found '${shortened(text)}'` };
    }
    if ('value' in checked) {
      const isClear = typedef === 'crypt-hash' && checked.value.startsWith('$0$');
      if (typedef === 'crypt-hash' && checked.value.startsWith('$1$')) {
        return { message: 'MD5 hashes ($1$) are not taken: expected one as `openssl passwd -6` makes it' };
      }
      // libyang leaves out prefixes that repeat, which XML and other readers of the text do not know.
      if (typedef === 'xpath1.0') {
        const value = prefixes ? withModuleNames(text, prefixes, schema.namespaces) : text;
        return isTooLongPath(schema, value) ? TOO_LONG : { ...checked, value };
      }
      return isClear ? hashed(checked.value.slice(3), checked.type) : checked;
    }
    const [unknown] = prefixes ? undeclaredIn(schema, text, prefixes) : [];
    const expected =
      unknown === undefined
        ? (EXPECTED[typedef] ?? expectedOf(schema, text))
        : `the prefix ${unknown} to be declared, or the name of a module in its place`;
    // libyang repeats the schema path that the caller's message begins with.
    const message =
      expected === undefined
        ? checked.message.replace(/ \(at \/[^)]*\)$/, '')
        : `expected ${expected}, found '${shortened(text)}'`;
    return { ...checked, message };
  };
}

const TOO_LONG = { message: `expected at most ${LONGEST_PATH_OCTETS} octets` };

/** What a value must be by its base type, when that says why this one is not. */
function expectedOf({ dump }: SchemaNode, text: string): string | undefined {
  const { type = '', range = LIMITS[type], enums } = dump;
  if (type === 'boolean') return 'true or false';
  if (type === 'enumeration' && enums) return `one of ${enums.join(', ')}`;
  if (LIMITS[type] !== undefined) return `a whole number, ${inWords(range ?? '')}`;
  if (type !== 'string' || range === undefined || isInRange([...text].length, range)) return undefined;
  return `a text of ${inWords(range)} characters`;
}

/** Whole numbers without a range of their own. */
const LIMITS: Readonly<Record<string, string>> = {
  int8: '-128..127',
  int16: '-32768..32767',
  int32: '-2147483648..2147483647',
  int64: '-9223372036854775808..9223372036854775807',
  uint8: '0..255',
  uint16: '0..65535',
  uint32: '0..4294967295',
  uint64: '0..18446744073709551615',
};

function inWords(range: string): string {
  return range.replaceAll('..', ' to ').replaceAll(' | ', ' or ');
}

function isInRange(length: number, range: string): boolean {
  return range.split(' | ').some((part) => {
    const [min = Number.NaN, max = min] = part.split('..').map(Number);
    return length >= min && length <= max;
  });
}

const LONGEST_SHOWN = 60;

function shortened(text: string): string {
  return text.length <= LONGEST_SHOWN ? text : `${text.slice(0, LONGEST_SHOWN)}...`;
}

function hashed(password: string, type: string): ReturnType<ValueCheck> {
  const salt = randomBytes(12).toString('base64').replaceAll('+', '.');
  const value = shaCrypt(password, `$6$${salt}`);
  return value === undefined
    ? { message: `expected a password of at most ${MAX_PASSWORD_OCTETS} octets` }
    : { value, type };
}

/** Validation of a whole small tree by a context: mandatory, must, when, leafref, unique, min- and max-elements. */
export function treeValidation(context: YangContext): TreeValidation {
  return (tree) => {
    const faults = context.validateConfig([...writeXml(tree.children())].join(''));
    const places = instancePlaces(tree, faults);
    return faults.map((fault, index) => {
      const words = choiceInWords(tree.schema, { path: fault.path, choice: choiceOf(fault) });
      return toError({ ...fault, path: places[index] ?? fault.path }, words && `expected ${words}`);
    });
  };
}

/** The instances in which something is missing, by the place of the fault; libyang names them in the order of the tree. */
function instancePlaces(tree: DataNode, faults: readonly ValidationFault[]): (string | undefined)[] {
  const found = new Map<string, string[]>();
  return faults.map((fault) => {
    const { code, path, message } = fault;
    if (!MISSING.includes(code)) return undefined;
    const key = `${path} ${message}`;
    const left = found.get(key) ?? lackingPaths(tree, { path, choice: choiceOf(fault) });
    found.set(key, left);
    return left.shift();
  });
}

function choiceOf(fault: ValidationFault): string | undefined {
  return fault.code === 'mandatory-choice' ? infoOf(fault)?.['missing-choice']?.toString() : undefined;
}

const MISSING: readonly string[] = ['mandatory', 'mandatory-choice', 'too-few'];

function toError(fault: ValidationFault, message = fault.message): ManagementError {
  const [tag, appTag] = TAGS[fault.code] ?? ['operation-failed'];
  return new ManagementError(tag, {
    message,
    path: fault.path === '' ? undefined : fault.path,
    appTag: fault.appTag ?? appTag,
    info: infoOf(fault),
  });
}

/** What RFC 7950 §15.1 and §15.6 want told beside; libyang has it in its sentence. */
function infoOf({ code, message }: ValidationFault): ErrorInfo | undefined {
  const quoted = [...message.matchAll(/"([^"]*)"/g)].map(([, text = '']) => text);
  const [first = '', ...entries] = quoted;
  if (code === 'mandatory-choice' && first !== '') return { 'missing-choice': first };
  // A key may hold quotation marks; then nothing certain can be said.
  if (code !== 'unique' || entries.length !== 2) return undefined;
  return { 'non-unique': entries.flatMap((entry) => first.split(' ').map((leaf) => `${entry}/${leaf}`)) };
}

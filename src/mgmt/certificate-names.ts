/**
 * The names in an X.509 certificate (RFC 5280): CommonNames of its subject, and the general names of its subjectAltName in their
 * order. Read from the DER, since the text that Node gives of them is for people.
 *
 *     Certificate  ::= SEQUENCE { tbsCertificate, ... }
 *     tbsCertificate ::= SEQUENCE { [0] version, serialNumber, signature, issuer, validity, subject, ..., [3] extensions }
 */

export interface CertificateNames {
  readonly commonNames: readonly string[];
  readonly subjectAltNames: readonly SubjectAltName[];
}

export interface SubjectAltName {
  readonly kind: 'rfc822' | 'dns' | 'ip';
  readonly octets: Buffer;
}

interface Element {
  readonly tag: number;
  readonly content: Buffer;
}

const TAG = { oid: 0x06, octetString: 0x04, version: 0xa0, extensions: 0xa3 } as const;
const COMMON_NAME = Buffer.from('550403', 'hex');
const SUBJECT_ALT_NAME = Buffer.from('551d11', 'hex');
/** Place of the subject behind the version. */
const SUBJECT = 4;
/** Of the choice GeneralName (RFC 5280 §4.2.1.6). */
const GENERAL_NAMES: ReadonlyMap<number, SubjectAltName['kind']> = new Map([
  [0x81, 'rfc822'],
  [0x82, 'dns'],
  [0x87, 'ip'],
]);

const NONE: CertificateNames = { commonNames: [], subjectAltNames: [] };

/** Octets that are no DER. */
class DerError extends Error {}

/** Of a certificate in DER; none of what is no certificate. */
export function certificateNames(der: Buffer): CertificateNames {
  try {
    return readNames(der);
  } catch (error) {
    if (error instanceof DerError) return NONE;
    throw error;
  }
}

/** @throws DerError */
function readNames(der: Buffer): CertificateNames {
  const certificate = elements(der)[0];
  const tbs = certificate && elements(certificate.content)[0];
  const fields = tbs ? elements(tbs.content).filter(({ tag }) => tag !== TAG.version) : [];
  const subject = fields[SUBJECT];
  const [extensions] = fields.filter(({ tag }) => tag === TAG.extensions).flatMap(({ content }) => elements(content));
  return {
    commonNames: subject ? commonNames(subject) : [],
    subjectAltNames: extensions ? subjectAltNames(extensions) : [],
  };
}

/** Name ::= SEQUENCE OF SET OF SEQUENCE { type OID, value } */
function commonNames(name: Element): string[] {
  return elements(name.content)
    .flatMap((set) => elements(set.content))
    .flatMap((attribute) => {
      const [type, value] = elements(attribute.content);
      const text = value && type?.content.equals(COMMON_NAME) ? directoryString(value) : undefined;
      return text === undefined ? [] : [text];
    });
}

/** Extensions ::= SEQUENCE OF SEQUENCE { extnID OID, critical BOOLEAN DEFAULT FALSE, extnValue OCTET STRING } */
function subjectAltNames(extensions: Element): SubjectAltName[] {
  return elements(extensions.content)
    .map((extension) => elements(extension.content))
    .filter(([id]) => id?.tag === TAG.oid && id.content.equals(SUBJECT_ALT_NAME))
    .flatMap((parts) => parts.filter(({ tag }) => tag === TAG.octetString))
    .flatMap((value) => elements(value.content))
    .flatMap((names) => elements(names.content))
    .flatMap(({ tag, content }) => {
      const kind = GENERAL_NAMES.get(tag);
      return kind ? [{ kind, octets: content }] : [];
    });
}

/** The string types that a directory name may have, by their tag; undefined for one that is none or not of its type. */
function directoryString({ tag, content }: Element): string | undefined {
  switch (tag) {
    case 0x0c: {
      const text = content.toString('utf8');
      return text.includes('\ufffd') ? undefined : text;
    }
    // PrintableString, IA5String; TeletexString, which all the world reads as Latin-1.
    case 0x13:
    case 0x16:
    case 0x14:
      return content.toString('latin1');
    // BMPString
    case 0x1e:
      return content.length % 2 === 0 ? Buffer.from(content).swap16().toString('utf16le') : undefined;
    default:
      return undefined;
  }
}

/** The elements that stand one behind the other (X.690 §8.1, §10.1). */
function elements(der: Buffer): Element[] {
  const found: Element[] = [];
  for (let at = 0; at < der.length; ) {
    const tag = octet(der, at);
    const { length, begin } = lengthAt(der, at + 1);
    if (begin + length > der.length) throw new DerError('expected DER');
    found.push({ tag, content: der.subarray(begin, begin + length) });
    at = begin + length;
  }
  return found;
}

function lengthAt(der: Buffer, at: number): { readonly length: number; readonly begin: number } {
  const first = octet(der, at);
  if (first < 0x80) return { length: first, begin: at + 1 };
  const count = first & 0x7f;
  // DER has no indefinite length, and no certificate is longer than four octets can say.
  if (count === 0 || count > 4 || at + 1 + count > der.length) throw new DerError('expected DER');
  return { length: der.readUIntBE(at + 1, count), begin: at + 1 + count };
}

function octet(der: Buffer, at: number): number {
  const value = der[at];
  if (value === undefined) throw new DerError('expected DER');
  return value;
}

/** Suites of TLS 1.2 by which clients come, as OpenSSL names them; each is one for keys of either kind. */

/** What RFC 9325 §4.2 does not recommend, with forward secrecy and without. */
export const NOT_AEAD = [
  'ECDHE-ECDSA-AES128-SHA:ECDHE-RSA-AES128-SHA:@SECLEVEL=0',
  'ECDHE-ECDSA-AES256-SHA384:ECDHE-RSA-AES256-SHA384:@SECLEVEL=0',
  'AES128-GCM-SHA256:@SECLEVEL=0',
];

export const GOOD = 'ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256';

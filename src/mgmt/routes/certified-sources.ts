/** Route sources that are to be known by a certificate, at a device that asks for none. */

import type { Log } from '../../log.ts';
import type { Softwire } from '../../state/model.generated.ts';

export class CertifiedSources {
  readonly #asksCertificates: boolean;
  readonly #softwire: () => Softwire;
  readonly #log: Log;
  #told = '';

  constructor(asksCertificates: boolean, softwire: () => Softwire, log: Log) {
    this.#asksCertificates = asksCertificates;
    this.#softwire = softwire;
    this.#log = log;
  }

  /** What keeps them from advertising, in sentences. */
  problems(): string[] {
    if (this.#asksCertificates) return [];
    return this.#softwire().aftr.flatMap(({ name: aftr, routeSource }) => {
      const names = routeSource.flatMap(({ name, certificateFingerprint, password }) => {
        return certificateFingerprint === undefined || password !== undefined ? [] : [name];
      });
      return names.length === 0 ? [] : [sentence(aftr, names)];
    });
  }

  /** Logs what has become a problem. */
  follow(): void {
    const problems = this.problems().join(' ');
    if (problems !== this.#told && problems !== '') this.#log.warn({ problems }, 'route sources cannot be known');
    this.#told = problems;
  }
}

function sentence(aftr: string, [first = '', ...others]: readonly string[]): string {
  const who = `${first}${others.length === 0 ? '' : ` and ${others.length} more`} of AFTR ${aftr}`;
  const advice =
    'put the authorities of client certificates into keys/client-ca.crt of the state directory and restart';
  return `Route source ${who} is to be known by its certificate, but clients are asked for none: ${advice}.`;
}

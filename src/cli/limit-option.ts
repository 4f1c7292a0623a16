/** Options of the form NAME=VALUE that set limits, and may come several times. */

import { require } from '../common-js.ts';
import type { LimitSettings } from '../limit-settings.ts';
import { NETCONF_SETTINGS } from '../netconf-limits.ts';
import { RESTCONF_SETTINGS } from '../restconf-limits.ts';

const { InvalidArgumentError } = require('commander') as typeof import('commander');

export const netconfLimit = limitOption(NETCONF_SETTINGS);
export const restconfLimit = limitOption(RESTCONF_SETTINGS);

/** What is set with one more setting; of one name the last holds. */
function limitOption<Name extends string>(settings: LimitSettings<Name>) {
  return (text: string, earlier: Partial<Record<Name, number>>): Partial<Record<Name, number>> => {
    const limit = settings.read(text);
    if (typeof limit === 'string') throw new InvalidArgumentError(limit);
    return { ...earlier, [limit.name]: limit.value };
  };
}

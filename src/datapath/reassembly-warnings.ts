/** Sentences that tell that reassembly is near its limits (RFC 6333 §6.3), before fragments are lost. */

import type { InstancePlan } from './configuration.ts';
import type { Role } from './engine.ts';
import { chunksIn } from './fragment-store.ts';
import { STORE_OCTETS } from './reassembly.ts';
import type { ReassemblyGauges } from './reassembly-gauges.ts';

/** Empty when all is well. `numberOf` gives the number of an instance by its name. */
export function reassemblyWarnings(
  role: Role,
  plans: readonly InstancePlan[],
  numberOf: (name: string) => number,
  gauges: ReassemblyGauges,
): string[] {
  const warnings = plans.flatMap(({ name, reassembly: { datagrams }, reassemblyThreshold }) => {
    const held = gauges.datagrams(numberOf(name));
    if (held * 100 < reassemblyThreshold * datagrams) return [];
    const advice = 'look for who sends fragments that never become whole, or raise maximum-packets';
    return [`reassembly of ${role} ${name} holds ${held} of ${datagrams} packets: ${advice}`];
  });
  const chunks = chunksIn(STORE_OCTETS);
  const threshold = Math.min(100, ...plans.map(({ reassemblyThreshold }) => reassemblyThreshold));
  if (gauges.chunks * 100 < threshold * chunks) return warnings;
  const part = Math.round((100 * gauges.chunks) / chunks);
  return [...warnings, `${part} % of the memory for reassembly is in use (${role}): lower maximum-packets-per-source`];
}

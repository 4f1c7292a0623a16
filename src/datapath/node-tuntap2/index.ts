/**
 * Linux TUN devices for Node.js: an everyday device (`Tun`) and the queue of an engine (`TunQueue`). The native part is
 * build/Release/node_tuntap2.node; it works in worker threads, each with its own queues.
 *
 * System calls that fail throw an Error with `code` (EPERM, ENODEV ...), `syscall` and `device`; its message says what to
 * do. Anything on a device that is not open fails with EBADF.
 */

export { adviseHugePages } from './memory.ts';
export { ignoreNetlinkLoss } from './netlink.ts';
export {
  createPersistent,
  type QueueOptions,
  READABLE,
  removePersistent,
  TIMEOUT,
  TunQueue,
  WOKEN,
  wake,
} from './queue.ts';
export { type ProgramEnd, runProgram } from './run.ts';
export { shortenSlice } from './schedule.ts';
export { Tun } from './tun.ts';

/** How processes of this program end, beside 0. */

/** The environment lacks something, and a sentence says what (EX_CONFIG of sysexits.h). */
export const EXIT_CONFIGURATION = 78;
/** Management was asked for system-restart, or for system-shutdown (RFC 7317 §3.4): the supervisor does it. */
export const EXIT_RESTART = 100;
export const EXIT_SHUTDOWN = 101;

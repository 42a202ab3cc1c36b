import { pino } from 'pino';

export type Logger = pino.Logger;

/** One JSON line per entry on standard error, so that standard output stays for answers of the command line. */
export function createLogger(name: string, level: string): Logger {
  return pino({ name, level, base: { process: name } }, pino.destination({ fd: 2, sync: true }));
}

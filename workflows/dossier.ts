/** How dossiers write: instants to the minute in UTC, counts with their noun. */

export function minute(iso: string): string {
  return iso.slice(0, 16).replace('T', ' ');
}

export function lineCount(lines: number): string {
  return lines === 1 ? '1 line' : `${lines} lines`;
}

/** As Lago prints the times of events. Years beyond 9999 are `+057147-…` to JavaScript; nobody else writes that sign. */
export function isoMilliseconds(timestamp: number): string {
  return new Date(timestamp).toISOString().replace(/^\+0*/, '');
}

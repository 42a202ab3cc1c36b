/**
 * One read serves everybody who waits for it, and no request is answered by a read that began before it asked: who comes
 * while a read is under way shares the next one.
 */
export class CoalescedRead<T> {
  private running: Promise<T> | null = null;
  private following: Promise<T> | null = null;

  constructor(private readonly read: () => Promise<T>) {}

  request(): Promise<T> {
    if (this.running === null) return this.start();
    // A failed read ends only the requests it served; the next one starts all the same.
    this.following ??= this.running.then(
      () => this.start(),
      () => this.start(),
    );
    return this.following;
  }

  private start(): Promise<T> {
    this.following = null;
    const read = this.read().finally(() => {
      if (this.running === read) this.running = null;
    });
    this.running = read;
    return read;
  }
}

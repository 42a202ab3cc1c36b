import { CoalescedRead } from './coalesced-read.js';

describe('CoalescedRead', () => {
  test('a request never gets a value read before it asked', async () => {
    let value = 0;
    let reads = 0;
    const waiting: (() => void)[] = [];
    const coalesced = new CoalescedRead(async () => {
      reads += 1;
      const seen = value;
      await new Promise<void>((resolve) => waiting.push(resolve));
      return seen;
    });
    const first = coalesced.request();
    value = 1;
    const second = coalesced.request();
    const third = coalesced.request();
    waiting.shift()!();
    expect(await first).toBe(0);
    await new Promise((resolve) => setImmediate(resolve));
    waiting.shift()!();
    expect(await Promise.all([second, third])).toEqual([1, 1]);
    expect(reads).toBe(2);
  });

  test('a failed read fails who shared it, and the next request reads anew', async () => {
    let failing = true;
    const coalesced = new CoalescedRead(async () => {
      if (failing) throw new Error('down');
      return 'up';
    });
    const first = coalesced.request();
    const second = coalesced.request();
    await expect(first).rejects.toThrow('down');
    await expect(second).rejects.toThrow('down');
    failing = false;
    expect(await coalesced.request()).toBe('up');
  });
});

import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** A wire to a server that can be cut: what runs over it breaks, and nothing gets through until it is mended. */
export class Wire {
  private readonly sockets = new Set<Socket>();
  private isCut = false;

  private constructor(
    readonly address: string,
    private readonly stopListening: () => Promise<void>,
  ) {}

  /** @param target `host:port` */
  static async to(target: string): Promise<Wire> {
    const [host, port] = target.split(':') as [string, string];
    const server = createServer((near) => {
      if (wire.isCut) return void near.destroy();
      const far = connect(Number(port), host);
      for (const [one, other] of [
        [near, far],
        [far, near],
      ] as const) {
        wire.sockets.add(one);
        one.on('error', () => other.destroy());
        one.on('close', () => {
          wire.sockets.delete(one);
          other.destroy();
        });
      }
      near.pipe(far).pipe(near);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const wire = new Wire(
      `127.0.0.1:${(server.address() as AddressInfo).port}`,
      () => new Promise((resolve) => server.close(() => resolve())),
    );
    return wire;
  }

  cut(): void {
    this.isCut = true;
    for (const socket of this.sockets) socket.destroy();
  }

  mend(): void {
    this.isCut = false;
  }

  async close(): Promise<void> {
    this.cut();
    await this.stopListening();
  }
}

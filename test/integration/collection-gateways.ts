import type { ChargeRequest, PaymentGateway, PaymentGateways } from '../../src/collection/index.js';

/** Thrown where a process would have been gone: nothing after it runs. */
export class ProcessDied extends Error {
  override readonly name = 'ProcessDied';
}

/** A gateway whose caller can be made to die right before or right after the charge, once. */
export class MortalCaller implements PaymentGateway {
  readonly name: string;
  readonly charges: ChargeRequest[] = [];
  readonly lookups: ChargeRequest[] = [];
  private death: 'before' | 'after' | undefined;
  private witness: ((request: ChargeRequest) => Promise<void>) | undefined;

  constructor(private readonly inner: PaymentGateway) {
    this.name = inner.name;
  }

  dieNext(when: 'before' | 'after'): void {
    this.death = when;
  }

  /** Called with each charge before it is made. */
  onCharge(witness: (request: ChargeRequest) => Promise<void>): void {
    this.witness = witness;
  }

  asGateways(): PaymentGateways {
    return new Map([[this.name, this]]);
  }

  async charge(request: ChargeRequest) {
    await this.witness?.(request);
    this.charges.push(request);
    const death = this.death;
    this.death = undefined;
    if (death === 'before') throw new ProcessDied();
    const outcome = await this.inner.charge(request);
    if (death === 'after') throw new ProcessDied();
    return outcome;
  }

  lookup(request: ChargeRequest) {
    this.lookups.push(request);
    return this.inner.lookup(request);
  }

  abandon(request: ChargeRequest) {
    return this.inner.abandon(request);
  }

  defaultMethod(organizationId: string, customerId: string) {
    return this.inner.defaultMethod(organizationId, customerId);
  }
}

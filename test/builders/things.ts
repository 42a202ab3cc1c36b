/**
 * What a story begins with. Every builder is a value whose defaults are valid, so that a test names only what it is about:
 *
 *     aPlan().costing(4900).withCharge(aCharge().standard('0.10'))
 */
type Fields = Readonly<Record<string, unknown>>;

export class OrganizationBuilder {
  constructor(
    readonly fields: Fields = { name: 'Acme', document_number_prefix: 'ACM' },
    readonly taxes: readonly Fields[] = [],
  ) {}

  inZone(timezone: string) {
    return new OrganizationBuilder({ ...this.fields, timezone }, this.taxes);
  }

  taxedAt(rate: number) {
    const tax = { name: `${rate} %`, code: `tax_${rate}`, rate, applied_to_organization: true };
    return new OrganizationBuilder(this.fields, [...this.taxes, tax]);
  }
}

/** Where time is measured: a test clock, or the wall. */
export class ClockBuilder {
  constructor(readonly at: string | null) {}
}

export class MetricBuilder {
  constructor(readonly fields: Fields) {}

  private aggregatedBy(aggregation_type: string, field_name?: string) {
    return new MetricBuilder({ ...this.fields, aggregation_type, ...(field_name && { field_name }) });
  }

  counting = () => this.aggregatedBy('count_agg');
  summing = (field: string) => this.aggregatedBy('sum_agg', field);
  takingTheMaxOf = (field: string) => this.aggregatedBy('max_agg', field);
  takingTheLatest = (field: string) => this.aggregatedBy('latest_agg', field);
  recurring = () => new MetricBuilder({ ...this.fields, recurring: true });
  countingUnique = (field: string) => this.aggregatedBy('unique_count_agg', field);

  get code(): string {
    return this.fields.code as string;
  }
}

export class ChargeBuilder {
  constructor(
    readonly metric: string,
    readonly fields: Fields,
  ) {}

  private priced(charge_model: string, properties: Fields) {
    return new ChargeBuilder(this.metric, { ...this.fields, charge_model, properties });
  }

  /** A price for each unit, as a decimal string of the currency's major unit. */
  standard = (amount: string) => this.priced('standard', { amount });

  /** Billed event by event. */
  paidInAdvance = (fields: Fields = {}) =>
    new ChargeBuilder(this.metric, { ...this.fields, pay_in_advance: true, ...fields });

  prorated = () => new ChargeBuilder(this.metric, { ...this.fields, prorated: true });

  package = (amount: string, package_size: number, free_units = 0) =>
    this.priced('package', { amount, package_size, free_units });

  /** In minor units, each period. */
  atLeast = (min_amount_cents: number) => new ChargeBuilder(this.metric, { ...this.fields, min_amount_cents });

  /** `[upTo, perUnit]`, the last one up to `null`. */
  graduated(...tiers: (readonly [upTo: number | null, perUnit: string])[]) {
    let from = 0;
    const ranges = tiers.map(([to_value, per_unit_amount]) => {
      const range = { from_value: from, to_value, per_unit_amount, flat_amount: '0' };
      from = (to_value ?? 0) + 1;
      return range;
    });
    return this.priced('graduated', { graduated_ranges: ranges });
  }
}

/** Agreed units of an add-on. */
export class FixedChargeBuilder {
  constructor(
    readonly addOn: string,
    readonly fields: Fields,
  ) {}

  private with(changes: Fields) {
    return new FixedChargeBuilder(this.addOn, { ...this.fields, ...changes });
  }

  of = (units: number) => this.with({ units: String(units) });
  /** A price for each unit, as a decimal string of the currency's major unit. */
  costing = (amount: string) => this.with({ properties: { amount } });
  inAdvance = () => this.with({ pay_in_advance: true });
  prorated = () => this.with({ prorated: true });
}

export class PlanBuilder {
  constructor(
    readonly fields: Fields,
    readonly charges: readonly ChargeBuilder[] = [],
    readonly fixedCharges: readonly FixedChargeBuilder[] = [],
  ) {}

  private with(changes: Fields) {
    return new PlanBuilder({ ...this.fields, ...changes }, this.charges, this.fixedCharges);
  }

  monthly = () => this.with({ interval: 'monthly' });
  weekly = () => this.with({ interval: 'weekly' });
  yearly = () => this.with({ interval: 'yearly' });
  inAdvance = () => this.with({ pay_in_advance: true });
  /** In minor units. */
  costing = (amount_cents: number) => this.with({ amount_cents });
  inCurrency = (amount_currency: string) => this.with({ amount_currency });
  withTrialOf = (trial_period: number) => this.with({ trial_period });
  withChargesByMonth = () => this.with({ bill_charges_monthly: true });
  /** In minor units. */
  committingTo = (amount_cents: number) => this.with({ minimum_commitment: { amount_cents } });
  withCharge = (charge: ChargeBuilder) => new PlanBuilder(this.fields, [...this.charges, charge], this.fixedCharges);
  withFixedCharge = (fixedCharge: FixedChargeBuilder) =>
    new PlanBuilder(this.fields, this.charges, [...this.fixedCharges, fixedCharge]);

  get code(): string {
    return this.fields.code as string;
  }
}

export class CustomerBuilder {
  constructor(
    readonly externalId: string,
    readonly fields: Fields = {},
    readonly billing: Fields = {},
  ) {}

  private with(changes: Fields) {
    return new CustomerBuilder(this.externalId, { ...this.fields, ...changes }, this.billing);
  }

  private billed(changes: Fields) {
    return new CustomerBuilder(this.externalId, this.fields, { ...this.billing, ...changes });
  }

  inZone = (timezone: string) => this.with({ timezone });
  inGraceFor = (days: number) => this.billed({ invoice_grace_period: days });
  payingWith = (card: string) => this.billed({ payment_provider: 'sandbox', provider_payment_method_id: card });
  payingByStripe = (customer: string, card: string) =>
    this.billed({ payment_provider: 'stripe', provider_customer_id: customer, provider_payment_method_id: card });
}

export class SubscriptionBuilder {
  constructor(
    readonly externalId: string,
    readonly customer: string | null = null,
    readonly plan: string | null = null,
    readonly fields: Fields = {},
  ) {}

  private with(changes: Fields) {
    return new SubscriptionBuilder(this.externalId, this.customer, this.plan, { ...this.fields, ...changes });
  }

  of = (customer: string) => new SubscriptionBuilder(this.externalId, customer, this.plan, this.fields);
  to = (plan: string) => new SubscriptionBuilder(this.externalId, this.customer, plan, this.fields);
  onItsAnniversary = () => this.with({ billing_time: 'anniversary' });
  from = (subscription_at: string) => this.with({ subscription_at });
  until = (ending_at: string) => this.with({ ending_at });
  /** What it agrees on differently from its plan. */
  onTerms = (plan_overrides: Fields) => this.with({ plan_overrides });
}

export const anOrganization = () => new OrganizationBuilder();
export const aClockAt = (at: string) => new ClockBuilder(at);
export const theWallClock = () => new ClockBuilder(null);
export const aMetric = (code = 'tokens') =>
  new MetricBuilder({ code, name: code, aggregation_type: 'sum_agg', field_name: 'value' });
export const aCharge = (metric = 'tokens') => new ChargeBuilder(metric, {}).standard('0.10');
export const aFixedCharge = (addOn = 'seat') =>
  new FixedChargeBuilder(addOn, { charge_model: 'standard' }).of(1).costing('1');
export const aPlan = (code = 'team') =>
  new PlanBuilder({ code, name: code, interval: 'monthly', amount_cents: 0, amount_currency: 'EUR' });
export const aCustomer = (externalId = 'cust') => new CustomerBuilder(externalId);
export const aSubscription = (externalId = 'sub') => new SubscriptionBuilder(externalId);

export type Thing =
  OrganizationBuilder | ClockBuilder | MetricBuilder | PlanBuilder | CustomerBuilder | SubscriptionBuilder;

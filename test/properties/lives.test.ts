import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  BILLING_INTERVALS,
  BILLING_TIMES,
  type BillingCalendar,
  nextBoundaryAfter,
} from '../../src/domain/calendar/billing-calendar.js';
import { instant, type Instant } from '../../src/domain/calendar/instant.js';
import { epochDay } from '../../src/domain/calendar/local-date.js';
import { type StepKind, stepSpans } from '../../src/domain/calendar/step-spans.js';
import { localDate } from '../../src/domain/calendar/time-zone.js';
import { type DueMoment, nextDueMoment, type SubscriptionFacts } from '../../src/domain/subscriptions/due-moments.js';
import { RUNS } from './runs.js';

/**
 * Whatever happens in a life, the spans that are billed of it cover it without gap or overlap. Commands come at any time,
 * before or after the steps that are due then have been performed.
 */
const START = instant('2024-01-10T09:30:00Z');
const HOUR = 3_600_000;
/** A case is a whole life. */
const SOME = { numRuns: Math.ceil(RUNS.numRuns / 4) };

type Plan = { readonly interval: (typeof BILLING_INTERVALS)[number]; readonly payInAdvance: boolean };
type Command = {
  readonly kind: 'upgrade' | 'downgrade' | 'pause' | 'resume';
  readonly hours: number;
  readonly plan: Plan;
  /** The steps that are due by now have not been performed when it comes. */
  readonly early: boolean;
};

const plan = fc.record({ interval: fc.constantFrom(...BILLING_INTERVALS), payInAdvance: fc.boolean() });
const command: fc.Arbitrary<Command> = fc.record({
  kind: fc.constantFrom('upgrade' as const, 'downgrade' as const, 'pause' as const, 'resume' as const),
  // Often less than a day, sometimes months, and none at all.
  hours: fc.oneof(fc.integer({ min: 0, max: 30 }), fc.integer({ min: 0, max: 24 * 70 })),
  plan,
  early: fc.boolean(),
});
const life = fc.record({
  plan,
  billingTime: fc.constantFrom(...BILLING_TIMES),
  zone: fc.constantFrom('UTC', 'Europe/Paris', 'America/St_Johns', 'Pacific/Kiritimati'),
  commands: fc.array(command, { maxLength: 8 }),
  lastHours: fc.integer({ min: 0, max: 24 * 100 }),
});
type GivenLife = typeof life extends fc.Arbitrary<infer T> ? T : never;

interface Row {
  readonly plan: Plan;
  facts: SubscriptionFacts;
  done: DueMoment | null;
}

interface Span {
  readonly from: number;
  readonly to: number;
}

/** The commands and steps of the product, without its record: what is billed of a life. */
class Lived {
  readonly usage: Span[] = [];
  readonly days: number[] = [];
  readonly pauses: { from: number; to: number }[] = [];
  private row: Row;
  private next: Plan | null = null;

  constructor(private readonly given: GivenLife) {
    this.row = this.begin(given.plan, START, false);
  }

  run(): { end: number } {
    let now: number = START;
    for (const one of this.given.commands) {
      now += one.hours * HOUR;
      // A change that is due has happened for a command, performed or not.
      if (!one.early || this.next !== null || this.row.facts.pause !== null) this.performUntil(now);
      this.obey(one, now);
    }
    now += this.given.lastHours * HOUR;
    this.performUntil(now);
    this.next = null;
    this.row.facts = { ...this.row.facts, nextPlan: null, status: 'terminated', endedAt: now };
    this.performUntil(now);
    return { end: now };
  }

  private obey({ kind, plan: wanted }: Command, now: number): void {
    const { facts } = this.row;
    const paused = facts.pause !== null;
    if (kind === 'pause' && !paused && facts.nextPlan === null) {
      this.row.facts = { ...facts, pause: { at: now, resumesAt: null } };
      this.pauses.push({ from: now, to: Infinity });
      this.performUntil(now);
    }
    if (kind === 'resume' && paused) {
      this.row.facts = { ...facts, pause: { at: facts.pause!.at, resumesAt: now } };
      this.pauses.at(-1)!.to = now;
      this.performUntil(now);
    }
    if (kind === 'downgrade' && !paused) {
      this.next = wanted;
      this.row.facts = { ...facts, nextPlan: { at: this.boundaryAfter(now), atOnce: false } };
    }
    if (kind === 'upgrade' && !paused) {
      this.next = wanted;
      this.row.facts = { ...facts, status: 'terminated', endedAt: now, nextPlan: { at: now, atOnce: true } };
      this.performUntil(now);
    }
  }

  private performUntil(now: number): void {
    for (;;) {
      const { facts, done, plan: terms } = this.row;
      const due = nextDueMoment(facts, done, (after) => nextBoundaryAfter(this.calendar(terms), instant(after)));
      if (due === null || due.at > now) return;
      this.perform(due);
      if (due.kind === 'plan_change') this.row = this.begin(this.next!, due.at, true);
      else this.row.done = due;
      if (due.kind === 'plan_change') this.next = null;
    }
  }

  private perform({ kind, at }: DueMoment): void {
    const { facts, done } = this.row;
    switch (kind) {
      // A fee in advance and no usage; only fees in arrears are looked at.
      case 'starting':
        return;
      case 'period_end':
        return this.bill('period', at, false);
      case 'pause':
        return this.bill('end', at, true);
      case 'plan_change':
        return facts.nextPlan!.atOnce ? this.bill('end', at, true) : this.bill('end_on_boundary', at, false);
      case 'ending':
        return done?.kind === 'pause' ? undefined : this.bill('end', at, false);
      case 'resume':
        this.row.facts = { ...facts, pause: null, resumedAt: at };
        return;
      default:
        throw new Error(`No life here comes to a ${kind}`);
    }
  }

  private bill(kind: StepKind, at: number, belongsToWhatFollows: boolean): void {
    const { facts, plan: terms } = this.row;
    const { charges, fee } = stepSpans({
      ...this.calendar(terms),
      kind,
      payInAdvance: terms.payInAdvance,
      billingAt: instant(at),
      startedAt: instant(facts.resumedAt ?? facts.startedAt!),
      billChargesMonthly: false,
      billFixedChargesMonthly: false,
      trialEndsAt: null,
      succeeds: facts.succeeds,
      previousInvoice: null,
    });
    const usageTo = charges === null ? 0 : charges.to - (belongsToWhatFollows ? 1 : 0);
    if (charges !== null && usageTo > charges.from) this.usage.push({ from: charges.from, to: usageTo });
    if (fee === null || terms.payInAdvance) return;
    const last = this.dayOf(fee.to - 1) - (belongsToWhatFollows ? 1 : 0);
    for (let day = this.dayOf(fee.from); day <= last; day += 1) this.days.push(day);
  }

  private begin(terms: Plan, at: number, succeeds: boolean): Row {
    const facts: SubscriptionFacts = {
      status: 'active',
      subscriptionAt: START,
      startedAt: at,
      createdAt: at,
      backdated: false,
      succeeds,
      endsAt: null,
      endedAt: null,
      nextPlan: null,
      pause: null,
      resumedAt: null,
      closedThrough: null,
      payInAdvance: terms.payInAdvance,
      fixedChargesInAdvance: false,
      unitsChangedAt: null,
      trialEndsAt: null,
    };
    return { plan: terms, facts, done: null };
  }

  private boundaryAfter(now: number): number {
    return nextBoundaryAfter(this.calendar(this.row.plan), instant(now));
  }

  private calendar({ interval }: Plan): BillingCalendar {
    return {
      interval,
      billingTime: this.given.billingTime,
      subscriptionAt: START as Instant,
      zone: this.given.zone,
    };
  }

  dayOf(at: number): number {
    return epochDay(localDate(instant(at), this.given.zone));
  }
}

describe('A life', () => {
  it('has its usage billed once, all of it but that of its pauses', () => {
    fc.assert(
      fc.property(life, (given) => {
        const lived = new Lived(given);
        const { end } = lived.run();
        const parts = [...lived.usage, ...lived.pauses.map(({ from, to }) => ({ from, to: Math.min(to, end) }))]
          .filter(({ from, to }) => to > from)
          .sort((a, b) => a.from - b.from);
        let covered: number = START;
        for (const { from, to } of parts) {
          expect(from).toBe(covered);
          covered = to;
        }
        // The instant of a termination belongs to it; one that ends in a pause has nothing there.
        expect([end, end + 1]).toContain(covered);
      }),
      SOME,
    );
  });

  it('in arrears has every local day billed once, except those at whose end it is paused', () => {
    const inArrears = life.map((given) => ({
      ...given,
      plan: { ...given.plan, payInAdvance: false },
      commands: given.commands.map((one) => ({ ...one, plan: { ...one.plan, payInAdvance: false } })),
    }));
    fc.assert(
      fc.property(inArrears, (given) => {
        const lived = new Lived(given);
        const { end } = lived.run();
        const paused = (day: number) =>
          lived.pauses.some(({ from, to }) => lived.dayOf(from) <= day && (to === Infinity || lived.dayOf(to) > day));
        const expected: number[] = [];
        for (let day = lived.dayOf(START); day <= lived.dayOf(end); day += 1) if (!paused(day)) expected.push(day);
        expect([...lived.days].sort((a, b) => a - b)).toEqual(expected);
      }),
      SOME,
    );
  });
});

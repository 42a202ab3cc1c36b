import { Body, Controller, HttpCode, Post } from '@nestjs/common';
import { ApiOkResponse, ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import { type AuthenticatedOrganization, Organization } from '../organizations/index.js';
import { notFound } from '../platform/http/errors.js';
import { currency, dateTime, notYet, text, timezone } from '../platform/http/fields.js';
import { invoicePreviewAnswer, invoicePreviewJson } from './invoice-preview.mapping.js';
import { InvoicePreviews, type PreviewRequest } from './invoice-preview.service.js';

const previewBody = z
  .object({
    customer: z
      .object({
        external_id: text().nullish(),
        name: text().nullish(),
        currency: currency().nullish(),
        timezone: timezone().nullish(),
        tax_codes: z.array(text()).max(50).nullish(),
        integration_customers: notYet(),
      })
      .nullish(),
    plan_code: text().nullish(),
    billing_time: z.enum(['calendar', 'anniversary']).nullish(),
    subscription_at: dateTime().nullish(),
    subscriptions: z
      .object({
        external_ids: z.array(text()).min(1).max(100),
        plan_code: text().nullish(),
        terminated_at: dateTime().nullish(),
      })
      .nullish(),
    coupons: notYet(),
    billing_entity_code: notYet('default'),
  })
  .meta({ id: 'InvoicePreviewInput' });

@ApiTags('invoices')
@Controller('api/v1/invoices')
export class InvoicePreviewController {
  constructor(private readonly previews: InvoicePreviews) {}

  /**
   * The next invoice of stored subscriptions, of their termination or change of plan, or the first one of a subscription
   * that is only thought of. Nothing is stored.
   */
  @Post('preview')
  @HttpCode(200)
  @ApiOkResponse({ standardSchema: z.object({ invoice: invoicePreviewAnswer }) })
  async preview(
    @Organization() { organizationId }: AuthenticatedOrganization,
    @Body({ schema: previewBody }) body: z.infer<typeof previewBody>,
  ) {
    return { invoice: invoicePreviewJson(await this.previews.preview(organizationId, requestOf(body))) };
  }
}

function requestOf({ customer, subscriptions, ...body }: z.infer<typeof previewBody>): PreviewRequest {
  return {
    customer: {
      ...(customer?.external_id != null && { externalId: customer.external_id }),
      ...(customer?.name != null && { name: customer.name }),
      ...(customer?.currency != null && { currency: customer.currency }),
      ...(customer?.timezone != null && { timezone: customer.timezone }),
      ...(customer?.tax_codes != null && { taxCodes: customer.tax_codes }),
    },
    subject: subscriptions ? storedSubject(subscriptions) : newSubject(body),
  };
}

function storedSubject(subscriptions: NonNullable<z.infer<typeof previewBody>['subscriptions']>) {
  return {
    kind: 'subscriptions' as const,
    externalIds: subscriptions.external_ids,
    planCode: subscriptions.plan_code ?? null,
    terminatedAt: subscriptions.terminated_at ?? null,
  };
}

function newSubject(body: Pick<z.infer<typeof previewBody>, 'plan_code' | 'billing_time' | 'subscription_at'>) {
  if (body.plan_code == null) throw notFound('plan');
  return {
    kind: 'new_subscription' as const,
    planCode: body.plan_code,
    billingTime: body.billing_time ?? ('calendar' as const),
    subscriptionAt: body.subscription_at ?? null,
  };
}

import type { SearchAttributeName } from '../platform/temporal/search-attributes.js';

/** Lists of workflows worth looking at in Temporal's web UI, ready to click. */
export function temporalLinks(
  at: { ui: string; namespace: string; organizationId: string },
  customerId: string,
): [string, string][] {
  const attribute = (name: SearchAttributeName) => `\`${name}\``;
  const own = `${attribute('OrganizationId')}="${at.organizationId}"`;
  const list = (query: string) =>
    `${at.ui}/namespaces/${at.namespace}/workflows?query=${encodeURIComponent(`${own} AND ${query}`)}`;
  const running = '`ExecutionStatus`="Running"';
  const inState = (state: string) => list(`${attribute('BillingState')}="${state}" AND ${running}`);
  return [
    ['Every subscription', list(`\`WorkflowType\`="subscription" AND ${running}`)],
    ['In trial', inState('trial')],
    ['In grace (drafts)', inState('draft')],
    ['Being retried', inState('retrying')],
    ['Needs attention', list(`${attribute('NeedsAttention')}=true`)],
    ['One customer', list(`${attribute('CustomerId')}="${customerId}"`)],
  ];
}

/**
 * Every code a client can meet in `code` (405) or inside `error_details` (422). The name is the code, so that a search for
 * what a client saw leads here; a test holds the two together.
 */
export const ERROR_CODES = {
  // About one value of the request.
  value_is_mandatory: 'value_is_mandatory',
  value_already_exist: 'value_already_exist',
  value_is_invalid: 'value_is_invalid',
  value_is_out_of_range: 'value_is_out_of_range',
  value_is_too_long: 'value_is_too_long',
  value_is_too_short: 'value_is_too_short',
  invalid_value: 'invalid_value',
  invalid_date: 'invalid_date',
  invalid_format: 'invalid_format',
  invalid_timezone: 'invalid_timezone',
  invalid_content_type: 'invalid_content_type',
  country_code_invalid: 'country_code_invalid',
  currencies_does_not_match: 'currencies_does_not_match',
  total_amount_exceeds_invoice_amount: 'total_amount_exceeds_invoice_amount',
  url_is_invalid: 'url_is_invalid',
  incompatible_params: 'incompatible_params',
  does_not_match_an_instant_charge: 'does_not_match_an_instant_charge',
  no_events: 'no_events',
  too_many_events: 'too_many_events',
  // About how a metric adds up.
  not_compatible_with_aggregation_type: 'not_compatible_with_aggregation_type',
  invalid_expression: 'invalid_expression',
  expression_evaluation_failed: 'expression_evaluation_failed',
  // About the properties of a charge.
  invalid_amount: 'invalid_amount',
  invalid_rate: 'invalid_rate',
  invalid_fixed_amount: 'invalid_fixed_amount',
  invalid_free_units: 'invalid_free_units',
  invalid_package_size: 'invalid_package_size',
  invalid_free_units_per_events: 'invalid_free_units_per_events',
  invalid_free_units_per_total_aggregation: 'invalid_free_units_per_total_aggregation',
  invalid_graduated_ranges: 'invalid_graduated_ranges',
  missing_graduated_ranges: 'missing_graduated_ranges',
  invalid_graduated_percentage_ranges: 'invalid_graduated_percentage_ranges',
  missing_graduated_percentage_ranges: 'missing_graduated_percentage_ranges',
  invalid_volume_ranges: 'invalid_volume_ranges',
  missing_volume_ranges: 'missing_volume_ranges',
  per_transaction_max_lower_than_per_transaction_min: 'per_transaction_max_lower_than_per_transaction_min',
  // About the state of what the request is for.
  no_active_subscription: 'no_active_subscription',
  subscription_incomplete: 'subscription_incomplete',
  plan_overlapping: 'plan_overlapping',
  invoiceable_fee: 'invoiceable_fee',
  invoiced_fee: 'invoiced_fee',
  subscription_is_paused: 'subscription_is_paused',
  subscription_is_resuming: 'subscription_is_resuming',
  subscription_is_not_paused: 'subscription_is_not_paused',
  plan_change_is_pending: 'plan_change_is_pending',
  no_trial_is_running: 'no_trial_is_running',
  not_voidable: 'not_voidable',
  not_deletable: 'not_deletable',
  invalid_status: 'invalid_status',
  invoices_not_ready_for_payment_processing: 'invoices_not_ready_for_payment_processing',
  payment_processor_is_currently_handling_payment: 'payment_processor_is_currently_handling_payment',
  test_clock_is_advancing: 'test_clock_is_advancing',
} as const;

export type ErrorCode = keyof typeof ERROR_CODES;

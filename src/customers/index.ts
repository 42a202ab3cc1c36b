export { CustomerEntity, type CustomerRow } from './customer.entity.js';
export { customerAnswer, customerJson, customerSlug } from './customer.mapping.js';
export { type CustomerView, customerViews } from './customer-view.js';
export { CustomersController } from './customers.controller.js';
export { CustomersService, findCustomer } from './customers.service.js';
export { newCustomer, nextSequentialId } from './new-customer.js';
export { DraftsOfCustomer, SubscriptionsOfCustomer } from './ports.js';

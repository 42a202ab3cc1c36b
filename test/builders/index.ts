export * from './api.js';
export * from './happenings.js';
export * from './product.js';
export * from './story.js';
export * from './things.js';

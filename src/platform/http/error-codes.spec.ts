import { ERROR_CODES } from './error-codes.js';

describe('the registry of error codes', () => {
  it.each(Object.entries(ERROR_CODES))('%s is its own name', (name, code) => {
    expect(code).toBe(name);
    expect(code).toMatch(/^[a-z]+(_[a-z]+)*$/);
  });
});

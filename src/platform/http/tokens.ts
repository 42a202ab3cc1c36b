/** Injection tokens of what has no class of its own. */
export const CONFIG = 'CONFIG';
export const LOGGER = 'LOGGER';
export const READINESS_PROBES = 'READINESS_PROBES';

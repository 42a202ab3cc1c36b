import { SetMetadata } from '@nestjs/common';

/** Metadata key of routes without an API key; the guard reads it. */
export const OPEN = 'billow.open';

/** A route without an API key: health, documentation, what has a token of its own. */
export const WithoutApiKey = () => SetMetadata(OPEN, true);

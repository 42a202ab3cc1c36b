import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { DocumentBuilder, type OpenAPIObject, SwaggerModule } from '@nestjs/swagger';
import { z } from 'zod';
import { eventAnswer } from './ingestion/event.mapping.js';

/** `/openapi.json` (OpenAPI 3.1, from the routes and their schemas) and a page to browse it at `/docs`. */
export function serveOpenApi(app: NestFastifyApplication): void {
  let document: OpenAPIObject | undefined;
  SwaggerModule.setup('docs', app, () => (document ??= openApiDocument(app)), {
    jsonDocumentUrl: 'openapi.json',
    raw: ['json'],
    customSiteTitle: 'Billow API',
    swaggerOptions: { persistAuthorization: true, displayRequestDuration: true },
  });
}

export function openApiDocument(app: NestFastifyApplication): OpenAPIObject {
  const description = new DocumentBuilder()
    .setOpenAPIVersion('3.1.0')
    .setTitle('Billow')
    .setDescription(
      "Usage billing. The API speaks Lago's shapes, so Lago's clients work against it. Every creation answers 200; " +
        'every error has a status, an error and, where there is more to say, a code and error_details.',
    )
    .setVersion('1')
    .addBearerAuth({ type: 'http', description: 'The API key of an organization' }, 'api_key')
    .addBearerAuth({ type: 'http', description: 'The admin token of the server' }, 'admin')
    .addSecurityRequirements('api_key')
    .build();
  const document = SwaggerModule.createDocument(app, description, {
    standardSchemaConverter: (schema, { schemaType }) =>
      schema instanceof z.ZodType ? convert(schema, schemaType) : undefined,
    operationIdFactory: (controller, method) => `${controller.replace(/Controller$/, '')}_${method}`,
  });
  addEventIngestion(document);
  addProblems(document);
  nameListsWithBrackets(document);
  return document;
}

interface Converted {
  readonly schema: Record<string, unknown>;
  readonly components: Record<string, Record<string, unknown>>;
}

function convert(schema: z.ZodType, io: 'input' | 'output'): Converted {
  const {
    $defs,
    $schema: _,
    ...root
  } = z.toJSONSchema(schema, {
    target: 'draft-2020-12',
    io,
    unrepresentable: 'any',
    // Answers may grow fields; a client that refuses them would break with the next version.
    override: ({ jsonSchema }) => {
      if (jsonSchema.additionalProperties === false) delete jsonSchema.additionalProperties;
    },
  });
  return { schema: root, components: ($defs ?? {}) as Converted['components'] };
}

const event = z
  .object({
    transaction_id: z.string().min(1).max(1024),
    code: z.string().min(1).max(255),
    external_subscription_id: z.string().max(255).optional(),
    timestamp: z
      .union([z.number(), z.string()])
      .optional()
      .meta({ description: 'Unix seconds, with a fraction if need be; the time of receipt when absent' }),
    properties: z.record(z.string(), z.unknown()).optional(),
    precise_total_amount_cents: z.union([z.string(), z.number()]).optional(),
  })
  .meta({ id: 'EventInput' });
const eventBody = z.object({ event });
const eventsBody = z.object({ events: z.array(event).min(1).max(100) });

/** The two ingest routes are plain Fastify routes, which Nest does not see. */
function addEventIngestion(document: OpenAPIObject): void {
  const add = (path: string, summary: string, operationId: string, body: z.ZodType, answer: z.ZodType) => {
    const input = convert(body, 'input');
    const output = convert(answer, 'output');
    const schemas = (document.components!.schemas ??= {});
    Object.assign(schemas, rewritten(input.components), rewritten(output.components));
    const content = (schema: unknown) => ({ 'application/json': { schema: rewritten(schema) } });
    document.paths[path] = {
      ...document.paths[path],
      post: {
        operationId,
        summary,
        tags: ['events'],
        requestBody: { required: true, content: content(input.schema) },
        responses: { 200: { description: 'On disk in the log.', content: content(output.schema) } },
      },
    } as OpenAPIObject['paths'][string];
  };
  add('/api/v1/events', 'Send one event', 'Events_create', eventBody, z.object({ event: eventAnswer }));
  add(
    '/api/v1/events/batch',
    'Send up to 100 events, all or nothing',
    'Events_createBatch',
    eventsBody,
    z.object({ events: z.array(eventAnswer) }),
  );
}

function rewritten<T>(schema: T): T {
  return JSON.parse(JSON.stringify(schema).replaceAll('#/$defs/', '#/components/schemas/')) as T;
}

const problem = z.object({
  status: z.int(),
  error: z.string(),
  code: z.string().optional(),
  error_details: z
    .record(z.string(), z.unknown())
    .optional()
    .meta({ description: 'Codes by field; of a batch, by position and then by field' }),
});

const PROBLEMS: Record<number, string> = {
  400: 'The root key is missing, or the body is no JSON.',
  401: 'The key is missing or wrong.',
  404: 'Not found, or it belongs to another organization.',
  405: 'Its state does not allow it.',
  422: 'A value is refused; error_details names it.',
  503: 'A server behind this one does not answer; come back after Retry-After seconds.',
};

function addProblems(document: OpenAPIObject): void {
  const components = document.components!;
  components.schemas!['Problem'] = convert(problem, 'output').schema;
  for (const [path, item] of Object.entries(document.paths)) {
    if (path.startsWith('/health')) continue;
    for (const operation of Object.values(item as Record<string, { responses?: Record<string, unknown> }>)) {
      if (!operation.responses) continue;
      for (const [status, description] of Object.entries(PROBLEMS)) {
        operation.responses[status] ??= {
          description,
          content: { 'application/json': { schema: { $ref: '#/components/schemas/Problem' } } },
        };
      }
    }
  }
}

interface QueryParameter {
  in: string;
  name: string;
  schema?: { type?: string; anyOf?: { type?: string }[] };
}

/** Lists in a query are written `status[]=active&status[]=pending`. */
function nameListsWithBrackets(document: OpenAPIObject): void {
  for (const item of Object.values(document.paths)) {
    for (const operation of Object.values(item as Record<string, { parameters?: QueryParameter[] }>)) {
      for (const parameter of operation.parameters ?? []) {
        const { type, anyOf } = parameter.schema ?? {};
        const isList = type === 'array' || anyOf?.some((option) => option.type === 'array');
        if (parameter.in === 'query' && isList) parameter.name = `${parameter.name}[]`;
      }
    }
  }
}

import { applyDecorators, Delete, Get, HttpCode, Patch, Post, Put } from '@nestjs/common';
import { ApiOkResponse } from '@nestjs/swagger';
import { z } from 'zod';
import { metaSchema } from './pagination.js';

/** The kinds of route. All answer 200, creation too, and say in the document what they answer. */

export function CreateRoute(path: string, root: string, answer: z.ZodType): MethodDecorator {
  return applyDecorators(Post(path), HttpCode(200), ok(z.object({ [root]: answer })));
}

export function ReadRoute(path: string, root: string, answer: z.ZodType): MethodDecorator {
  return applyDecorators(Get(path), ok(z.object({ [root]: answer })));
}

export function ListRoute(path: string, root: string, answer: z.ZodType): MethodDecorator {
  return applyDecorators(Get(path), ok(z.object({ [root]: z.array(answer), meta: metaSchema })));
}

export function UpdateRoute(path: string, root: string, answer: z.ZodType): MethodDecorator {
  return applyDecorators(Put(path), ok(z.object({ [root]: answer })));
}

export function PatchRoute(path: string, root: string, answer: z.ZodType): MethodDecorator {
  return applyDecorators(Patch(path), ok(z.object({ [root]: answer })));
}

export function DeleteRoute(path: string, root: string, answer: z.ZodType): MethodDecorator {
  return applyDecorators(Delete(path), ok(z.object({ [root]: answer })));
}

function ok(schema: z.ZodType): MethodDecorator {
  return ApiOkResponse({ standardSchema: schema });
}

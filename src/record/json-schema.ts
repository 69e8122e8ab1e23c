import * as z from 'zod'
import { recordSchema } from './schema.js'

/** `schemas/record.schema.json`: the record's schema as JSON Schema 2020-12, indented, ending with a newline. */
export function recordSchemaText(): string {
  return `${JSON.stringify(z.toJSONSchema(recordSchema), null, 2)}\n`
}

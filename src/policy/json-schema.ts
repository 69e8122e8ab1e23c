import * as z from 'zod'
import { policySchema } from './schema.js'

/** `schemas/policy.schema.json`: the policy document as JSON Schema 2020-12, indented, ending with a newline. */
export function policySchemaText(): string {
  return `${JSON.stringify({ title: 'Portcullis policy', ...z.toJSONSchema(policySchema) }, null, 2)}\n`
}

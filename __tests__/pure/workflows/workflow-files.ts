import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { load } from 'js-yaml'
import { z } from 'zod'

const WORKFLOWS = '.github/workflows'

const permissions = z.record(z.string(), z.enum(['read', 'write', 'none']))
const step = z.strictObject({
  name: z.string(),
  id: z.string().optional(),
  if: z.string().optional(),
  uses: z.string().optional(),
  with: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])).optional(),
  run: z.string().optional(),
  env: z.record(z.string(), z.string()).optional(),
  'continue-on-error': z.boolean().optional(),
})
const job = z.strictObject({
  name: z.string(),
  needs: z.union([z.string(), z.array(z.string())]).optional(),
  'runs-on': z.literal('ubuntu-24.04'),
  'timeout-minutes': z.number().int().max(120),
  environment: z.string().optional(),
  permissions,
  env: z.record(z.string(), z.string()).optional(),
  steps: z.array(step).min(1),
})
const workflow = z.strictObject({
  name: z.string(),
  on: z.record(z.string(), z.unknown()),
  permissions,
  concurrency: z.strictObject({
    group: z.string(),
    'cancel-in-progress': z.union([z.boolean(), z.string()]),
  }),
  jobs: z.record(z.string(), job),
})

export type Workflow = z.infer<typeof workflow>
export type Step = z.infer<typeof step>

export interface WorkflowFile {
  readonly path: string
  readonly text: string
}

/** Every workflow of the repository, as text. Throws when the folder is missing. */
export function workflowFiles(): WorkflowFile[] {
  return readdirSync(WORKFLOWS)
    .sort()
    .map(name => join(WORKFLOWS, name))
    .map(path => ({ path, text: readFileSync(path, 'utf8') }))
}

/** One workflow as the shape the house allows: named jobs on a fixed runner, with time limits and rights of their own. */
export function parseWorkflow(file: WorkflowFile): Workflow {
  return workflow.parse(load(file.text, { filename: file.path }))
}

/** All steps of all jobs. */
export function stepsOf(parsed: Workflow): Step[] {
  return Object.values(parsed.jobs).flatMap(({ steps }) => steps)
}

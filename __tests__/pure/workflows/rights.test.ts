import { readFileSync } from 'node:fs'
import { load } from 'js-yaml'
import { z } from 'zod'
import { parseWorkflow, stepsOf, workflowFiles } from './workflow-files.js'
import type { Step } from './workflow-files.js'

const files = workflowFiles().map(file => ({ path: file.path, workflow: parseWorkflow(file) }))

/** What each job may do; a new right needs a change here. */
const GRANTED = {
  '.github/workflows/check-dist.yml dist': { contents: 'read' },
  '.github/workflows/ci.yml demo': { contents: 'read' },
  '.github/workflows/ci.yml test': { contents: 'read' },
  '.github/workflows/release.yml publish': { contents: 'write' },
  '.github/workflows/release.yml verify': { contents: 'read', checks: 'read' },
  '.github/workflows/self-test.yml action': { contents: 'read' },
}

function stepsUsing(action: string, steps: readonly Step[]): Step[] {
  return steps.filter(({ uses }) => uses?.startsWith(`${action}@`) === true)
}

describe('the rights of our workflows', () => {
  it('are nothing at the top and the least for each job', () => {
    expect(files.filter(({ workflow }) => Object.keys(workflow.permissions).length > 0)).toEqual([])
    const granted = files.flatMap(({ path, workflow }) =>
      Object.entries(workflow.jobs).map(([id, job]) => [`${path} ${id}`, job.permissions]),
    )
    expect(Object.fromEntries(granted)).toEqual(GRANTED)
  })

  it.each(files)('$path runs only on pushes and pull requests', ({ workflow }) => {
    expect(Object.keys(workflow.on).filter(event => event !== 'push' && event !== 'pull_request')).toEqual([])
  })

  it.each(files)('$path keeps no credentials and restores no caches', ({ workflow }) => {
    const steps = stepsOf(workflow)
    for (const { with: given } of stepsUsing('actions/checkout', steps)) {
      expect(given).toMatchObject({ 'persist-credentials': false })
    }
    for (const { with: given } of stepsUsing('actions/setup-node', steps)) {
      expect(given).toMatchObject({ 'package-manager-cache': false })
      expect(given).not.toHaveProperty('cache')
    }
    for (const { with: given } of stepsUsing('actions/setup-go', steps)) {
      expect(given).toMatchObject({ cache: false })
    }
  })

  it.each(files)('$path puts no expression into a script', ({ workflow }) => {
    expect(stepsOf(workflow).filter(({ run }) => run?.includes('${{') === true)).toEqual([])
  })

  it('the job that may write runs no code of the repository', () => {
    const release = files.find(({ path }) => path.endsWith('release.yml'))
    const publish = release?.workflow.jobs['publish']
    expect(publish?.needs).toBe('verify')
    expect(publish?.steps.filter(({ uses }) => uses !== undefined)).toEqual([])
    expect(publish?.steps.filter(({ run }) => /\b(node|npm|bash|sh) /.test(run ?? ''))).toEqual([])
  })
})

describe('dependabot', () => {
  const schema = z.object({
    updates: z.array(
      z.object({ 'package-ecosystem': z.string(), cooldown: z.object({ 'default-days': z.number() }) }),
    ),
  })

  it('waits at least a week in every ecosystem', () => {
    const { updates } = schema.parse(load(readFileSync('.github/dependabot.yml', 'utf8')))
    expect(updates.map(update => update['package-ecosystem'])).toEqual(['github-actions', 'npm', 'gomod'])
    expect(updates.filter(update => update.cooldown['default-days'] < 7)).toEqual([])
  })
})

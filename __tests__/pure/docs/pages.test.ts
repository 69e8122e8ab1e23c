import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { load } from 'js-yaml'
import { z } from 'zod'
import { RULE_IDS } from '../../../src/policy/rule-ids.js'
import { policySchema } from '../../../src/policy/schema.js'

const PAGES = [
  ...readdirSync('.').filter(name => name.endsWith('.md')),
  ...readdirSync('docs')
    .filter(name => name.endsWith('.md'))
    .map(name => join('docs', name)),
].map(path => ({ path, text: readFileSync(path, 'utf8') }))

const readme = readFileSync('README.md', 'utf8')

function blocks(text: string, language: string): string[] {
  return [...text.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)]
    .filter(match => match[1] === language)
    .map(match => match[2] ?? '')
}

function anchor(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\w\- ]/g, '')
    .replaceAll(' ', '-')
}

function anchors(text: string): string[] {
  return [...text.matchAll(/^#+ (.+)$/gm)].map(match => anchor(match[1] ?? ''))
}

function linkProblem(page: string, link: string): string[] {
  const [target = '', fragment] = link.split('#')
  const file = target === '' ? page : join(dirname(page), target)
  if (!existsSync(file)) return [`${link}: no such file`]
  if (fragment === undefined || anchors(readFileSync(file, 'utf8')).includes(fragment)) return []
  return [`${link}: no such heading`]
}

describe('the pages', () => {
  it.each(PAGES)('$path links to what exists', ({ path, text }) => {
    const links = [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(match => match[1] ?? '')
    const own = links.filter(link => !/^https:/.test(link))
    expect(own.flatMap(link => linkProblem(path, link))).toEqual([])
  })

  it.each(PAGES)('$path has no place for an address of ours to be invented', ({ text }) => {
    expect(text).not.toMatch(/[\w.]+@[\w-]+\.(com|org|dev|io)\b/)
  })
})

describe('the README', () => {
  it('shows a policy that is one', () => {
    const policies = blocks(readme, 'yaml').filter(text => text.includes('kind: ImagePolicy'))
    expect(policies).toHaveLength(1)
    expect(policies.map(text => policySchema.safeParse(load(text)).error?.issues ?? [])).toEqual([[]])
  })

  it('names every rule with its mode in the profile recommended', () => {
    const profile = z
      .object({ rules: z.record(z.string(), z.object({ mode: z.string() })) })
      .parse(load(readFileSync('src/policy/profiles/recommended.yaml', 'utf8')))
    const rows = [...readme.matchAll(/^\| `([a-z]+\.[a-z]+)` \| (\w+) \|/gm)].map(([, id, mode]) => [
      id,
      mode,
    ])
    expect(Object.fromEntries(rows)).toEqual(
      Object.fromEntries(RULE_IDS.map(id => [id, profile.rules[id]?.mode])),
    )
    expect(rows).toHaveLength(RULE_IDS.length)
  })

  it('shows a workflow with least rights and pinned actions', () => {
    const workflows = blocks(readme, 'yaml').filter(text => text.includes('runs-on:'))
    expect(workflows).toHaveLength(1)
    for (const text of workflows) {
      expect(text).toContain('permissions: {}')
      expect(text).toContain('persist-credentials: false')
      const foreign = [...text.matchAll(/uses: (\S+)/g)].map(match => match[1] ?? '')
      expect(foreign.filter(uses => !/@[0-9a-f]{40}$/.test(uses))).toEqual(['OWNER/portcullis@COMMIT'])
    }
  })
})

describe('the page of dependencies', () => {
  it('has a row for each package there is, and for no other', () => {
    const names = z.record(z.string(), z.string())
    const { dependencies, devDependencies } = z
      .object({ dependencies: names, devDependencies: names })
      .parse(JSON.parse(readFileSync('package.json', 'utf8')))
    const page = readFileSync('docs/dependencies.md', 'utf8')
    const rows = [...page.matchAll(/^\| `([^`]+)` \|/gm)].map(match => match[1])
    expect(rows).toEqual([...Object.keys(dependencies).sort(), ...Object.keys(devDependencies).sort()])
  })
})

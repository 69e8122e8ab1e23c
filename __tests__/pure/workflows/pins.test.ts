import { readFileSync } from 'node:fs'
import { parseWorkflow, stepsOf, workflowFiles } from './workflow-files.js'

const PINNED = /^\s*(?:- )?uses: ([\w.-]+\/[\w./-]+)@([0-9a-f]{40}) # (v\d+\.\d+\.\d+)$/
const LOCAL = /^\s*(?:- )?uses: \.\/\S*(?: # zizmor: ignore\[self-repository\])?$/
const LISTED =
  /^\| `([\w.-]+\/[\w./-]+)` \| (v\d+\.\d+\.\d+) \| `([0-9a-f]{40})` \| node24 \| \d{4}-\d\d-\d\d \|$/gm

interface Problem {
  readonly line: string
  readonly why: string
}

function usesLines(text: string): string[] {
  return text.split('\n').filter(line => /\buses\s*:/.test(line) && !/^\s*#/.test(line))
}

function listedPins(page: string): Set<string> {
  return new Set([...page.matchAll(LISTED)].map(([, action, version, sha]) => `${action}@${sha} ${version}`))
}

function checkUses(text: string, listed: ReadonlySet<string>): Problem[] {
  return usesLines(text).flatMap(line => {
    if (LOCAL.test(line)) return []
    const pin = PINNED.exec(line)
    if (pin === null) return [{ line, why: 'not a full commit with its version' }]
    return listed.has(`${pin[1]}@${pin[2]} ${pin[3]}`) ? [] : [{ line, why: 'not in docs/actions-pins.md' }]
  })
}

const files = workflowFiles()
const listed = listedPins(readFileSync('docs/actions-pins.md', 'utf8'))

describe('the actions our workflows use', () => {
  it('are in four workflows and a list', () => {
    expect(files.map(({ path }) => path)).toEqual([
      '.github/workflows/check-dist.yml',
      '.github/workflows/ci.yml',
      '.github/workflows/release.yml',
      '.github/workflows/self-test.yml',
    ])
    expect(listed.size).toBeGreaterThan(0)
  })

  it.each(files)('$path pins each by a listed commit', file => {
    expect(checkUses(file.text, listed)).toEqual([])
    const used = stepsOf(parseWorkflow(file)).filter(({ uses }) => uses !== undefined)
    expect(usesLines(file.text)).toHaveLength(used.length)
  })

  it('are all in use: the list holds nothing else', () => {
    const text = files.map(file => file.text).join('\n')
    const unused = [...listed].filter(pin => !text.includes(pin.replace(' ', ' # ')))
    expect(unused).toEqual([])
  })

  it.each([
    ['a tag', 'uses: actions/checkout@v7'],
    ['a branch', 'uses: actions/checkout@main'],
    ['a short commit', 'uses: actions/checkout@3d3c42e # v7.0.1'],
    ['no version', 'uses: actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1'],
    ['a major version alone', 'uses: actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7'],
    ['another version', 'uses: actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.0'],
    ['another action', 'uses: actions/cache@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1'],
    ['a commit not listed', `uses: actions/checkout@${'0'.repeat(40)} # v7.0.1`],
    ['an image', 'uses: docker://alpine:3.20'],
    ['quotes', 'uses: "actions/checkout@v7"'],
    ['space before the colon', '- uses : actions/checkout@v7'],
  ])('refuses %s', (_, line) => {
    expect(checkUses(line, listed)).toHaveLength(1)
  })

  it.each(['      uses: ./', '      - uses: ./.github/actions/x'])(
    'takes what is in the repository: %s',
    line => {
      expect(checkUses(line, listed)).toEqual([])
    },
  )
})

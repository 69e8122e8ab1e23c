import { readFileSync } from 'node:fs'
import { load } from 'js-yaml'
import { z } from 'zod'
import { OUTPUTS } from '../../src/outputs.js'
import { INPUTS } from '../../src/request.js'

const entry = z.strictObject({
  description: z.string(),
  required: z.boolean().optional(),
  default: z.string().optional(),
})
const action = z
  .strictObject({
    name: z.string(),
    description: z.string().max(125),
    author: z.string(),
    branding: z.unknown(),
    inputs: z.record(z.string(), entry),
    outputs: z.record(z.string(), z.strictObject({ description: z.string() })),
    runs: z.strictObject({ using: z.string(), main: z.string(), post: z.string() }),
  })
  .parse(load(readFileSync('action.yml', 'utf8')))

/** Rows `| \`name\` | … |` under a heading of the README: name and the further cells. */
function rowsUnder(heading: string): readonly (readonly string[])[] {
  const section = readFileSync('README.md', 'utf8')
    .split(/^## /m)
    .find(text => text.startsWith(`${heading}\n`))
  return [...(section ?? '').matchAll(/^\| `([^`]+)` \|(.*)\|$/gm)].map(([, name = '', rest = '']) => [
    name,
    ...rest.split('|').map(cell => cell.trim()),
  ])
}

describe('inputs', () => {
  it('of action.yml are those that are read: names, defaults, descriptions, in order', () => {
    const described = INPUTS.map(input => {
      const description = input.available ? input.description : `${input.description} Not available yet.`
      const given = input.default === undefined ? {} : { default: input.default }
      return [input.name, { description, required: input.name === 'image', ...given }]
    })
    expect(Object.entries(action.inputs)).toEqual(described)
  })

  it('of the README are those that are read', () => {
    const rows = INPUTS.map(input => {
      const value = input.default === undefined ? '' : `\`${input.default}\``
      const only = input.values?.length === 1 ? ` Only \`${input.values.join()}\` in this version.` : ''
      const later = input.available ? only : ' Not available yet.'
      return [input.name, input.name === 'image' ? 'required' : value, `${input.description}${later}`]
    })
    expect(rowsUnder('Inputs')).toEqual(rows)
  })

  it('have names that a flag and a variable of the runner can have, each once', () => {
    const names = INPUTS.map(input => input.name)
    expect(new Set(names).size).toBe(names.length)
    for (const name of names) expect(name).toMatch(/^[a-z]+(-[a-z]+)*$/)
  })

  it('have a default that is one of their values', () => {
    for (const { values, default: value } of INPUTS) {
      if (values !== undefined && value !== undefined) expect(values).toContain(value)
    }
  })
})

describe('outputs', () => {
  it('of action.yml are those that are written: names, descriptions, in order', () => {
    const described = Object.entries(OUTPUTS).map(([name, description]) => [name, { description }])
    expect(Object.entries(action.outputs)).toEqual(described)
  })

  it('of the README are those that are written', () => {
    expect(rowsUnder('Outputs')).toEqual(Object.entries(OUTPUTS))
  })
})

it('runs on the Node that the runner has', () => {
  expect(action.runs).toEqual({ using: 'node24', main: 'dist/index.cjs', post: 'dist/post.cjs' })
})

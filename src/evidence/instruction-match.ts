import type { DockerfileInstruction } from './evidence.js'
import { spaced } from './history-entry.js'
import type { NotedStep } from './history-entry.js'

/** Instructions that change files. */
export const MAKES_LAYER: ReadonlySet<string> = new Set(['RUN', 'COPY', 'ADD', 'WORKDIR'])

// A program and its options up to the one that takes a command: /bin/sh -c, /bin/bash -o pipefail -c, cmd /S /C.
const SHELL = /^\S+(?: -[oO] \w+| (?!-[a-z]*c )[-/]\S+){0,8} (?:-[a-z]*c|\/[cC]|-Command)$/
const VARIABLE = /\$(?:\{[^{}]*\}|[A-Za-z_][A-Za-z0-9_]*)/
const HEREDOC = /<<-?\s*["']?[A-Za-z0-9_.]/

/**
 * Whether a builder that ran this instruction can have noted this step. What changes files must agree in its text, as
 * far as builders tell it (sources of COPY are not told by all, variables are put in place, heredocs are noted in
 * their own ways); everything else in its keyword alone.
 */
export function isStepOf(step: NotedStep, instruction: DockerfileInstruction): boolean {
  const { keyword } = instruction
  if (step.keyword !== keyword) return false
  if (keyword === 'RUN') return isRun(step.text, instruction.arguments)
  if (keyword === 'COPY' || keyword === 'ADD') return isCopy(step, instruction.arguments)
  if (keyword === 'WORKDIR') return isFolder(step.text, unquoted(spaced(instruction.arguments)))
  return true
}

function isRun(noted: string, written: string): boolean {
  if (HEREDOC.test(written)) return true
  const plain = spaced(written)
  const words = jsonWords(plain)
  if (words !== undefined && (noted === words || (noted.startsWith('|') && noted.endsWith(` ${words}`))))
    return true
  if (!noted.endsWith(` ${plain}`)) return noted === plain
  const before = noted.slice(0, -plain.length - 1)
  // `|2 A=b C=d e /bin/sh -c` with the values of build arguments, which may be anything.
  const shell = before.startsWith('|') ? before.slice(before.lastIndexOf(' /') + 1) : before
  return SHELL.test(shell)
}

function isCopy(step: NotedStep, written: string): boolean {
  const words = unquoted(withoutFlags(jsonWords(spaced(written)) ?? spaced(written)))
  const noted = unquoted(withoutFlags(step.destination ?? step.text))
  if (HEREDOC.test(words)) return isHeredocCopy(noted, words.replaceAll('<<-', '<<'))
  return fits(noted, step.destination === undefined ? words : words.slice(words.lastIndexOf(' ') + 1))
}

/** What is written goes on with the documents themselves. */
function isHeredocCopy(noted: string, written: string): boolean {
  return VARIABLE.test(written) || written.startsWith(`${noted} `) || written.includes(` ${noted} `)
}

/** BuildKit and the classic builder note the whole path, buildah the one that is written. */
function isFolder(noted: string, written: string): boolean {
  const trim = (path: string): string => path.replace(/(?<=.)\/+$/, '')
  const [path, wanted] = [trim(unquoted(noted)), trim(written)]
  return (
    fits(path, wanted) || (!/^[/$]/.test(wanted) && fits(path, `$base/${wanted.replace(/^(?:\.\/)+/, '')}`))
  )
}

/** Equal, with any text in place of each variable. */
function fits(noted: string, written: string): boolean {
  if (noted === written) return true
  const parts = written.split(new RegExp(VARIABLE, 'g'))
  if (parts.length === 1) return false
  const last = parts.pop() ?? ''
  let at = 0
  for (const [index, part] of parts.entries()) {
    const found = noted.indexOf(part, at)
    if (found === -1 || (index === 0 && found !== 0)) return false
    at = found + part.length
  }
  return noted.length - last.length >= at && noted.endsWith(last)
}

/** The JSON form as its words, as builders note it. */
function jsonWords(text: string): string | undefined {
  if (!text.startsWith('[')) return undefined
  try {
    const words: unknown = JSON.parse(text)
    if (Array.isArray(words) && words.every(word => typeof word === 'string')) return spaced(words.join(' '))
  } catch {
    return undefined
  }
  return undefined
}

function withoutFlags(text: string): string {
  return text.replace(/^(?:--\S+ )+/, '')
}

function unquoted(text: string): string {
  return text.replace(/["']/g, '')
}

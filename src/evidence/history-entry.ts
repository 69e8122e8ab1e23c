import type { HistoryEntry } from './subject.js'

/** One entry of an image's history as the Dockerfile instruction that a builder noted there. */
export interface NotedStep {
  /** Upper case; RUN where the entry is a bare command. '' when it notes nothing. */
  readonly keyword: string
  /** What follows the keyword, without the builder's own additions; white space is one space. */
  readonly text: string
  /** All that Docker's classic builder and buildah tell about COPY and ADD. */
  readonly destination?: string
}

const NO_OPERATION = /^(?:\|[0-9]+ .*?)?\S+(?: \S+){0,8}? #\(nop\)\s+/s
const KEYWORD =
  /^(RUN|COPY|ADD|WORKDIR|ENV|LABEL|CMD|ENTRYPOINT|USER|EXPOSE|VOLUME|STOPSIGNAL|HEALTHCHECK|SHELL|ONBUILD|MAINTAINER|ARG)(?: |$)/
const COPIED = /^.*? in (.+)$/s

/**
 * Reads `created_by` as BuildKit (`COPY a /b # buildkit`), Docker's classic builder and buildah
 * (`/bin/sh -c #(nop) COPY file:… in /b`) write it. Anything else is the text of a RUN.
 */
export function readHistoryEntry(entry: HistoryEntry): NotedStep {
  const text = entry.createdBy.replace(/ # buildkit$/, '').trim()
  if (text === '') return { keyword: '', text: '' }
  const nop = NO_OPERATION.exec(text)
  const rest = nop === null ? text : text.slice(nop[0].length)
  const keyword = KEYWORD.exec(rest)?.[1]
  if (keyword === undefined)
    return nop === null ? { keyword: 'RUN', text: spaced(text) } : { keyword: '', text: '' }
  const said = spaced(rest.slice(keyword.length))
  if (nop === null || (keyword !== 'COPY' && keyword !== 'ADD')) return { keyword, text: said }
  const destination = COPIED.exec(said)?.[1]
  return destination === undefined ? { keyword: '', text: '' } : { keyword, text: said, destination }
}

/** The text with every run of white space as one space. */
export function spaced(text: string): string {
  return text.replace(/\s+/g, ' ').trim()
}

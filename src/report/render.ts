import { GateError } from '../errors.js'
import type { RunRecord } from '../record/record.js'
import { renderAnnotations, type Annotation } from './annotations.js'
import { visible } from './markdown.js'
import { renderSummary } from './summary.js'
import { renderTerminal } from './terminal.js'

/** Formats of `portcullis report`. */
export const REPORT_FORMATS = ['json', 'summary', 'annotations', 'terminal'] as const
export type ReportFormat = (typeof REPORT_FORMATS)[number]

/**
 * One record in one format, whole, ending with a newline. Refuses any other format as GateError config
 * `report-format`. Whatever the record holds, no line of any format is a command to a terminal or to a runner.
 */
export function renderReport(record: RunRecord, format: string): string {
  const known = REPORT_FORMATS.find(name => name === format)
  switch (known) {
    case 'json':
      return recordText(record)
    case 'summary':
      return renderSummary(record)
    case 'annotations':
      return renderAnnotations(record)
        .map(annotation => `${annotationLine(annotation)}\n`)
        .join('')
    case 'terminal':
      return `${renderTerminal(record)}\n`
    case undefined: {
      const message = `The format '${visible(format, 60)}' is not known. There are: ${REPORT_FORMATS.join(', ')}.`
      throw new GateError('config', { reason: 'report-format', message })
    }
  }
}

/** `LEVEL file:line title: message` on one line, in that order. */
function annotationLine(annotation: Annotation): string {
  const { level, file, line, title, message } = annotation
  const place = file === undefined ? '' : ` ${file}:${line ?? 1}`
  return `${level}${place} ${title}: ${message.split('\n').join('; ')}`
}

/**
 * The record as JSON, indented by two, ending with a newline. Control, format and bidirectional characters and
 * `##[`, which a runner would take for a command, are written as JSON escapes: the value stays the same.
 */
export function recordText(record: RunRecord): string {
  const text = `${JSON.stringify(record, null, 2)}\n`
  if (!/[^\n\x20-\x7e]|##\[/.test(text)) return text
  return text
    .replaceAll('##[', '#\\u0023[')
    .replace(/[^\n\x20-\x7e\p{L}\p{N}\p{P}\p{S}\p{M} ]/gu, character =>
      Array.from({ length: character.length }, (_, at) => escapeUnit(character.charCodeAt(at))).join(''),
    )
}

function escapeUnit(unit: number): string {
  return `\\u${unit.toString(16).padStart(4, '0')}`
}

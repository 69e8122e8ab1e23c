import { join } from 'node:path'
import { describeError, GateError } from '../errors.js'
import { hideSecrets } from '../evidence/exposed.js'
import { PROJECT_URI } from '../evidence/project.js'
import { countFindings, countPackages, countSecretSearch, endingOf, sbomScores } from '../record/assemble.js'
import { evidenceDocument } from '../record/evidence-document.js'
import { RECORD_SCHEMA, type Problem, type RunRecord } from '../record/record.js'
import { parseRecord } from '../record/parse.js'
import { recordText } from '../report/render.js'
import { renderSummary } from '../report/summary.js'
import { subjectText } from '../request.js'
import { programVersion } from '../version.js'
import { openReportFolder, writeWhole } from '../tools/report-folder.js'
import { factsOf } from '../tools/tool-set.js'
import { writeSeal } from './seal.js'
import { foreignFolders, reportFolder, type Facts, type GateRun } from './run.js'
import { problemOf, runStage, StageFailed, type RunLog } from './run-log.js'

/**
 * Stages 9 and 10: writes evidence, record and summary, then shows them.
 * A record that cannot be written makes the run incomplete; a surface that cannot be written is a warning.
 */
export async function finishRun(run: GateRun, log: RunLog, facts: Facts): Promise<RunRecord> {
  const { services } = run
  const reportDir = reportFolder(run, facts)
  const quiet = { ...services, signal: new AbortController().signal }
  try {
    await runStage(log, quiet, { stage: 'record', work: () => writeRecord(run, log, facts, reportDir) })
  } catch (thrown) {
    if (!(thrown instanceof StageFailed)) log.problems.push(problemOf('record', thrown))
  }
  const record = assemble(run, log, facts)
  try {
    await run.surfaces(record, reportDir)
    return record
  } catch (thrown) {
    const warning = `The report could not be shown: ${describeError(thrown)}`
    services.progress.note(warning)
    return thrown instanceof GateError
      ? { ...record, warnings: [...record.warnings, warning] }
      : crashed(record, thrown)
  }
}

function crashed(record: RunRecord, thrown: unknown): RunRecord {
  const problems: readonly Problem[] = [...record.problems, problemOf('publish', thrown)]
  const ending = endingOf({ verdict: record.verdict, problems, release: record.release })
  return { ...record, problems, ...ending }
}

async function writeRecord(
  run: GateRun,
  log: RunLog,
  facts: Facts,
  reportDir: string,
): Promise<{ readonly value: null; readonly detail: string }> {
  try {
    await openReportFolder(reportDir, foreignFolders(run, facts))
    const write = (name: string, text: string): Promise<void> => writeWhole(join(reportDir, name), text)
    if (facts.evidence) await write('evidence.json', evidenceDocument(facts.evidence).text)
    const record = assemble(run, log, facts)
    await write('summary.md', renderSummary(record))
    await write('portcullis.json', recordText(record))
    const sealed = await sealPassed(run, facts, { record, reportDir })
    return { value: null, detail: sealed ? 'portcullis.json, sealed for a release' : 'portcullis.json' }
  } catch (cause) {
    if (cause instanceof GateError) throw cause
    const message = `The record cannot be written to ${run.request.output}: ${describeError(cause)}. Give another --output, or free space.`
    throw new GateError('tool', { reason: 'record-not-written', message, cause })
  }
}

/** Keeps a passed image for `portcullis release` where the run was told to publish nothing. */
async function sealPassed(
  run: GateRun,
  facts: Facts,
  given: { readonly record: RunRecord; readonly reportDir: string },
): Promise<boolean> {
  const { record, reportDir } = given
  const wanted = run.command !== 'release' && run.request.publish === 'never' && record.outcome === 'pass'
  if (!wanted || facts.built === undefined || facts.evidence === undefined) return false
  await writeSeal(reportDir, {
    layout: facts.built.layout,
    record: recordText(record),
    evidence: evidenceDocument(facts.evidence).text,
    files: record.files,
  })
  return true
}

/** The record of everything known. Pure but for the clock of the services. */
export function assemble(run: GateRun, log: RunLog, facts: Facts): RunRecord {
  const { request, services } = run
  const { evidence, context, verdict = null } = facts
  const counts = countFindings(evidence ?? null)
  const secretSearch = countSecretSearch(evidence ?? null)
  const document = evidence ? evidenceDocument(evidence) : null
  const signal = services.signal.aborted ? stopSignal(services.signal.reason) : undefined
  const ending = endingOf({
    verdict,
    problems: log.problems,
    release: facts.release,
    ...(signal ? { signal } : {}),
  })
  const record: RunRecord = {
    schema: RECORD_SCHEMA,
    portcullis: { version: programVersion(), project: PROJECT_URI },
    command: run.command ?? 'gate',
    startedAt: facts.startedAt.toISOString(),
    finishedAt: services.clock().toISOString(),
    trigger: context?.trigger ?? { kind: run.kind, trusted: false },
    request: {
      image: request.image,
      subject: subjectText(request.subject),
      publish: request.publish,
      sign: request.sign ?? 'unset',
      tags: request.tags,
    },
    ...ending,
    problems: log.problems,
    stages: log.stages,
    subject: facts.built?.layout.subject ?? null,
    engine: facts.built?.engine ?? null,
    ...(facts.built?.bases === undefined ? {} : { bases: facts.built.bases }),
    ...(facts.built?.build === undefined ? {} : { build: facts.built.build }),
    imageId: facts.built?.layout.subject.platforms[0]?.configDigest ?? null,
    isolation: evidence?.isolation.state === 'present' ? evidence.isolation.value : null,
    ...(secretSearch === undefined ? {} : { secretSearch }),
    tools: factsOf(facts.tools ?? {}),
    database: evidence?.database.state === 'present' ? evidence.database.value : null,
    packages: countPackages(evidence ?? null),
    sboms: sbomScores(evidence ?? null),
    counts,
    verdict,
    evidence: document ? { path: 'evidence.json', sha256: document.sha256 } : null,
    release: facts.release,
    files: facts.files,
    warnings: [...log.warnings, ...(verdict?.warnings ?? [])],
  }
  return withoutExposed(record, facts.exposed ?? [])
}

/** The record without the secrets of the image configuration, wherever it repeats them. */
function withoutExposed(record: RunRecord, exposed: readonly string[]): RunRecord {
  return exposed.length === 0 ? record : parseRecord(hideSecrets(JSON.stringify(record), exposed))
}

function stopSignal(reason: unknown): 'SIGINT' | 'SIGTERM' | undefined {
  return reason === 'SIGINT' || reason === 'SIGTERM' ? reason : undefined
}

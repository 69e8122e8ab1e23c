import { makeProject, type Bench, type Project } from './gate-runs.js'
import { commitAll, runStep, type Job, type StepResult } from './runner.js'

/** A project whose files are one commit. */
export interface Workspace extends Project {
  readonly commit: string
}

export async function makeWorkspace(
  bench: Bench,
  variant: 'fixed' | 'vulnerable',
  policy?: string,
): Promise<Workspace> {
  const project = await makeProject(bench, variant, policy)
  return { ...project, commit: await commitAll(project.dir) }
}

/** Inputs of a step that releases the layout of the workspace to the registry of the bench. */
export function releaseInputs(bench: Bench, repository: string): Record<string, string> {
  return {
    image: `${bench.registry.host}/${repository}`,
    subject: 'oci-layout:layout',
    tools: `dir:${bench.tools}`,
    database: bench.database,
    sign: 'key',
    key: bench.key.key,
    tags: '1.0.0, latest',
  }
}

/** Runs the action on a workspace as a push to the default branch, unless `more` says otherwise. */
export async function runJob(
  bench: Bench,
  workspace: Workspace,
  given: Pick<Job, 'inputs'> & Partial<Job>,
): Promise<StepResult> {
  return await runStep({
    workspace: workspace.dir,
    commit: workspace.commit,
    temp: await bench.folder('job'),
    ...given,
    env: { COSIGN_PASSWORD: bench.key.password, ...given.env },
  })
}

/** What a step did that none may do, whatever its ending: empty when it was orderly. */
export function disorders(result: StepResult): readonly string[] {
  const allowed = new Set(['error', 'warning', 'notice', 'group', 'endgroup', 'add-mask'])
  const shown = `${result.stdout}${result.stderr}${result.summary}${JSON.stringify(result.outputs)}`
  return [
    ...(result.environmentFile === '' ? [] : ['wrote variables for later steps']),
    ...(result.pathFile === '' ? [] : ['wrote paths for later steps']),
    ...(result.post.code === 0 ? [] : [`the post step ended with ${result.post.code ?? 'a signal'}`]),
    ...[...result.commands, ...result.post.commands]
      .filter(command => !allowed.has(command.name))
      .map(command => `gave the command ${command.name}`),
    ...['runtime-token-of-this-job', 'id-token-request-token-of-this-job']
      .filter(token => shown.includes(token))
      .map(token => `showed ${token}`),
  ]
}

/** Texts of all error annotations. */
export function errorsOf(result: StepResult): string {
  return result.commands
    .filter(command => command.name === 'error')
    .map(command => command.data)
    .join('\n')
}

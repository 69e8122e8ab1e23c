/**
 * Makes the worst ending the default: exit code 3 until something better was earned, and 3 for whatever
 * nobody caught (docs/architecture.md, "Interface"). Exit code 1 is only ever a verdict.
 */
export function assumeTheWorst(write: (text: string) => unknown): void {
  process.exitCode = 3
  const crash = (thrown: unknown): void => {
    write(`portcullis: ${thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown)}\n`)
    process.exit(3)
  }
  process.on('uncaughtException', crash)
  process.on('unhandledRejection', crash)
}

import { removeLeftovers } from './commands/leftovers.js'
import { assumeTheWorst, inertLines } from './commands/worst.js'

assumeTheWorst(text => process.stderr.write(text))
removeLeftovers().then(
  () => process.exit(0),
  (thrown: unknown) => {
    process.stderr.write(inertLines(`portcullis: ${thrown instanceof Error ? thrown.message : 'crashed'}`))
    process.exit(3)
  },
)
